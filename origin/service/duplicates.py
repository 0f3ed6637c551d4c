"""The last part of step 9: the files of blobs that turned out to be duplicates are removed after the answer.

The rule of this file: the catalog has them as abandoned already, so whatever is not done here the collector does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from origin.service.model import ServiceError
from origin.service.stores import Stores


class Duplicates:
    """Removes files nobody refers to, behind the answers."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._running: set[asyncio.Task[None]] = set()

    def drop(self, ids: Sequence[bytes]) -> None:
        """Remove these soon."""
        if ids:
            task = asyncio.get_running_loop().create_task(self._drop(ids))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _drop(self, ids: Sequence[bytes]) -> None:
        try:
            await self._stores.working(lambda: self._stores.blobs.remove(ids))
            await self._stores.write(lambda tables: tables.blobs.drop_pending(ids))
        except ServiceError:
            return

    async def idle(self) -> None:
        """Return when nothing is left to do."""
        while self._running:
            await asyncio.wait(self._running)
