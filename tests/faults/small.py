"""The engine with small segments, so that bodies of some hundred KiB take every path that large ones do.

The rule of this file: it changes sizes and how often things happen, never what happens.
"""

from __future__ import annotations

from origin.catalog.sqlite import store
from origin.seal.frames import FRAME
from origin.service import ingest

SEGMENT = 2 * FRAME


def shrink() -> None:
    """Segments of two frames, pieces of one, and a checkpoint of the catalog every few commits."""
    ingest.SEGMENT = SEGMENT
    ingest.PIECE = FRAME
    store.CHECKPOINT_PAGES = 40
