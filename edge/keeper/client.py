"""A server process's end of the link: asks the keeper, and goes on without one.

The rule of this file: the keeper's death is an event like another. Exchanges that had no head yet are asked again at
the restarted keeper, as long as their own deadline allows; those that had one are broken off, never cut short quietly.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeAlias

import msgspec
import structlog

from conf.sockets import unix_address
from edge.cache.entry import BodyRef
from edge.cache.files import Damaged, GrowingReader
from edge.keeper import link
from edge.keeper.flights import within
from edge.message import BodyBroken, Hear

KEEPER_WAIT = 10.0  # seconds a request waits for a keeper that is away
_ASKINGS = 3  # how often a request is asked at most: one that kills keepers must not go on doing so
_BACKOFF = (0.05, 0.1, 0.2, 0.5, 1.0)  # seconds between attempts to reach it
_READ = 256 * 1024  # bytes of a growing file that are read at once

Opening: TypeAlias = link.Head | link.Opened | link.Done
"""What an exchange begins with."""
log = structlog.get_logger()


class KeeperAway(Exception):
    """No keeper answers within the time that a request waits for one."""


class FillFailed(Exception):
    """The keeper has no answer to give; `failed` says what to tell the client."""

    def __init__(self, failed: link.Failed) -> None:
        super().__init__(failed.message)
        self.failed = failed


class Exchange:
    """One question to the keeper and everything that comes back on it."""

    def __init__(self, number: int, connection: _Connection) -> None:
        self.number = number
        self._connection = connection
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[Opening] = loop.create_future()
        self.opened.add_done_callback(lambda future: future.cancelled() or future.exception())
        self.interim: Hear | None = None
        self._moved = asyncio.Event()
        self._blocks: list[bytes] = []
        self._length = 0
        self._over = False
        self._stored: BodyRef | None = None
        self._failure: Exception | None = None

    def receive(self, message: link.Response) -> None:
        """The next message of the keeper."""
        match message:
            case link.Head() | link.Opened():
                self.opened.set_result(message)
            case link.Interim():
                if self.interim is not None:
                    self.interim(message.status, message.lines)
            case link.Progress():
                self._length = message.length
            case link.Data():
                self._blocks.append(message.block)
            case link.Done():
                self._over, self._stored = True, message.stored
                if not self.opened.done():
                    self.opened.set_result(message)
            case link.Failed():
                self.fail(FillFailed(message))
        self._moved.set()

    def fail(self, error: Exception) -> None:
        """Nothing more will come."""
        self._over, self._failure = True, error
        if not self.opened.done():
            self.opened.set_exception(error)
        self._moved.set()

    async def beyond(self, length: int) -> int:
        """Wait until a growing body is longer than `length` or whole; how long it is. Raises BodyBroken."""
        while self._length <= length and not self._over:
            await self._next()
        if self._length <= length and self._failure is not None:
            raise BodyBroken(str(self._failure))
        return self._length

    async def block(self) -> bytes:
        """The next bytes of a relayed body, empty at its end. Raises BodyBroken."""
        while not self._blocks and not self._over:
            await self._next()
        if self._blocks:
            block = self._blocks.pop(0)
            self._connection.send(link.Credit(self.number, len(block)))
            return block
        if self._failure is not None:
            raise BodyBroken(str(self._failure))
        return b""

    async def stored(self) -> BodyRef:
        """The body that grew, once it is whole. Raises FillFailed, and FileNotFoundError where it was not kept."""
        while not self._over:
            await self._next()
        if self._failure is not None:
            raise self._failure
        if self._stored is None:
            raise FileNotFoundError
        return self._stored

    async def _next(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    def close(self) -> None:
        """Leave: nobody waits for this any more."""
        self._connection.leave(self, tell=not self._over)


class Growing:
    """A body that the keeper is still writing to a file."""

    def __init__(self, exchange: Exchange, reader: GrowingReader, length: int | None) -> None:
        self._exchange = exchange
        self._reader = reader
        self.length = length

    async def blocks(self, start: int, stop: int | None) -> AsyncIterator[bytes]:
        """See Body. Waits for the bytes that have not been written yet."""
        position = start
        while stop is None or position < stop:
            there = await self._exchange.beyond(position)
            if there <= position:
                return
            size = min(there if stop is None else min(there, stop), position + _READ) - position
            try:
                block = await asyncio.to_thread(self._reader.read, position, size)
            except (Damaged, OSError) as error:
                raise BodyBroken(str(error)) from error
            position += len(block)
            yield block

    def close(self) -> None:
        """See Body."""
        self._exchange.close()
        self._reader.close()


class Relayed:
    """A body that is not stored: it comes through the keeper as fast as it is read here."""

    def __init__(self, exchange: Exchange, length: int | None) -> None:
        self._exchange = exchange
        self.length = length

    async def blocks(self, start: int, stop: int | None) -> AsyncIterator[bytes]:
        """See Body. Always whole: a relayed answer has no parts."""
        assert (start, stop) in ((0, None), (0, self.length)), "a relayed body has no parts"
        while block := await self._exchange.block():
            yield block

    def close(self) -> None:
        """See Body."""
        self._exchange.close()


class _Connection:
    """One life of the link."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._exchanges: dict[int, Exchange] = {}
        self._numbers = itertools.count(1)

    def send(self, message: link.Request) -> None:
        """Send a message, or nothing where the link is broken: the exchanges have been told."""
        if not self._writer.is_closing():
            self._writer.write(link.frame(message))

    def begin(self, question: Callable[[int], link.Request]) -> Exchange:
        """Ask `question` of a fresh number."""
        exchange = Exchange(next(self._numbers), self)
        self._exchanges[exchange.number] = exchange
        self.send(question(exchange.number))
        return exchange

    def leave(self, exchange: Exchange, *, tell: bool) -> None:
        """Forget an exchange, telling the keeper where it is not over."""
        if self._exchanges.pop(exchange.number, None) is not None and tell:
            self.send(link.Leave(exchange.number))

    async def receive(self) -> None:
        """Hand on what comes until the link breaks. Raises LinkBroken."""
        while True:
            message = link.response_decoder.decode(await link.read_payload(self._reader))
            exchange = self._exchanges.get(message.id)
            if exchange is not None:
                exchange.receive(message)

    def close(self) -> None:
        """The link is broken: say so to everybody who waits."""
        self._writer.close()
        exchanges, self._exchanges = self._exchanges, {}
        for exchange in exchanges.values():
            exchange.fail(link.LinkBroken("the keeper has gone"))


