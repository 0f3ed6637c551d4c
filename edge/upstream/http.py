"""Asking an HTTP upstream: one request, its head within a time, its body whole or not at all.

The rule of this file: what comes back is what the upstream sent, undecoded; every way in which an upstream can fail
(refuses, resets, stalls, lies about its length) is an UpstreamFailed with a word for it, and never an end of body.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
import structlog
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDictProxy
from yarl import URL

from conf.schema import Edge
from edge.policy.reasons import DETAILS, Detail
from edge.upstream.interim import HearingConnector

log = structlog.get_logger()

BLOCK = 256 * 1024  # the most bytes of a body that are handed on at once

# Names that can only mean a machine nearby: RFC 6761 §6.3, RFC 6762 §3, RFC 8375, ICANN's "internal". Written in
# the settings they are meant, like a literal address; any other name must not lead into a private network.
_NEARBY = (".localhost", ".local", ".internal", ".home.arpa")


class UpstreamFailed(Exception):
    """No whole answer came back; `detail` is the word for it."""

    def __init__(self, detail: Detail, message: str) -> None:
        super().__init__(message)
        self.detail = detail

    @property
    def status(self) -> int:
        """What a client is told: 502, 503 or 504."""
        return DETAILS[self.detail].status or 502


class UpstreamAnswer:
    """The head of an upstream's answer; the body is read once, block by block."""

    completes = False
    """Whether it holds the rest of what is stored in part."""

    def __init__(self, response: aiohttp.ClientResponse, stall_timeout: float, total_timeout: float) -> None:
        self._response = response
        self._stall_timeout = stall_timeout
        self._until = asyncio.get_running_loop().time() + total_timeout
        self._peeked = b""
        self.status: int = response.status
        self.headers: CIMultiDictProxy[str] = response.headers

    @property
    def length(self) -> int | None:
        """The length of the body in bytes, where the head says so."""
        value = self.headers.get("Content-Length", "")
        chunked = "Transfer-Encoding" in self.headers
        return int(value) if value.isascii() and value.isdigit() and not chunked else None

    async def peek(self, size: int) -> bytes:
        """The first bytes of the body, up to `size` or its end; `blocks` gives them again. Raises UpstreamFailed."""
        while len(self._peeked) < size and (more := await self._read(size - len(self._peeked))):
            self._peeked += more
        return self._peeked

    async def blocks(self) -> AsyncIterator[bytes]:
        """The body in blocks of at most BLOCK bytes. Raises UpstreamFailed if it does not come whole."""
        if self._peeked:
            yield self._peeked
        while block := await self._read(BLOCK):
            yield block

    async def _read(self, size: int) -> bytes:
        """At most `size` bytes as they come; none at the end. Raises UpstreamFailed."""
        left = self._until - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(min(self._stall_timeout, left)):
                return await self._response.content.read(size)
        except TimeoutError:
            if left < self._stall_timeout:
                raise failure(Detail.UPSTREAM_TOO_SLOW, TimeoutError("edge.total_timeout")) from None
            raise UpstreamFailed(
                Detail.UPSTREAM_STALLED, f"the upstream's body stood still for {self._stall_timeout:g} s"
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise failure(Detail.UPSTREAM_TRUNCATED, error) from error


class HttpClient:
    """Connections to every upstream of the node, bounded for each host."""

    def __init__(self, edge: Edge, *, connections: int = 64) -> None:
        self._edge = edge
        self._session = aiohttp.ClientSession(
            connector=HearingConnector(
                limit=0, limit_per_host=connections, resolver=GuardedResolver(), ttl_dns_cache=30
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=edge.connect_timeout),
            read_bufsize=BLOCK,
        )
        self._session._retry_connection = False  # aiohttp would ask again by itself: retries have a budget here

    @asynccontextmanager
    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> AsyncIterator[UpstreamAnswer]:
        """Ask once, following no redirect; leaving the context early drops the connection.

        `url` goes out as it is written: neither `//` nor `%2F` nor a dot segment is touched. Raises UpstreamFailed.
        """
        try:
            async with asyncio.timeout(self._edge.connect_timeout + self._edge.head_timeout):
                response = await self._session.request(
                    method, URL(url, encoded=True), headers=headers, data=body or None, allow_redirects=False
                )
        except TimeoutError:
            raise UpstreamFailed(Detail.UPSTREAM_HEAD_TIMEOUT, "the upstream did not answer in time") from None
        except aiohttp.ClientConnectorDNSError as error:
            forbidden = isinstance(error.os_error, ForbiddenAddress)
            raise failure(
                Detail.UPSTREAM_FORBIDDEN_ADDRESS if forbidden else Detail.UPSTREAM_UNREACHABLE, error
            ) from None
        except (aiohttp.ClientConnectionError, OSError) as error:
            raise failure(Detail.UPSTREAM_UNREACHABLE, error) from None
        except (aiohttp.ClientError, ValueError) as error:
            raise failure(Detail.UPSTREAM_MALFORMED, error) from None
        try:
            yield UpstreamAnswer(response, self._edge.stall_timeout, self._edge.total_timeout)
        finally:
            if not response.content.at_eof():
                response.close()
            response.release()

    def take_over(self, edge: Edge) -> None:
        """Go on with new timeouts."""
        self._edge = edge

    async def close(self) -> None:
        """Drop every connection."""
        await self._session.close()


def failure(detail: Detail, error: Exception) -> UpstreamFailed:
    """The failure as a client may read it. What the error names (hosts, addresses) goes to the log alone."""
    log.warning("upstream.failed", reason=detail, error=str(error))
    return UpstreamFailed(detail, DETAILS[detail].meaning)


class ForbiddenAddress(OSError):
    """A public name leads into a private network."""


class GuardedResolver(AbstractResolver):
    """Refuses names that lead to addresses which are not public.

    Names of upstreams come from the settings, but what they resolve to comes from whoever holds the zone. Literal
    addresses never reach a resolver, so 127.0.0.1:3000 is allowed as written.
    """

    def __init__(self, resolver: AbstractResolver | None = None) -> None:
        self._resolver = resolver or aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        if is_nearby_name(host):
            return found
        public = [entry for entry in found if ipaddress.ip_address(entry["host"].partition("%")[0]).is_global]
        if not public:
            raise ForbiddenAddress(
                f"{host} resolves to a private address; write the address itself in the settings to allow it"
            )
        return public

    async def close(self) -> None:
        await self._resolver.close()


def is_nearby_name(host: str) -> bool:
    """Whether a host name can only mean a machine of one's own network."""
    name = host.lower().rstrip(".")
    return "." not in name or name.endswith(_NEARBY)
