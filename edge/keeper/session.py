"""The keeper's end of the link to one server process: a task for each question, and the way back for its answers.

The rule of this file: a task here is one waiter and owns nothing. When its client leaves or the server process dies it
ends, and no flight notices.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import msgspec
import structlog

from edge.cache.entry import BodyRef
from edge.keeper import link
from edge.keeper.answer import Answer
from edge.keeper.landing import Lines
from edge.keeper.rooms import Rooms
from edge.keeper.slice_waiter import give_slice
from edge.keeper.trouble import NotGiven
from edge.keeper.waiter import Waiter
from edge.policy.reasons import DETAILS, CacheStatus, Detail
from edge.upstream.http import UpstreamAnswer

log = structlog.get_logger()


class Sessions:
    """All server processes of the node."""

    def __init__(self, rooms: Rooms) -> None:
        self.rooms = rooms
        self._running: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a new connection."""
        task = asyncio.create_task(Session(self, reader, writer).run())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """End every session."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


class Session:
    """One connection of a server process."""

    def __init__(self, sessions: Sessions, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._sessions = sessions
        self._reader = reader
        self._writer = writer
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._exchanges: dict[int, Exchange] = {}

    @property
    def _rooms(self) -> Rooms:
        """The rooms of now: settings may change while server processes stay."""
        return self._sessions.rooms

    async def run(self) -> None:
        """Serve until the server process goes."""
        try:
            while True:
                self._receive(link.request_decoder.decode(await link.read_payload(self._reader)))
        except (link.LinkBroken, msgspec.DecodeError) as error:
            log.debug("a server process has gone", reason=str(error))
        finally:
            for task in self._tasks.values():
                task.cancel()
            self._writer.close()

    def send(self, message: link.Response) -> None:
        """Send a message, or nothing where the server process has gone."""
        if not self._writer.is_closing():
            self._writer.write(link.frame(message))

    def _receive(self, message: link.Request) -> None:
        match message:
            case link.Fill():
                exchange = self._exchanges[message.id] = Exchange(message.id, self)
                self._begin(message.id, self._fill(message, exchange))
            case link.Slice():
                self._begin(message.id, self._slice(message))
            case link.Purge():
                self._begin(message.id, self._purge(message))
            case link.Credit():
                if message.id in self._exchanges:
                    self._exchanges[message.id].credit(message.size)
            case link.Leave():
                if message.id in self._tasks:
                    self._tasks[message.id].cancel()
            case link.Report():
                self._count(message)

    def _begin(self, number: int, work: Coroutine[None, None, None]) -> None:
        task = self._tasks[number] = asyncio.create_task(work)
        task.add_done_callback(lambda _: self._end(number))

    def _end(self, number: int) -> None:
        self._tasks.pop(number, None)
        self._exchanges.pop(number, None)

    async def _fill(self, fill: link.Fill, exchange: Exchange) -> None:
        if fill.client and (seconds := self._rooms.misses.wait(fill.client)):
            outcome = CacheStatus(detail=Detail.TOO_MANY_MISSES)
            self.send(link.Failed(fill.id, 429, outcome, DETAILS[Detail.TOO_MANY_MISSES].meaning, seconds))
            return
        try:
            await Waiter(self._rooms, fill, exchange).run()
        except NotGiven as reason:
            self.send(link.Failed(fill.id, reason.status, reason.outcome, str(reason), reason.retry_after))
        except Exception:
            log.exception("a fill failed unexpectedly", site=fill.site, path=fill.path)
            self.send(link.Failed(fill.id, 500, CacheStatus(), "the edge could not fill this"))

    async def _slice(self, ask: link.Slice) -> None:
        exchange = Exchange(ask.id, self)
        try:
            await give_slice(self._rooms, ask, exchange)
        except NotGiven as reason:
            self.send(link.Failed(ask.id, reason.status, reason.outcome, str(reason), reason.retry_after))
        except Exception:
            log.exception("a slice failed unexpectedly", site=ask.site, number=ask.number)
            self.send(link.Failed(ask.id, 500, CacheStatus(), "the edge could not fill this"))

    async def _purge(self, purge: link.Purge) -> None:
        site = self._rooms.sites.named(purge.site)
        try:
            if site is not None:
                await self._rooms.purger.carry_out(site, purge.order)
            self.send(link.Done(purge.id))
        except OSError as error:
            log.exception("a purge is in force but may not be durable", site=purge.site)
            self.send(link.Failed(purge.id, 500, CacheStatus(), f"the purge may not be durable: {error}"))

    def _count(self, report: link.Report) -> None:
        """Take over what a server process did by itself."""
        for key, times in report.used.items():
            self._rooms.ledger.touch(key)
            self._rooms.later.note(key, times)
        metrics = self._rooms.metrics
        for site, hits in report.hits.items():
            metrics.hits.labels(site, "memory").inc(hits.memory)
            metrics.hits.labels(site, "disk").inc(hits.disk)
            metrics.saved_bytes.labels(site).inc(hits.saved)
            metrics.spared_bytes.labels(site).inc(hits.spared)


class Exchange:
    """The way back to one waiting client."""

    def __init__(self, number: int, session: Session) -> None:
        self._number = number
        self._session = session
        self._credit = link.CREDIT
        self._more = asyncio.Event()

    def head(self, answer: Answer, status: CacheStatus, location: link.Location, once: Lines = ()) -> None:
        """The answer, where its body is, and header lines for this client alone."""
        self._session.send(link.Head(self._number, answer, status, location, once))

    def opened(self, growing: link.Growing) -> None:
        """Where a slice grows."""
        self._session.send(link.Opened(self._number, growing))

    def interim(self, status: int, lines: Lines) -> None:
        """An interim answer of the upstream."""
        self._session.send(link.Interim(self._number, status, lines))

    def progress(self, length: int) -> None:
        """The growing file is this long."""
        self._session.send(link.Progress(self._number, length))

    def done(self, stored: BodyRef | None = None) -> None:
        """That was all; `stored` names the body that grew."""
        self._session.send(link.Done(self._number, stored))

    async def relay(self, answer: UpstreamAnswer) -> None:
        """Send a body as fast as the client takes it. Raises UpstreamFailed."""
        async for block in answer.blocks():
            for start in range(0, len(block), link.DATA_BLOCK):
                piece = block[start : start + link.DATA_BLOCK]
                while self._credit < len(piece):
                    self._more.clear()
                    await self._more.wait()
                self._credit -= len(piece)
                self._session.send(link.Data(self._number, piece))
        self.done()

    def credit(self, size: int) -> None:
        """The client has taken `size` bytes."""
        self._credit += size
        self._more.set()
