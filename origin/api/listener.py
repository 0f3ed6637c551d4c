"""The HTTP server below the protocols: aiohttp's low-level server with limits, and S3's words for what is not HTTP.

The rule of this file: limits that hold for every request, before any protocol sees it. Bodies are never
decompressed: what was sent is what is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiohttp.web import BaseRequest, RequestHandler, RequestPayloadError, Response, Server, StreamResponse

from origin.api.s3 import errors
from origin.api.s3.call import XML_TYPE
from origin.api.s3.reply import Ids

MAX_TARGET = 16 * 1024
"""The longest request target, in bytes: a key of 1,024 bytes is 3,072 when encoded, a presigned query up to 8 KiB."""
MAX_HEADER = 16 * 1024
"""The longest header line, in bytes: 2 KiB of metadata, encoded, is the longest that is meant."""
MAX_HEADERS = 128
IDLE = 75.0
"""The default of a connection's patience, in seconds; nginx closes its own connections after 60."""
LINGER = 5.0
"""How long an unread body is drained before the connection is closed, in seconds."""

Handler = Callable[[BaseRequest], Awaitable[StreamResponse]]


class Connection(RequestHandler):
    """One client connection; a request that is not HTTP gets an S3 error and the connection ends."""

    __slots__ = ("_half_closed",)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._half_closed = False

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio asks whether to keep the other half open
        """A client that closed its sending half alone still hears the answer to what it asked."""
        self._half_closed = True
        idle = self._waiter is not None and not self._waiter.done()
        if self._current_request is not None:
            self.end_body(self._current_request)
        self.close()
        return not idle

    def end_body(self, request: BaseRequest) -> None:
        """Where no more can come, end a body that is not complete as one that was cut short."""
        if self._half_closed and not request.content.is_eof():
            request.content.set_exception(RequestPayloadError("the client closed its sending half"))
            request.content.feed_eof()  # nothing is left to be drained

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> StreamResponse:
        """The answer to bytes that the HTTP parser refused, or to a handler that failed."""
        if request.writer.output_size > 0:
            raise ConnectionError("the head of another answer is out already")
        structlog.get_logger().info("request refused", client=request.remote, reason=str(message or exc)[:200])
        ids = Ids.new()
        code, text = ("InvalidRequest", "The request is not valid HTTP.")
        if status >= 500:
            code, text = "InternalError", "We encountered an internal error. Please try again."
        body = errors.document(code, text, {}, resource="", request_id=ids.request, host_id=ids.host)
        response = Response(status=errors.STATUS[code], headers={**XML_TYPE, **ids.headers()}, body=body)
        response.force_close()
        return response


class Listener(Server):
    """Makes a `Connection` of every client. To be given to `loop.create_server`.

    `idle` is how long a connection may be silent, or take for a request's head, in seconds.
    """

    def __init__(self, handler: Handler, *, idle: float = IDLE) -> None:
        async def answered(request: BaseRequest) -> StreamResponse:
            connection = request.protocol
            assert isinstance(connection, Connection), "this listener makes no others"
            connection.end_body(request)
            return await handler(request)

        super().__init__(answered)
        self._idle = idle

    def __call__(self) -> RequestHandler:
        return Connection(
            self,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=self._idle,
            access_log=None,
            max_line_size=MAX_TARGET,
            max_field_size=MAX_HEADER,
            max_headers=MAX_HEADERS,
            lingering_time=LINGER,
            auto_decompress=False,
        )
