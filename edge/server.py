"""A server process: settings in, a listener out; HTTP on the one side, journeys on the other.

The rule of this file: it translates and bounds (heads, deadlines, slow readers), and decides nothing about answers.
The limits are ours because aiohttp's own are meant for friendlier places: it would wait an hour for a head.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from urllib.parse import urlsplit

import structlog
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from multidict import CIMultiDict

from conf.logs import AccessLog, safe_target
from conf.ready import announce
from conf.schema import Edge, Settings
from conf.sockets import bind, bound_address
from edge import reply
from edge.journey import Journey
from edge.keeper.client import KeeperClient
from edge.keeper.stopping import cancelled, stop_signal
from edge.message import BodyBroken, Held, Reply, Request
from edge.policy.sites import Sites
from edge.tiers import Tiers
from wire.fields import combine

DRAIN = 10.0  # seconds that running requests get after SIGTERM
KEEPALIVE = 75.0  # seconds a connection may be idle; longer than the 60 s of an nginx in front
SLOW_READER = 60.0  # seconds a client may take for one block
REPORT = 1.0  # seconds between reports to the keeper
FIRST_CONNECT = 10.0  # seconds to wait for the keeper before accepting requests without it
_HEADERS = 100  # the most header lines
_HIGH = re.compile(rb"[\x80-\xff]")

log = structlog.get_logger()


class Malformed(Exception):
    """A request that is HTTP but cannot be answered; `status` says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Connection(web.RequestHandler):
    """aiohttp's connection with a deadline and a bound for heads, and our words in its errors."""

    __slots__ = ("_head_deadline", "_head_limit", "_head_size", "_head_timer")

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
        self._head_size = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The first head is awaited from now on."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Pass on to the parser; while a head is incomplete, its size and time are bounded."""
        if self._current_request is None and not self._messages:
            self._await_head()
            if not self._head_size:
                data = _escaped_target(data)
            self._head_size += len(data)
        super().data_received(data)
        if self._messages or self._current_request is not None:
            self._head_arrived()
        elif self._head_size > self._head_limit:
            self._turn_away(b"431 Request Header Fields Too Large")

    def connection_lost(self, exc: BaseException | None) -> None:
        """Nothing is awaited any more."""
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
        if isinstance(exc, LineTooLong):
            status = 431
        detail = "the request is not HTTP as we speak it" if status < 500 else "the edge made a mistake"
        return _response(reply.problem(None, status, detail, close=True), request.method)

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


