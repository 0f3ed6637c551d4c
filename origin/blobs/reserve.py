"""The free space on a disk that writes leave alone, so that deletes and collection go on when it is full."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from origin.blobs.contract import StoreFull

FAR = 1024**3
"""Bytes above the reserve with which the disk need not be asked for every write."""
FRESH = 0.1
"""Seconds for which an answer holds then: no disk takes FAR bytes meanwhile."""


class Reserve:
    """Keeps `reserve` bytes free on the disk of an open folder. `clock` counts seconds."""

    def __init__(self, folder: int, reserve: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._reserve = reserve
        self._clock = clock
        self._until = 0.0

    def keep(self, length: int) -> None:
        """Return where `length` more bytes leave the reserve.

        Raises StoreFull; OSError where the disk does not say.
        """
        now = self._clock()
        if now < self._until and length < FAR // 2:
            return
        state = os.fstatvfs(self._folder)
        spare = state.f_bavail * state.f_frsize - length - self._reserve
        if spare < 0:
            self._until = 0.0
            raise StoreFull("the reserve of free space is reached")
        self._until = now + FRESH if spare > FAR else 0.0
