"""The free space on a disk that writes leave alone, so that deletes and collection go on when it is full."""

from __future__ import annotations

import os

from origin.blobs.contract import StoreFull


def keep_reserve(folder: int, length: int, reserve: int) -> None:
    """Return where `length` more bytes leave `reserve` bytes free on the disk of an open folder.

    Raises StoreFull; OSError where the disk does not say.
    """
    state = os.fstatvfs(folder)
    if state.f_bavail * state.f_frsize - length < reserve:
        raise StoreFull("the reserve of free space is reached")
