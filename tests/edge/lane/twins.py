"""Two server processes' worth of edge in one thread, over one keeper: one has the lane, the other has not."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import uvloop

from conf.schema import Settings
from edge.access import Access
from edge.journey import Journey
from edge.keeper.client import KeeperClient
from edge.keeper.stopping import cancelled
from edge.lane import Lane, Prepared
from edge.policy.sites import Sites
from edge.server import Server
from edge.tiers import Tiers
from tests.edge.dialogue import client
from tests.edge.dialogue.client import Answer
from tests.edge.dialogue.stage import Stage, stage, until


class Clock:
    """The time of day, and as much later as a test wants."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class Counting(Lane):
    """A lane that counts what it finds, which is before anybody can have read it."""

    answered = 0

    def find(self, key: bytes) -> Prepared | None:
        found = super().find(key)
        self.answered += found is not None
        return found


class Twin:
    """One edge and its port."""

    def __init__(self, settings: Settings, clock: Clock, *, with_lane: bool) -> None:
        self.tiers = Tiers(settings, clock)
        self.keeper = KeeperClient(settings.edge_data / "keeper.sock", on_connect=self.tiers.refresh)
        journey = Journey(settings, sites=Sites(settings), tiers=self.tiers, keeper=self.keeper, clock=clock)
        access = Access(settings, "twin", later=asyncio.get_running_loop().call_soon)
        header = settings.edge.purge_header
        self.lane = Counting(journey, self.tiers, access, purge_header=header, clock=clock) if with_lane else None
        self.server = Server(settings, journey, access, self.lane)
        self.port = 0

    async def listen(self, stack: AsyncExitStack) -> None:
        stack.callback(self.tiers.close)
        await stack.enter_async_context(cancelled(self.keeper.run()))
        await self.keeper.connected()
        listener = await asyncio.get_running_loop().create_server(self.server, "127.0.0.1", 0)
        self.port = listener.sockets[0].getsockname()[1]
        stack.push_async_callback(self.server.shutdown, 1)
        stack.callback(listener.close)

    def get(self, target: str, **fields: str) -> Answer:
        return client.ask(self.port, target, **fields)

    async def has_said_all(self, peer: object) -> bool:
        """Whether a client's connection waits for more: all of its bytes are read, and all answers written."""
        for connection in self.server.connections:
            transport = connection.transport
            if transport is None or transport.get_extra_info("peername") != peer:
                continue
            unread = bytearray(4)
            fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.FIONREAD, unread)
            waiter = connection._waiter
            waits = waiter is not None and not waiter.done()
            return waits and not any(unread) and not transport.get_write_buffer_size()
        return False


class Twins:
    """Both, with the node behind them."""

    def __init__(self, node: Stage) -> None:
        self.node = node
        self.clock = Clock()
        self.settings = node.settings
        self._ready = threading.Event()
        self._stop: asyncio.Event
        self.loop: asyncio.AbstractEventLoop
        self.thread = threading.Thread(target=lambda: uvloop.run(self._run()))

    async def _run(self) -> None:
        self._stop, self.loop = asyncio.Event(), asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            self.with_lane = Twin(self.settings, self.clock, with_lane=True)
            self.without = Twin(self.settings, self.clock, with_lane=False)
            await self.with_lane.listen(stack)
            await self.without.listen(stack)
            self._ready.set()
            await self._stop.wait()

    @property
    def answered(self) -> int:
        """How many requests went by the lane."""
        assert self.with_lane.lane is not None
        return self.with_lane.lane.answered  # type: ignore[attr-defined,no-any-return]

    def warm(self, target: str, **fields: str) -> None:
        """Have a target answered by both until the lane answers it."""
        request = head(target, **fields)
        for twin in (self.without, self.with_lane):
            before = self.answered
            with client.connect(twin.port) as connection:

                def once_more(connection: socket.socket = connection, before: int = before) -> bool:
                    connection.sendall(request)
                    answer = client.read_answer(connection)
                    return self.answered > before if twin is self.with_lane else answer.hit  # noqa: B023

                until(once_more, f"{target} never came into the lane")


def head(target: str, *lines: str, method: str = "GET", host: str = "edge.test", **fields: str) -> bytes:
    """A request that keeps its connection."""
    said = [f"{method} {target} HTTP/1.1", f"Host: {host}", *lines]
    said += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join((*said, "", "")).encode("utf-8", "surrogateescape")


@contextmanager
def twins(folder: Path, settings: dict[str, Any] | None = None) -> Iterator[Twins]:
    """Both for the length of a `with` block."""
    with stage(folder, settings) as node:
        pair = Twins(node)
        pair.thread.start()
        assert pair._ready.wait(client.PATIENCE)
        try:
            yield pair
        finally:
            pair.loop.call_soon_threadsafe(pair._stop.set)
            pair.thread.join(client.PATIENCE)