class KeeperClient:
    """The keeper as a server process sees it. `run()` keeps the link up; `on_connect` is called after each connect."""

    def __init__(self, path: Path, *, on_connect: Callable[[], None]) -> None:
        self._path = path
        self._on_connect = on_connect
        self._connection: _Connection | None = None
        self._connected = asyncio.Event()

    async def run(self) -> None:
        """Keep the link up until cancelled."""
        attempts = 0
        while True:
            try:
                with unix_address(self._path) as address:
                    connection = _Connection(*await asyncio.open_unix_connection(str(address)))
            except OSError:
                await asyncio.sleep(_BACKOFF[min(attempts, len(_BACKOFF) - 1)])
                attempts += 1
                continue
            attempts = 0
            self._on_connect()
            self._connection = connection
            self._connected.set()
            try:
                await connection.receive()
            except (link.LinkBroken, msgspec.DecodeError) as error:
                log.warning("the keeper has gone", reason=str(error))
            finally:
                self._connected.clear()
                connection.close()
            await asyncio.sleep(_BACKOFF[0])  # a dying process may still accept what it will never answer

    async def connected(self) -> None:
        """Wait until there is a keeper."""
        await self._connected.wait()

    async def fill(self, wanted: link.Fill, interim: Hear | None = None) -> tuple[link.Head, Exchange]:
        """The keeper's answer and the exchange that its body comes on: close it. The number is given here.

        `interim` is told of interim answers.

        Raises FillFailed, KeeperAway, WaitedTooLong.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wanted.wait
        exchange, opened = await self._ask(
            lambda number: msgspec.structs.replace(wanted, id=number, wait=deadline - loop.time()), deadline, interim
        )
        assert isinstance(opened, link.Head), "a fill begins with its head"
        return opened, exchange

    async def slice(
        self, site: str, key: bytes, source_id: str, number: int, wait: float
    ) -> tuple[link.Growing | BodyRef, Exchange]:
        """Where a slice grows or is, and the exchange that tells of its growth: close it. Raises as `fill`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait
        exchange, opened = await self._ask(
            lambda asked: link.Slice(asked, site, key, source_id, number, deadline - loop.time()), deadline
        )
        if isinstance(opened, link.Opened):
            return opened.growing, exchange
        assert isinstance(opened, link.Done), "a slice has no head"
        assert opened.stored is not None, "a slice that is there has a body"
        return opened.stored, exchange

    async def purge(self, site: str, order: link.Order, wait: float) -> None:
        """Purge something of a site; in force and durable on return. Raises as `fill`."""
        deadline = asyncio.get_running_loop().time() + wait
        exchange, _ = await self._ask(lambda number: link.Purge(number, site, order), deadline)
        exchange.close()

    def report(self, report: link.Report) -> None:
        """Tell the keeper what was done without it; lost while there is none."""
        if self._connection is not None:
            self._connection.send(report)

    async def _ask(
        self, question: Callable[[int], link.Request], deadline: float, interim: Hear | None = None
    ) -> tuple[Exchange, Opening]:
        """Ask, and ask again if the keeper dies before it has begun to answer and is back in time."""
        for _ in range(_ASKINGS):
            connection = await self._reach(deadline)
            exchange = connection.begin(question)
            exchange.interim = interim
            try:
                return exchange, await within(exchange.opened, deadline)
            except link.LinkBroken:
                continue
            except BaseException:
                exchange.close()
                raise
        raise KeeperAway

    async def _reach(self, deadline: float) -> _Connection:
        """The connection, waited for a little. Raises KeeperAway."""
        patience = min(deadline, asyncio.get_running_loop().time() + KEEPER_WAIT)
        try:
            async with asyncio.timeout_at(patience):
                await self._connected.wait()
        except TimeoutError:
            raise KeeperAway from None
        assert self._connection is not None, "connected to nothing"
        return self._connection
