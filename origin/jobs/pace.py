"""Pacing: a job that reads everything leaves the disk to those who wait for it."""

from __future__ import annotations

import asyncio


class Pace:
    """Lets `rate` bytes a second pass; 0 is no limit. What was not used in time is not saved up."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._free_at = 0.0

    async def passed(self, size: int) -> None:
        """Return when the next bytes may be read, after `size` were."""
        if self._rate:
            loop = asyncio.get_running_loop()
            self._free_at = max(self._free_at, loop.time()) + size / self._rate
            await asyncio.sleep(self._free_at - loop.time())
