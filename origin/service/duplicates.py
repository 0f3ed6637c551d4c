"""The last part of step 9: the files of blobs that turned out to be duplicates are removed after the answers.

The rules of this file: they are dead blobs in the catalog already, so whatever is not done here the collector does.
They are removed together, once in a while: done after each answer, it would slow the next request down and so tell
who asks that the bytes were known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from origin.catalog.contract import Tables
from origin.service.model import ServiceError
from origin.service.stores import Stores

BEAT = 1.0
"""Seconds that duplicates gather."""


def _forget(tables: Tables, gone: list[bytes]) -> None:
    tables.blobs.forget(gone)


class Duplicates:
    """Removes files nobody refers to, behind the answers."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._waiting: list[bytes] = []
        self._hurry = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    def drop(self, ids: Sequence[bytes]) -> None:
        """Remove these soon."""
        self._waiting += ids
        if ids and self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while self._waiting:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), BEAT)
            ids, self._waiting = self._waiting, []
            with suppress(ServiceError):
                gone = await self._stores.working(partial(self._stores.blobs.remove, ids))
                await self._stores.write(partial(_forget, gone=gone))
        self._running = None

    async def idle(self) -> None:
        """Remove what there is now; return when nothing is left to do."""
        self._hurry.set()
        if self._running is not None:
            await self._running
        self._hurry.clear()
