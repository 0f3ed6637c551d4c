"""The engine with small segments, so that bodies of some hundred KiB take every path that large ones do.

The rule of this file: it changes sizes and how often things happen, never what happens.
"""

from __future__ import annotations

from collections.abc import Callable

from origin.catalog.sqlite import store
from origin.seal.frames import FRAME
from origin.service import duplicates, ingest

SEGMENT = 2 * FRAME


def shrink(change: Callable[[object, str, float], None] = setattr) -> None:
    """Segments of two frames, pieces of one, a checkpoint of the catalog every few commits, duplicates gone at once.

    `change` sets an attribute; a test gives its monkeypatch's, so that others are not affected.
    """
    change(ingest, "SEGMENT", SEGMENT)
    change(ingest, "PIECE", FRAME)
    change(store, "CHECKPOINT_PAGES", 40)
    change(duplicates, "BEAT", 0.02)
