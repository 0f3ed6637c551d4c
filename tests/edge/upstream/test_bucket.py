"""Reading the origin: every request is signed, over exactly what goes out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from conf.schema import Edge
from edge.policy.reasons import Detail
from edge.upstream.bucket import BucketSource, KeyFile
from edge.upstream.http import HttpClient, UpstreamFailed
from tests.edge.dialogue.origin import Asked, Origin
from wire.sigv4 import read_claim, verify

NOW = 1_795_000_000.0
SECRET = "a-secret-for-tests"


@pytest.fixture
def origin() -> Iterator[Origin]:
    scripted = Origin()
    yield scripted
    scripted.close()


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    http_client = HttpClient(Edge())
    yield http_client
    await http_client.close()


@pytest.fixture
def key_file(tmp_path: Path) -> KeyFile:
    path = tmp_path / "edge-key.json"
    path.write_text(f'{{"access_key": "EDGE", "secret_key": "{SECRET}", "owner": "edge"}}')
    return KeyFile(path)


def check(asked: Asked) -> None:
    """Verify the signature as the origin does."""
    path, _, query = asked.target.partition("?")
    claim = read_claim(asked.method, path, query, list(asked.headers.items()))
    assert claim is not None
    assert claim.access_key == "EDGE"
    verify(claim, SECRET, now=NOW)


@pytest.mark.parametrize("target", ["/b/a.jpg", "/b/a//b", "/b/a%2Fb%20c", "/b/caf%C3%A9", "/b/a+b'(c)!"])
async def test_every_request_is_signed_over_what_goes_out(
    client: HttpClient, origin: Origin, key_file: KeyFile, target: str
) -> None:
    source = BucketSource(client, origin.url, key_file, clock=lambda: NOW)
    origin.on(target, b"here", etag='"1"')
    async with source.request("GET", target, {"If-None-Match": '"1"'}) as answer:
        assert answer.status == 304
    assert origin.asked[-1].target == target
    assert "x-facet-access" not in origin.asked[-1].headers
    check(origin.asked[-1])


async def test_own_rights_are_asked_for_and_signed(client: HttpClient, origin: Origin, key_file: KeyFile) -> None:
    source = BucketSource(client, origin.url, key_file, own_rights=True, clock=lambda: NOW)
    origin.on("/b/a", b"here")
    async with source.request("GET", "/b/a", {}):
        pass
    assert origin.asked[-1].headers["x-facet-access"] == "key"
    assert "x-facet-access" in origin.asked[-1].headers["authorization"]
    check(origin.asked[-1])


async def test_a_key_that_is_not_there_yet_is_looked_for_again(
    client: HttpClient, origin: Origin, tmp_path: Path
) -> None:
    path = tmp_path / "later.json"
    source = BucketSource(client, origin.url, KeyFile(path), clock=lambda: NOW)
    origin.on("/b/a", b"here")
    with pytest.raises(UpstreamFailed) as failure:
        async with source.request("GET", "/b/a", {}):
            pass
    assert failure.value.detail is Detail.UPSTREAM_UNREACHABLE
    path.write_text(f'{{"access_key": "EDGE", "secret_key": "{SECRET}"}}')
    async with source.request("GET", "/b/a", {}) as answer:
        assert answer.status == 200


async def test_a_refused_key_is_read_again(client: HttpClient, origin: Origin, tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text('{"access_key": "OLD", "secret_key": "old-secret"}')
    source = BucketSource(client, origin.url, KeyFile(path), clock=lambda: NOW)
    origin.on("/b/a", b"no", status=403)
    async with source.request("GET", "/b/a", {}):
        pass
    path.write_text(f'{{"access_key": "EDGE", "secret_key": "{SECRET}"}}')
    async with source.request("GET", "/b/a", {}):
        pass
    check(origin.asked[-1])
