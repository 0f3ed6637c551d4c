"""A scripted origin: answers what the script says, counts what reached it, and can be slow, lie and die.

It speaks HTTP/1.1 over plain sockets, so that it can also break it; it has a change feed like the real one.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

from wire.feed import FeedEvent, FeedPage, encode_page


@dataclass
class Scene:
    """What one target answers. `headers` come on top of what the body needs.

    `sent` bytes of the body are sent (None: all) before the connection breaks; `pause` is waited for before the
    head, `body_pause` before the last half of the body.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    sent: int | None = None
    chunked: bool = False
    pause: threading.Event | None = None
    body_pause: threading.Event | None = None
    ranges: bool = False
    """Whether parts are given, and If-Match is heeded."""
    content_range: str | None = None
    """What parts say they are, if not the truth."""


@dataclass(frozen=True)
class Asked:
    """One request as it reached the origin: the target byte for byte, header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]


class Origin:
    """The scripted origin, on a thread of its own."""

    def __init__(self) -> None:
        self.scenes: dict[str, Scene] = {}
        self.asked: list[Asked] = []
        self.bodies_sent = 0
        self.connections = 0
        self._events: list[FeedEvent] = []
        self._published = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = 0
        self._server: asyncio.Server | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen (again, on the same port)."""
        self._server = self._run(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        self.port = self._server.sockets[0].getsockname()[1]

    def die(self) -> None:
        """Refuse connections and drop the ones there are."""
        assert self._server is not None
        self._run(self._close(self._server))

    def close(self) -> None:
        self.die()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def on(self, target: str, body: bytes = b"", content_type: str = "image/jpeg", **scene: Any) -> Scene:
        """Script a target. `etag` and `identity` become headers, as do `cache_control` and `last_modified`."""
        headers = {"Content-Type": content_type, **scene.pop("headers", {})}
        names = {"etag": "ETag", "identity": "x-facet-identity", "cache_control": "Cache-Control"}
        names |= {"last_modified": "Last-Modified"}
        headers |= {name: scene.pop(key) for key, name in names.items() if key in scene}
        self.scenes[target] = Scene(body=body, headers=headers, **scene)
        return self.scenes[target]

    def publish(self, bucket: str, key: str | None, kind: str = "object.created") -> None:
        """Write an event to the feed."""
        position = len(self._events) + 1
        with self._published:
            self._events.append(FeedEvent(position=position, time=time.time(), kind=kind, bucket=bucket, key=key))
            self._published.notify_all()

    def count(self, target: str, method: str = "GET") -> int:
        """How many requests for a target have reached the origin."""
        return sum(1 for asked in self.asked if (asked.method, asked.target) == (method, target))

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _close(self, server: asyncio.Server) -> None:
        server.close()
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task():
                task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while asked := await _read_head(reader):
                if asked.target.startswith("/-/feed"):
                    await self._feed(asked, writer)
                    continue
                self.asked.append(asked)
                if not await self._answer(asked, writer):
                    break
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> bool:
        """Act a scene; False where the connection breaks."""
        scene = self.scenes.get(asked.target)
        if scene is None:
            writer.write(_head(404, {"Content-Length": "9", "Content-Type": "text/plain"}) + b"not here\n")
            return True
        if scene.pause is not None:
            await asyncio.to_thread(scene.pause.wait, 30)
        etag = scene.headers.get("ETag")
        if etag is not None and asked.headers.get("if-none-match") == etag:
            writer.write(_head(304, scene.headers))
            return True
        if scene.ranges and (part := _part(asked, scene)) is not None:
            writer.write(part)
            await writer.drain()
            return True
        length = {"Transfer-Encoding": "chunked"} if scene.chunked else {"Content-Length": str(len(scene.body))}
        parts = {"Accept-Ranges": "bytes"} if scene.ranges else {}
        writer.write(_head(scene.status, scene.headers | length | parts))
        self.bodies_sent += 1
        body = scene.body if scene.sent is None else scene.body[: scene.sent]
        for number, part in enumerate(_halves(body)):
            if number == 1 and scene.body_pause is not None:
                await writer.drain()
                await asyncio.to_thread(scene.body_pause.wait, 30)
            if part:
                writer.write(b"%x\r\n%b\r\n" % (len(part), part) if scene.chunked else part)
        await writer.drain()
        if scene.sent is not None:
            return False
        if scene.chunked:
            writer.write(b"0\r\n\r\n")
        return True

    async def _feed(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        query = dict(pair.split("=", 1) for pair in asked.target.partition("?")[2].split("&") if "=" in pair)
        if "cursor" in query:
            cursor = int(query["cursor"])
            await asyncio.to_thread(self._wait_beyond, cursor, min(float(query.get("wait", "0")), 2.0))
            page = FeedPage(events=tuple(self._events[cursor:]), cursor=str(len(self._events)))
        else:
            page = FeedPage(events=(), cursor=str(len(self._events)))
        body = encode_page(page)
        writer.write(_head(200, {"Content-Type": "application/json", "Content-Length": str(len(body))}) + body)
        await writer.drain()

    def _wait_beyond(self, cursor: int, seconds: float) -> None:
        with self._published:
            self._published.wait_for(lambda: len(self._events) > cursor, seconds)


async def _read_head(reader: asyncio.StreamReader) -> Asked | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    return Asked(method, target, headers)


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines: Iterable[str] = (f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in headers.items()))
    return "\r\n".join((*lines, "", "")).encode()


def _part(asked: Asked, scene: Scene) -> bytes | None:
    """The reply to a request for a part, or for a version that is not there."""
    wanted = asked.headers.get("if-match")
    if wanted is not None and wanted != scene.headers["ETag"]:
        return _head(412, {"Content-Length": "0"})
    if "range" not in asked.headers:
        return None
    first, _, last = asked.headers["range"].removeprefix("bytes=").partition("-")
    body = scene.body[int(first) : int(last) + 1]
    said = f"bytes {first}-{last}/{len(scene.body)}" if scene.content_range is None else scene.content_range
    headers = {"Content-Length": str(len(body)), **({"Content-Range": said} if said else {})}
    return _head(206, scene.headers | headers) + body


def _halves(body: bytes) -> tuple[bytes, bytes]:
    middle = len(body) // 2
    return body[:middle], body[middle:]
