"""A server process: settings in, a listener out; HTTP on the one side, journeys on the other.

The rule of this file: it translates between aiohttp and messages, and decides nothing about answers.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from http import HTTPStatus
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from conf.logs import safe_target
from conf.ready import announce
from conf.reload import reloads
from conf.schema import Settings
from conf.sockets import bind, bound_address
from edge import reply
from edge.access import Access
from edge.connection import Connection, response_of, speak_http11
from edge.crowd import Crowd
from edge.journey import RETRY_AFTER, Journey
from edge.keeper.client import KeeperClient
from edge.keeper.stopping import cancelled, stop_signal
from edge.lane import Lane, LaneConnection
from edge.message import BodyBroken, Hear, Reply, Request, TooLong
from edge.policy.hygiene import NO_INTERIM
from edge.policy.reasons import Detail
from edge.policy.sites import Sites
from edge.tiers import Tiers
from wire.fields import combine

DRAIN = 10.0  # seconds that running requests get after SIGTERM
SLOW_CLIENT = 60.0  # seconds a client may take to read one block, or to send a body
REPORT = 1.0  # seconds between reports to the keeper
FIRST_CONNECT = 10.0  # seconds to wait for the keeper before accepting requests without it

_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|(?:[\w.~!$&'()*+;=-]|%[0-9A-Fa-f]{2})*)(?::[0-9]*)?", re.ASCII)
"""uri-host [":" port] (RFC 9110 §7.2), but for the comma: two values in one are not a name."""

log = structlog.get_logger()


class Malformed(Exception):
    """A request that is HTTP but cannot be answered; `status` says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Server(web.Server):
    """One server process's connections."""

    def __init__(
        self,
        settings: Settings,
        journey: Journey,
        access: Access,
        lane: Lane | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(self._handle, handler_cancellation=True)
        self._edge = settings.edge
        self._running = Crowd(settings.guard.requests)
        self._connected = Crowd(settings.guard.connections)
        self._journey = journey
        self._access = access
        self._lane = lane
        self._clock = clock

    def __call__(self) -> Connection:
        """A protocol for a new connection."""
        if self._lane is None:
            return Connection(self, self._edge, self._loop)
        return LaneConnection(self, self._edge, self._loop, self._lane)

    def take_over(self, settings: Settings) -> None:
        """Go on with new settings; nothing of what is under way is disturbed. Raises StartError."""
        sites = Sites(settings)
        self._journey.take_over(settings, sites)
        self._edge = settings.edge
        self._running.most = settings.guard.requests
        self._connected.most = settings.guard.connections
        if self._lane is not None:
            hints = any(site.hints for site in sites)
            self._lane.take_over(purge_header=settings.edge.purge_header, hints=hints)

    def welcome(self, peer: str) -> bool:
        """Whether another connection of an address may be; `farewell` follows in any case."""
        client = self._access.counted(peer, "")
        return self._connected.enter(client) or not client

    def farewell(self, peer: str) -> None:
        """A connection of an address has ended."""
        self._connected.leave(self._access.counted(peer, ""))

    async def _handle(self, raw: web.BaseRequest) -> web.StreamResponse:
        client = self._access.counted(raw.remote or "", raw.headers.get("X-Forwarded-For", ""))
        with self._running.one_more(client) as fits:
            return await self._answered(raw, client, fits or not client)

    async def _answered(self, raw: web.BaseRequest, client: str, fits: bool) -> web.StreamResponse:
        started = self._clock()
        try:
            request = _request(raw, self._edge.max_url, client)
            if fits:
                given = await self._journey.travel(request)
                self._teach(raw, request, given)
            else:
                given = reply.refusal(None, Detail.TOO_MANY_REQUESTS, retry_after=RETRY_AFTER)
        except Malformed as error:
            speak_http11(raw)
            given = reply.problem(None, error.status, str(error), close=True)
        response = response_of(given, raw.method)
        if not raw.content.at_eof() or "Upgrade" in raw.headers:  # not read: what follows is not a request
            response.force_close()
        try:
            sent = await _send(raw, response, given)
        finally:
            if given.body is not None:
                given.body.close()
        self._log(raw, given, sent, self._clock() - started)
        return response

    def _teach(self, raw: web.BaseRequest, request: Request, given: Reply) -> None:
        """A hit that came this way may go by the lane next time."""
        connection = raw.protocol
        if self._lane is None or given.outcome is None or not given.outcome.hit:
            return
        if isinstance(connection, LaneConnection) and connection.asked is not None:
            self._lane.learn(connection.asked, request)

    def _log(self, raw: web.BaseRequest, given: Reply, sent: int, seconds: float) -> None:
        if self._access.on:
            self._access.write(
                peer=raw.remote or "",
                forwarded=raw.headers.get("X-Forwarded-For", ""),
                method=raw.method,
                host=raw.headers.get("Host", ""),
                target=raw.raw_path,
                status=given.status,
                sent=sent,
                seconds=seconds,
                site=given.site,
                cache=given.outcome.header() if given.outcome is not None else None,
                agent=raw.headers.get("User-Agent", ""),
            )


class _Content:
    """The body of a request, which only a transparent site reads."""

    def __init__(self, raw: web.BaseRequest) -> None:
        self._raw = raw

    async def read(self, limit: int) -> bytes:
        """See RequestBody."""
        body = b""
        try:
            async with asyncio.timeout(SLOW_CLIENT):
                while block := await self._raw.content.readany():
                    body += block
                    if len(body) > limit:
                        raise TooLong
        except (web.RequestPayloadError, ConnectionError, RuntimeError, TimeoutError) as error:
            raise BodyBroken(f"the request's body did not come whole: {error}") from error
        return body


def _request(raw: web.BaseRequest, max_url: int, client: str) -> Request:
    """The request with its target as sent (RFC 9112 §3.2). Raises Malformed."""
    target = raw.raw_path
    hosts = raw.headers.getall("Host", [])
    if raw.version[0] != 1:
        raise Malformed(505, "the edge speaks HTTP/1.1")
    if len(target) > max_url:
        raise Malformed(414, f"the request target is longer than {max_url} bytes")
    if len(hosts) > 1 or (not hosts and raw.version >= (1, 1)):
        raise Malformed(400, "a request has exactly one Host field")
    host = hosts[0] if hosts else ""
    if not _HOST.fullmatch(host):
        raise Malformed(400, "the Host field is not a host with or without a port")
    if not target.startswith("/"):
        try:
            parts = urlsplit(target)
        except ValueError as error:
            raise Malformed(400, f"the request target is no URL: {error}") from error
        if parts.scheme.lower() not in ("http", "https") and (raw.method, target) != ("OPTIONS", "*"):
            raise Malformed(400, "the request target is neither a path nor a URL")
        host = parts.netloc.rpartition("@")[2] or host
        if not _HOST.fullmatch(host):
            raise Malformed(400, "the request target's host is not one")
        target = f"{parts.path or '/'}?{parts.query}" if parts.scheme else "/"
    path, _, query = target.partition("#")[0].partition("?")
    return Request(raw.method, host, path, query, combine(raw.headers.items()), _Content(raw), client, _interim(raw))


def _interim(raw: web.BaseRequest) -> Hear | None:
    """How to send interim answers; HTTP/1.0 has none (RFC 9110 §15.2), and a proxy in front may want none."""
    if raw.version < (1, 1) or NO_INTERIM in raw.headers:
        return None

    def send(status: int, lines: tuple[tuple[str, str], ...]) -> None:
        if raw.transport is not None and not raw.transport.is_closing():
            head = f"HTTP/1.1 {status} {_PHRASES.get(status, 'Interim')}\r\n"
            fields = "".join(f"{name}: {value}\r\n" for name, value in lines)
            raw.transport.write(f"{head}{fields}\r\n".encode("utf-8", "surrogateescape"))

    return send


_PHRASES = {status.value: status.phrase for status in HTTPStatus}


async def _send(raw: web.BaseRequest, response: web.StreamResponse, given: Reply) -> int:
    """Send a reply; how many bytes of body went out.

    A body that does not come whole, and a client that does not read, end the connection.
    """
    sent = 0
    try:
        if isinstance(response, web.Response):  # everything at once, and a timeout costs as much as a header
            async with asyncio.timeout(SLOW_CLIENT):
                await response.prepare(raw)
                await response.write_eof()
            return len(response.body) if isinstance(response.body, bytes) else 0
        async with asyncio.timeout(SLOW_CLIENT):
            await response.prepare(raw)
        if given.body is not None:
            async for block in given.body.blocks(given.start, given.stop):
                async with asyncio.timeout(SLOW_CLIENT):
                    await response.write(block)
                sent += len(block)
        async with asyncio.timeout(SLOW_CLIENT):
            await response.write_eof()
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
        access = Access(settings, f"edge-{index}", later=asyncio.get_running_loop().call_soon)
        stack.callback(access.flush)
        lane = Lane(
            journey,
            tiers,
            access,
            purge_header=settings.edge.purge_header,
            hints=any(site.hints for site in settings.sites),
        )
        server = Server(settings, journey, access, lane)

        await stack.enter_async_context(cancelled(keeper.run(), _report(tiers, keeper), reloads(server.take_over)))
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
