"""The engine with small segments, so that bodies of some hundred KiB take every path that large ones do.

The rule of this file: it changes sizes and how often things happen, never what happens.
"""

from __future__ import annotations

from collections.abc import Callable

from origin.catalog.sqlite import store
from origin.seal.frames import FRAME
from origin.service import ingest

SEGMENT = 2 * FRAME


def shrink(change: Callable[[object, str, int], None] = setattr) -> None:
    """Segments of two frames, pieces of one, and a checkpoint of the catalog every few commits.

    `change` sets an attribute; a test gives its monkeypatch's, so that others are not affected.
    """
    change(ingest, "SEGMENT", SEGMENT)
    change(ingest, "PIECE", FRAME)
    change(store, "CHECKPOINT_PAGES", 40)
