"""Asking upstreams: what goes out is what was meant, and what comes back is whole or a failure with a name."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from conf.schema import Edge
from edge.policy.reasons import Detail
from edge.upstream import http
from edge.upstream.http import HttpClient, UpstreamFailed, is_nearby_name
from tests.edge.dialogue.origin import Origin

EDGE = Edge(connect_timeout=0.5, head_timeout=0.5, stall_timeout=0.5)


@pytest.fixture
def upstream() -> Iterator[Origin]:
    origin = Origin()
    yield origin
    origin.close()


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    http_client = HttpClient(EDGE)
    yield http_client
    await http_client.close()


async def fetch(client: HttpClient, url: str) -> tuple[int, bytes]:
    async with client.request("GET", url, {"Host": "named.test"}) as answer:
        return answer.status, b"".join([block async for block in answer.blocks()])


@pytest.mark.parametrize(
    "target",
    ["/a//b", "//a", "/a%2Fb", "/a%20b+c", "/%e2%9c%93", "/a/../b", "/a/./b", "/x?a=%20&b=+&&c", "/'(a)!*;,:@$&="],
)
async def test_a_target_goes_out_as_it_is_written(client: HttpClient, upstream: Origin, target: str) -> None:
    upstream.on(target, b"here", "text/plain")
    assert await fetch(client, upstream.url + target) == (200, b"here")
    assert upstream.asked[-1].target == target
    assert upstream.asked[-1].headers["host"] == "named.test"


async def test_bodies_are_neither_decoded_nor_followed_elsewhere(client: HttpClient, upstream: Origin) -> None:
    upstream.on("/coded", b"\x1f\x8bnot really gzip", headers={"Content-Encoding": "gzip"})
    upstream.on("/moved", b"moved", status=302, headers={"Location": "/coded"})
    assert await fetch(client, upstream.url + "/coded") == (200, b"\x1f\x8bnot really gzip")
    assert await fetch(client, upstream.url + "/moved") == (302, b"moved")


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_breaks_off_is_a_failure(client: HttpClient, upstream: Origin, chunked: bool) -> None:
    upstream.on("/short", b"x" * 100_000, sent=50_000, chunked=chunked)
    with pytest.raises(UpstreamFailed) as failure:
        await fetch(client, upstream.url + "/short")
    assert failure.value.detail is Detail.UPSTREAM_TRUNCATED
    assert failure.value.status == 502


async def test_silence_and_stalls_end_in_time(client: HttpClient, upstream: Origin) -> None:
    gate = threading.Event()
    try:
        upstream.on("/silent", b"x", pause=gate)
        with pytest.raises(UpstreamFailed) as failure:
            await fetch(client, upstream.url + "/silent")
        assert (failure.value.detail, failure.value.status) == (Detail.UPSTREAM_HEAD_TIMEOUT, 504)
        upstream.on("/stalls", b"x" * 1000, body_pause=gate)
        with pytest.raises(UpstreamFailed) as failure:
            await fetch(client, upstream.url + "/stalls")
        assert (failure.value.detail, failure.value.status) == (Detail.UPSTREAM_STALLED, 504)
    finally:
        gate.set()


async def test_a_refused_connection_and_an_answer_that_is_no_http_have_names(client: HttpClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with pytest.raises(UpstreamFailed) as failure:
        await fetch(client, f"http://127.0.0.1:{port}/")
    assert failure.value.detail is Detail.UPSTREAM_UNREACHABLE

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 mail.example.com ESMTP\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(UpstreamFailed) as failure:
            await fetch(client, f"http://127.0.0.1:{port}/")
    assert failure.value.detail is Detail.UPSTREAM_MALFORMED


async def test_a_connection_is_used_again(client: HttpClient, upstream: Origin) -> None:
    upstream.on("/again", b"again")
    for _ in range(5):
        await fetch(client, upstream.url + "/again")
    assert upstream.connections == 1


class _Names(aiohttp.abc.AbstractResolver):
    """Resolves every name to one address, as a zone that somebody else holds might."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        return [
            aiohttp.abc.ResolveResult(hostname=host, host=self._address, port=port, family=family, proto=0, flags=0)
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "100.64.0.1", "::1", "fd00::1"]
)
async def test_a_public_name_never_leads_into_a_private_network(address: str) -> None:
    resolver = http.GuardedResolver(_Names(address))
    with pytest.raises(http.ForbiddenAddress):
        await resolver.resolve("cdn.example.com", 80)
    assert (await resolver.resolve("localhost", 80))[0]["host"] == address


async def test_a_public_name_may_lead_to_a_public_address() -> None:
    resolver = http.GuardedResolver(_Names("93.184.216.34"))
    assert (await resolver.resolve("cdn.example.com", 80))[0]["host"] == "93.184.216.34"


def test_names_of_ones_own_network_are_meant_as_written() -> None:
    assert all(map(is_nearby_name, ("localhost", "web", "web.internal", "nas.local", "a.home.arpa", "x.localhost.")))
    assert not any(map(is_nearby_name, ("example.com", "local.example.com", "internal.example")))
