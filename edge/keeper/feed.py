"""Following the origin's change feed: a write at the origin is a purge here within a second.

The rule of this file: bump first, remember the cursor after. The cursor on disk never runs ahead of the bumps, so
a crash repeats events, which does no harm, and skips none. Where events may have been missed (no cursor, a cursor
the origin no longer knows) the newest cursor is taken first and everything is revalidated second: what changes
between the two is read from the feed.

While the origin cannot be reached nothing is purged: stored answers then live as long as the site's `revalidate`
says. Events only say where something changed; what it is now is asked of the origin when somebody wants it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import aiohttp
import msgspec
import structlog
from yarl import URL

from edge.cache.epochs import Epochs
from edge.cache.subjects import bucket_group, bucket_path
from edge.keeper.metrics import Metrics
from edge.keeper.purge import Purger
from wire.feed import FeedEvent, FeedPage, Gap, decode_page
from wire.sigv4 import sign_headers

PATH = "/-/feed"
WAIT = 25
"""Seconds the origin may hold a poll open when there is nothing to tell."""
PATIENCE = 10
"""Seconds beyond that until an answer counts as lost."""
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
"""Backoff after failures, in seconds: doubling, each pause spread over its second half."""

_log = structlog.get_logger()


class FeedRefused(Exception):
    """The origin answered, but not with a page."""


class _Newest(msgspec.Struct):
    """The body of 410 Gone."""

    cursor: str


class Follower:
    """Keeps the epochs in step with the origin's feed. `await run()` as a task of the keeper.

    `clock` gives wall seconds (for signatures and lag), `jitter` numbers in [0, 1), `sleep` waits.
    """

    def __init__(
        self,
        *,
        origin: str,
        access_key: str,
        secret_key: str,
        session: aiohttp.ClientSession,
        purger: Purger,
        epochs: Epochs,
        cursor_file: Path,
        metrics: Metrics,
        clock: Callable[[], float],
        jitter: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._origin = origin.rstrip("/")
        self._host = urlsplit(origin).netloc
        self._access_key = access_key
        self._secret_key = secret_key
        self._session = session
        self._purger = purger
        self._epochs = epochs
        self._cursor_file = cursor_file
        self._metrics = metrics
        self._clock = clock
        self._jitter = jitter
        self._sleep = sleep

    async def run(self) -> None:
        """Follow for ever; ends only when cancelled, or with OSError where a purge cannot be made durable."""
        cursor = _read_cursor(self._cursor_file)
        longest = 0
        while True:
            try:
                page = await self._poll(cursor)
            except Gap as gap:
                cursor = gap.cursor
                await self._revalidate_all(cursor)
                continue
            if cursor is None:
                await self._revalidate_all(page.cursor)
            else:
                await self._apply(page.events)
                if page.cursor != cursor:
                    await self._remember(page.cursor)
                longest = max(longest, len(page.events))
                if not page.events or len(page.events) < longest:  # a page that is not full ends at the feed's end
                    self._epochs.settle()
            cursor = page.cursor

    async def _poll(self, cursor: str | None) -> FeedPage:
        """The next page, however often it has to be asked for. Raises Gap."""
        pause = FIRST_PAUSE
        while True:
            try:
                page = await self._ask(cursor)
            except (aiohttp.ClientError, TimeoutError, FeedRefused) as error:
                self._metrics.feed_connected.set(0)
                _log.warning("feed.unreachable", origin=self._origin, error=str(error) or type(error).__name__)
                await self._sleep(pause * (1 + self._jitter()) / 2)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                self._metrics.feed_connected.set(1)
                return page

    async def _ask(self, cursor: str | None) -> FeedPage:
        """One poll. Until the feed's end has been seen once it does not wait, so that serving can begin.

        Raises Gap, FeedRefused, aiohttp.ClientError, TimeoutError.
        """
        wait = WAIT if self._epochs.settled else 0
        query = "" if cursor is None else urlencode({"cursor": cursor, "wait": wait})
        signed = sign_headers(
            "GET",
            PATH,
            query,
            [("Host", self._host)],
            access_key=self._access_key,
            secret=self._secret_key,
            now=self._clock(),
        )
        url = URL(f"{self._origin}{PATH}{query and '?' + query}", encoded=True)
        timeout = aiohttp.ClientTimeout(total=wait + PATIENCE)
        async with self._session.get(
            url, headers=[("Host", self._host), *signed], timeout=timeout, allow_redirects=False
        ) as response:
            body = await response.read()
        try:
            if response.status == 410:
                raise Gap(msgspec.json.decode(body, type=_Newest).cursor)
            if response.status == 200:
                return decode_page(body)
        except ValueError as error:
            raise FeedRefused(f"not a page of the feed: {error}") from error
        raise FeedRefused(f"status {response.status}")

    async def _apply(self, events: tuple[FeedEvent, ...]) -> None:
        """Purge what a page names, each once; bumps are durable on return."""
        if not events:
            return
        groups = {bucket_group(event.bucket) for event in events if event.key is None}
        paths = {bucket_path(event.bucket, event.key) for event in events if event.key is not None}
        await self._purger.purge_changed(paths, groups)
        self._metrics.feed_events.inc(len(events))
        self._metrics.feed_lag_seconds.set(max(0.0, self._clock() - events[-1].time))

    async def _revalidate_all(self, cursor: str) -> None:
        """Events may have been missed: everything counts as changed, and the feed goes on from `cursor`."""
        _log.warning("feed.gap", origin=self._origin, action="everything is revalidated")
        self._metrics.feed_gaps.inc()
        await self._purger.revalidate_all()
        await self._remember(cursor)

    async def _remember(self, cursor: str) -> None:
        await asyncio.to_thread(_write_cursor, self._cursor_file, cursor)


def _read_cursor(path: Path) -> str | None:
    """The cursor, or None where there is none that can be read."""
    try:
        return path.read_text("utf-8").strip() or None
    except (OSError, ValueError):
        return None


def _write_cursor(path: Path, cursor: str) -> None:
    """Replace the cursor's file, synced: half a cursor would be another cursor. Raises OSError."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(cursor)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
