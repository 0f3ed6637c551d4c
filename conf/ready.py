"""How a process tells the one that started it that it accepts requests: one JSON line on an inherited descriptor."""

from __future__ import annotations

import os

import orjson

READY_FD = "FACET_READY_FD"


def announce(kind: str, **fields: str) -> None:
    """Say that this process is ready; `kind` is "origin", "keeper" or "edge", `fields` its addresses.

    Does nothing for a process that was started by hand, without FACET_READY_FD.
    """
    number = os.environ.pop(READY_FD, None)
    if number is None:
        return
    with os.fdopen(int(number), "wb") as stream:
        stream.write(orjson.dumps({"ready": kind, **fields}) + b"\n")