class Server(web.Server):
    """One server process's connections."""

    def __init__(
        self, settings: Settings, journey: Journey, access: AccessLog, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(self._handle, handler_cancellation=True)
        self._edge = settings.edge
        self._journey = journey
        self._access = access
        self._clock = clock
        self._trusted = tuple(ipaddress.ip_network(network) for network in settings.edge.trusted_proxies)

    def __call__(self) -> Connection:
        """A protocol for a new connection."""
        return Connection(self, self._edge, self._loop)

    async def _handle(self, raw: web.BaseRequest) -> web.StreamResponse:
        started = self._clock()
        try:
            given = await self._journey.travel(_request(raw, self._edge.max_url))
        except Malformed as error:
            given = reply.problem(None, error.status, str(error), close=True)
        response = _response(given, raw.method)
        if raw.body_exists or "Upgrade" in raw.headers:  # nothing of it is read: what follows is not a request
            response.force_close()
        try:
            sent = await _send(raw, response, given)
        finally:
            if given.body is not None:
                given.body.close()
        self._log(raw, given, sent, self._clock() - started)
        return response

    def _log(self, raw: web.BaseRequest, given: Reply, sent: int, seconds: float) -> None:
        self._access.write(
            client=self._client(raw),
            method=raw.method,
            host=raw.headers.get("Host", ""),
            target=safe_target(raw.raw_path),
            status=given.status,
            bytes=sent,
            ms=round(seconds * 1000, 2),
            site=given.site,
            cache=given.outcome.header() if given.outcome is not None else None,
            agent=raw.headers.get("User-Agent", ""),
        )

    def _client(self, raw: web.BaseRequest) -> str:
        """The client's address; X-Forwarded-For counts where a trusted proxy says it, from the right."""
        address = raw.remote or ""
        for hop in reversed(raw.headers.get("X-Forwarded-For", "").split(",")):
            try:
                if not any(ipaddress.ip_address(address) in network for network in self._trusted):
                    break
                address = str(ipaddress.ip_address(hop.strip()))
            except ValueError:
                break
        return address


def _escaped_target(data: bytes) -> bytes:
    """A head whose request line holds raw UTF-8, as some clients send it, with the escapes that it stands for."""
    line, end, rest = data.partition(b"\r\n")
    return data if line.isascii() else _HIGH.sub(lambda octet: b"%%%02X" % octet[0][0], line) + end + rest


def _request(raw: web.BaseRequest, max_url: int) -> Request:
    """The request with its target as sent (RFC 9112 §3.2). Raises Malformed."""
    target = raw.raw_path
    hosts = raw.headers.getall("Host", [])
    if len(target) > max_url:
        raise Malformed(414, f"the request target is longer than {max_url} bytes")
    if len(hosts) > 1 or (not hosts and raw.version >= (1, 1)):
        raise Malformed(400, "a request has exactly one Host field")
    host = hosts[0] if hosts else ""
    if not target.startswith("/"):
        parts = urlsplit(target)
        if parts.scheme.lower() not in ("http", "https") and (raw.method, target) != ("OPTIONS", "*"):
            raise Malformed(400, "the request target is neither a path nor a URL")
        host = parts.netloc.rpartition("@")[2] or host
        target = f"{parts.path or '/'}?{parts.query}" if parts.scheme else "/"
    path, _, query = target.partition("#")[0].partition("?")
    return Request(raw.method, host, path, query, combine(raw.headers.items()))


def _response(given: Reply, method: str) -> web.StreamResponse:
    """aiohttp's form of a reply. A body that is in memory goes out together with its head."""
    closing = (("Connection", "close"),) if given.close else ()
    headers = CIMultiDict((*given.headers, ("Server", "facet"), *closing))
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


async def _send(raw: web.BaseRequest, response: web.StreamResponse, given: Reply) -> int:
    """Send what has to be streamed; the bytes of body that were or will be sent.

    A body that does not come whole, and a client that does not read, end the connection.
    """
    if isinstance(response, web.Response) or given.body is None:
        return len(response.body) if isinstance(response, web.Response) and isinstance(response.body, bytes) else 0
    sent = 0
    try:
        await response.prepare(raw)
        async for block in given.body.blocks(given.start, given.stop):
            async with asyncio.timeout(SLOW_READER):
                await response.write(block)
            sent += len(block)
    except (BodyBroken, TimeoutError, ConnectionError) as error:
        log.info("a reply was broken off", target=safe_target(raw.raw_path), sent=sent, reason=str(error))
        response.force_close()
        if raw.transport is not None:
            raw.transport.abort()
    return sent


async def serve(settings: Settings, index: int) -> None:
    """Run server process number `index` until SIGTERM or SIGINT. Raises StartError."""
    stopping = stop_signal()
    async with AsyncExitStack() as stack:
        sock = bind(settings.edge.listen, "edge.listen", shared=True)
        stack.callback(sock.close)
        tiers = Tiers(settings, time.time)
        stack.callback(tiers.close)
        keeper = KeeperClient(settings.edge_data / "keeper.sock", on_connect=tiers.refresh)
        sites = Sites(settings)
        journey = Journey(settings, sites=sites, tiers=tiers, keeper=keeper)
        server = Server(settings, journey, AccessLog(settings.log, f"edge-{index}"))

        await stack.enter_async_context(cancelled(keeper.run(), _report(tiers, keeper)))
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_CONNECT):
                await keeper.connected()
        listener = await asyncio.get_running_loop().create_server(server, sock=sock, backlog=1024)
        announce("edge", url=f"http://{bound_address(sock)}")
        log.info("the edge is ready", listen=bound_address(sock))
        await stopping.wait()
        log.info("the edge drains")
        listener.close()
        server.pre_shutdown()
        await server.shutdown(DRAIN)


async def _report(tiers: Tiers, keeper: KeeperClient) -> None:
    """Tell the keeper, now and then, what was answered without it."""
    while True:
        await asyncio.sleep(REPORT)
        report = tiers.report()
        if report is not None:
            keeper.report(report)
