"""How long jobs tell what they have done: to a terminal, a log, or down the admin socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

Unit = Literal["bytes", "blobs", "files", "keys", "manifests", "bodies", "objects"]


class Progress(msgspec.Struct, frozen=True):
    """`done` of `total` units of the step `what`; a total of 0 is not known."""

    what: str
    done: int
    total: int
    unit: Unit


Tell = Callable[[Progress], None]
"""Hears of progress, often. Never blocks."""


def silent(progress: Progress) -> None:
    """Nobody listens."""
