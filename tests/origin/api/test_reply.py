"""Promises about sending: long work keeps the client waiting, and a broken read ends short."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp.web import BaseRequest, StreamResponse

from origin.api.listener import Listener
from origin.api.s3 import xml
from origin.api.s3.call import Answer, Finished, Pending
from origin.api.s3.reply import Ids, send
from origin.service.model import ObjectInfo, Owner
from origin.service.reading import Reading

Handler = Callable[[BaseRequest], Awaitable[StreamResponse]]


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[int]:
    listener = Listener(handler)
    server = await asyncio.get_running_loop().create_server(listener, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await listener.shutdown(1)


async def ask(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /b/k?uploadId=u HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    return reader, writer


def answers(pending: Callable[[], Awaitable[Finished]]) -> Handler:
    async def handler(request: BaseRequest) -> StreamResponse:
        answer = Answer(200, {"Content-Type": "application/xml"}, Pending(pending()))
        return await send(
            request,
            answer,
            {**answer.headers, **Ids.new().headers()},
            lambda error: f"<Error>{error}</Error>".encode(),
            close=False,
            stall=9,
            patience=0.01,
        )

    return handler


@pytest.mark.parametrize(
    ("failure", "end"), [(None, b"<Done></Done>"), (ValueError("late"), b"<Error>late</Error>")], ids=["done", "failed"]
)
async def test_long_work_sends_white_space_and_then_its_end(failure: Exception | None, end: bytes) -> None:
    go_on = asyncio.Event()

    async def work() -> Finished:
        await go_on.wait()
        if failure is not None:
            raise failure
        return Finished(xml.element("Done", "", namespace=None))

    async with listening(answers(work)) as port:
        reader, writer = await ask(port)
        head = await reader.readuntil(xml.PROLOG)
        assert head.startswith(b"HTTP/1.1 200 OK")
        await reader.readuntil(b" ")
        go_on.set()
        assert end in await reader.read()
        writer.close()


class Broken(Reading):
    """A read whose second piece cannot be opened."""

    def __init__(self) -> None:
        owner = Owner("0" * 64, "o", "o")
        self.info = ObjectInfo(bucket="b", key="k", size=100, etag="e", last_modified=0, owner=owner)
        self.start, self.end, self.partial = 0, 100, False
        self.closed = False

    async def chunks(self) -> AsyncIterator[bytes]:
        yield b"a good frame"
        raise ValueError("a bad frame")

    async def aclose(self) -> None:
        self.closed = True


async def test_a_read_that_breaks_closes_the_connection_short() -> None:
    broken = Broken()

    async def handler(request: BaseRequest) -> StreamResponse:
        return await send(request, Answer(200, {}, broken), Ids.new().headers(), lambda _: b"", close=False, stall=9)

    async with listening(handler) as port:
        reader, writer = await ask(port)
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        assert b"Content-Length: 100" in head
        assert body == b"a good frame"
        assert broken.closed
        writer.close()


class Endless(Broken):
    """A read larger than any buffer on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.end = 1 << 40
        self.gone = asyncio.Event()

    async def chunks(self) -> AsyncIterator[bytes]:
        while True:
            yield bytes(1 << 20)

    async def aclose(self) -> None:
        self.gone.set()


async def test_a_client_that_takes_nothing_is_let_go() -> None:
    endless = Endless()

    async def handler(request: BaseRequest) -> StreamResponse:
        return await send(
            request, Answer(200, {}, endless), Ids.new().headers(), lambda _: b"", close=False, stall=0.05
        )

    async with listening(handler) as port:
        _, writer = await ask(port)
        await asyncio.wait_for(endless.gone.wait(), 30)
        writer.close()
