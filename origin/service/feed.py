"""The feed: every change, in the order in which it was committed.

The rule of this file: a reader who holds a cursor misses nothing, or is told so by Gap. A cursor names the log and a
position in it, so that one from another data folder is recognised.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from origin.catalog.contract import Tables
from origin.catalog.rows import EventRow
from origin.service.access import denied
from origin.service.model import Caller, Permission
from origin.service.stores import Stores
from wire.feed import FeedEvent, FeedPage, Gap

LONGEST_WAIT = 60.0


class Feed:
    """`Service.feed`. Made in the event loop that will read; `log` names this data folder's log."""

    def __init__(self, stores: Stores, log: str) -> None:
        self._stores = stores
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._newest = stores.catalog.read(lambda tables: tables.events.newest())
        self._changed = asyncio.Event()
        self._closed = False
        stores.catalog.on_commit(self._committed)

    def _committed(self, newest: int, _mutation: int) -> None:
        """In the writer's thread, after a commit."""
        if newest != self._newest:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._wake, newest)

    def _wake(self, newest: int) -> None:
        if newest > self._newest:
            self._newest = newest
            self._changed.set()
            self._changed = asyncio.Event()

    def close(self) -> None:
        """Let everybody who waits go."""
        self._closed = True
        self._changed.set()

    async def read(
        self, caller: Caller, cursor: str | None = None, *, wait: float = 0.0, limit: int = 1000
    ) -> FeedPage:
        """Events after `cursor`, waiting up to `wait` seconds (at most 60) for the first.

        Without a cursor the page is empty and its cursor is the newest position. Needs the `feed` permission.
        Raises wire.feed.Gap where events after the cursor are gone; ServiceError: AccessDenied.
        """
        if caller.key is None or Permission.FEED not in caller.key.permissions:
            raise denied()
        if cursor is None:
            newest = await self._stores.read(lambda tables: tables.events.newest())
            return FeedPage(events=(), cursor=self._cursor(newest))
        deadline = self._loop.time() + min(max(wait, 0.0), LONGEST_WAIT)
        while True:
            changed = self._changed
            page = await self._stores.read(lambda tables: self._page(tables, cursor, limit))
            left = deadline - self._loop.time()
            if page.events or left <= 0 or self._closed:
                return page
            try:
                async with asyncio.timeout(left):
                    await changed.wait()
            except TimeoutError:
                return page

    async def noticed(self, after: int, limit: int) -> list[EventRow]:
        """Events after that position that somebody is to be told of; waits for the first, or until `close`."""
        while True:
            changed = self._changed
            rows = await self._stores.read(lambda tables: tables.events.noticed(after, limit))
            if rows or self._closed:
                return rows
            await changed.wait()

    async def place(self, name: str) -> int | None:
        """The position that a reader inside the house keeps under that name, None where it never kept one."""
        kept = await self._stores.read(lambda tables: tables.meta.get(name))
        return None if kept is None else int(kept)

    async def keep_place(self, name: str, position: int | None) -> int:
        """Keep a reader's position, durably; None is the end of the feed. Returns it."""

        def transact(tables: Tables) -> int:
            place = tables.events.newest() if position is None else position
            tables.meta.set(name, str(place).encode())
            return place

        return await self._stores.write(transact)

    def _page(self, tables: Tables, cursor: str, limit: int) -> FeedPage:
        newest = tables.events.newest()
        position = self._position(cursor)
        if position is None or not tables.events.floor() <= position <= newest:
            raise Gap(self._cursor(newest))
        rows = tables.events.after(position, limit)
        events = tuple(_event(row) for row in rows)
        return FeedPage(events=events, cursor=self._cursor(events[-1].position if events else position))

    def _cursor(self, position: int) -> str:
        return f"{self._log}-{position}"

    def _position(self, cursor: str) -> int | None:
        """The position of a cursor of this log; None for any other text."""
        log, _, position = cursor.rpartition("-")
        return int(position) if log == self._log and position.isascii() and position.isdigit() else None


def _event(row: EventRow) -> FeedEvent:
    return FeedEvent(
        position=row.position,
        time=row.time,
        kind=row.kind,
        bucket=row.bucket,
        key=None if row.key is None else row.key.decode(),
        version=row.version,
        counter=row.counter,
    )
