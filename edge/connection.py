"""One connection: aiohttp's, with a deadline and a bound for every head, and our words in its errors.

The rule of this file: limits are ours because aiohttp's own are meant for friendlier places (it would wait an hour for
a head). What it uses of aiohttp's private surface: RequestHandler._waiter, ._messages, ._loop
and ._process_keepalive, and BaseRequest._cache.
"""

from __future__ import annotations

import asyncio
import re
from typing import Protocol, runtime_checkable

import structlog
from aiohttp import HttpVersion11, web
from aiohttp.http_exceptions import BadStatusLine, LineTooLong
from multidict import CIMultiDict

from conf.logs import safe_target
from conf.schema import Edge
from edge import reply
from edge.message import Held, Reply

SERVER = "facet"  # the field's value, where an upstream's own does not pass
KEEPALIVE = 75.0  # seconds a connection may be idle; longer than the 60 s of an nginx in front
_HEADERS = 100  # the most header lines
_HIGH = re.compile(rb"[\x80-\xff]")
_REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [!-~]+ HTTP/([0-9.]+)")

log = structlog.get_logger()


@runtime_checkable
class Doorkeeper(Protocol):
    """Who bounds connections (edge.server.Server)."""

    def welcome(self, peer: str) -> bool: ...
    def farewell(self, peer: str) -> None: ...


class Connection(web.RequestHandler):
    """A client's connection."""

    __slots__ = ("_busy", "_head_deadline", "_head_limit", "_head_size", "_head_timer", "_line", "_peer", "_welcome")

    def __init__(self, manager: web.Server, edge: Edge, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            manager,
            loop=loop,
            keepalive_timeout=KEEPALIVE,
            access_log=None,  # type: ignore[arg-type]  # which is how aiohttp itself turns it off
            max_line_size=edge.max_headers,
            max_field_size=edge.max_headers,
            max_headers=_HEADERS,
            lingering_time=1.0,
            auto_decompress=False,
        )
        self._head_deadline = edge.head_deadline
        self._head_limit = edge.max_headers
        self._welcome = manager if isinstance(manager, Doorkeeper) else None
        self._peer = ""
        self._busy = False
        self._head_size = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._line = b""
        """The request line of the head that came last, where it came in one piece and was not pipelined."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The first head is awaited from now on, unless the client has too many connections."""
        super().connection_made(transport)
        self._peer = self.peername[0] if isinstance(self.peername, tuple) else ""
        if self._welcome is not None and not self._welcome.welcome(self._peer):
            self.force_close()
            return
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Pass on to the parser; while a head is incomplete, its size and time are bounded."""
        if self._waiter is not None and not self._waiter.done():  # aiohttp waits for the next request
            self._busy = False
        idle = not self._busy  # what comes meanwhile is a body, or pipelined
        if idle:
            if not self._head_size:
                data = _escaped_target(data)
                self._line = data.partition(b"\r\n")[0]
            self._head_size += len(data)
        super().data_received(data)
        if self._messages:
            self._busy = True
            self._head_arrived()
        elif idle and self._head_size > self._head_limit:
            self._turn_away(b"431 Request Header Fields Too Large")
        elif idle:
            self._await_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Nothing is awaited any more."""
        if self._welcome is not None:
            self._welcome.farewell(self._peer)
        self._head_arrived()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - aiohttp's signature
    ) -> web.StreamResponse:
        """What aiohttp answers by itself: to requests it cannot parse, and to our own mistakes."""
        if status == 500:
            log.error("a request failed unexpectedly", target=safe_target(request.raw_path), exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionResetError("the reply had begun")
        if status >= 500:
            return response_of(reply.problem(None, status, "the edge made a mistake", close=True), request.method)
        speak_http11(request)
        status = _refusal(self._line, exc)
        allow = (("Allow", reply.METHODS),) if status == 501 else ()
        detail = "the request is not HTTP as we speak it"
        return response_of(reply.problem(None, status, detail, headers=allow, close=True), request.method)

    def _process_keepalive(self) -> None:
        """What aiohttp does with an idle connection, but one whose last reply is still unread ends at once.

        To close it would be to wait, for ever, until the client has read.
        """
        transport = self.transport
        super()._process_keepalive()
        if transport is not None and self.transport is None and transport.get_write_buffer_size():
            transport.abort()

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self._loop.call_later(self._head_deadline, self._turn_away, b"408 Request Timeout")

    def _head_arrived(self) -> None:
        self._head_size = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _turn_away(self, status: bytes) -> None:
        """End a connection whose head did not come in time or bounds; one that never spoke is just closed."""
        if self.transport is not None and self._head_size:
            self.transport.write(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        self._head_arrived()
        self.force_close()


def response_of(given: Reply, method: str) -> web.StreamResponse:
    """aiohttp's form of a reply. A body that is in memory goes out together with its head."""
    headers = CIMultiDict(given.headers)
    headers.setdefault("Server", SERVER)
    if given.close:
        headers["Connection"] = "close"
    response: web.StreamResponse
    if isinstance(given.body, Held) and method != "HEAD":
        response = web.Response(status=given.status, headers=headers, body=given.body.data[given.start : given.stop])
    elif given.body is None or method == "HEAD":
        response = web.Response(status=given.status, headers=headers)
    else:
        response = web.StreamResponse(status=given.status, headers=headers)
    if given.close:
        response.force_close()
    return response


def speak_http11(request: web.BaseRequest) -> None:
    """Answer with our own version: aiohttp would repeat the request's, or HTTP/1.0 where it read none."""
    request._cache["version"] = HttpVersion11  # where aiohttp keeps what it has once read


def _refusal(line: bytes, exc: BaseException | None) -> int:
    """The status for a request that aiohttp cannot parse, whose request line is `line`."""
    if isinstance(exc, LineTooLong):
        return 431
    said = _REQUEST_LINE.fullmatch(line)
    if said is None:
        return 400
    if said[1] not in (b"1.0", b"1.1"):
        return 505
    return 501 if isinstance(exc, BadStatusLine) else 400  # a line in order, but of a method that nobody registered


def _escaped_target(data: bytes) -> bytes:
    """A head whose request line holds raw UTF-8, as some clients send it, with the escapes that it stands for."""
    if data.isascii():
        return data
    line, end, rest = data.partition(b"\r\n")
    return data if line.isascii() else _HIGH.sub(lambda octet: b"%%%02X" % octet[0][0], line) + end + rest
