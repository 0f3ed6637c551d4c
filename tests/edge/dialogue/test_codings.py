"""Texts of assets sites in content codings: each is a representation of its own, and decoded it is the source."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import brotli
import pytest
import zstandard

from tests.edge.dialogue import client
from tests.edge.dialogue.origin import Origin
from tests.edge.dialogue.stage import Stage, stage

HOST = "assets.test"
SCRIPT = b"".join(b"export const name%d = () => document.title;\n" % number for number in range(2000))
DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompress(data),
    "gzip": gzip.decompress,
    "": lambda data: data,
}
EACH = pytest.mark.parametrize("coding", ["br", "zstd", "gzip"])


@pytest.fixture(scope="module")
def web() -> Iterator[Origin]:
    server = Origin()
    yield server
    server.close()


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory, web: Origin) -> Iterator[Stage]:
    site = {"name": "assets", "host": HOST, "kind": "assets", "upstream": web.url}
    others = [site | {"name": kind, "host": f"{kind}.test", "kind": kind} for kind in ("media", "pass-through")]
    with stage(tmp_path_factory.mktemp("edge"), {"sites": [site, *others]}, servers=2) as playing:
        yield playing


def integrity(body: bytes) -> bytes:
    return base64.b64encode(hashlib.sha384(body).digest())


@EACH
def test_a_text_comes_in_the_coding_that_is_wanted(edge: Stage, web: Origin, coding: str) -> None:
    path = f"/packs/app-{coding}.js"
    web.on(path, SCRIPT, "text/javascript", etag='"v1"', cache_control="public, max-age=600")
    for _ in range(6):  # a fill, disk, memory and the lane
        answer = edge.get(path, host=HOST, accept_encoding=coding)
        assert (answer["Content-Encoding"], answer["Vary"]) == (coding, "Accept-Encoding")
        assert integrity(DECODERS[coding](answer.body)) == integrity(SCRIPT)
        assert len(answer.body) < len(SCRIPT) / 4
        assert (answer["Content-Type"], answer["Access-Control-Allow-Origin"]) == ("text/javascript", "*")
        assert answer["ETag"].startswith('"')
        assert not answer.has("Content-Security-Policy")
    assert answer.hit
    assert web.count(path) == 1
    assert web.asked[-1].headers["accept-encoding"] == "identity"


def test_each_coding_is_a_representation_of_its_own(edge: Stage, web: Origin) -> None:
    web.on("/all.css", SCRIPT, "text/css", etag='"all"')
    for _ in range(5):
        tags = {}
        for coding in DECODERS:
            answer = edge.get("/all.css", host=HOST, accept_encoding=coding)
            assert answer.all("Content-Encoding") == ([coding] if coding else [])
            assert answer["Vary"] == "Accept-Encoding"
            assert DECODERS[coding](answer.body) == SCRIPT
            tags[coding] = answer["ETag"]
            again = edge.get("/all.css", host=HOST, accept_encoding=coding, if_none_match=answer["ETag"])
            assert (again.status, again["Vary"]) == (304, "Accept-Encoding")
            assert edge.get("/all.css", host=HOST, accept_encoding="br", if_none_match='"x"').status == 200
        assert len(set(tags.values())) == 4
    assert edge.get("/all.css", host=HOST, accept_encoding="br", if_none_match=tags["gzip"]).status == 200
    assert not edge.get("/all.css", host=HOST, accept_encoding="gzip;q=0, identity").has("Content-Encoding")
    assert web.count("/all.css") == 1


def test_a_range_is_of_the_coded_bytes(edge: Stage, web: Origin) -> None:
    web.on("/part.js", SCRIPT, "text/javascript", etag='"part"')
    whole = edge.get("/part.js", host=HOST, accept_encoding="gzip")
    part = edge.get("/part.js", host=HOST, accept_encoding="gzip", range="bytes=0-99", if_range=whole["ETag"])
    assert (part.status, part.body, part["Content-Encoding"]) == (206, whole.body[:100], "gzip")
    plain = edge.get("/part.js", host=HOST, range="bytes=0-99", if_range=whole["ETag"])
    assert (plain.status, plain.body) == (200, SCRIPT)


def test_what_must_stay_as_it_is_stays(edge: Stage, web: Origin) -> None:
    noise = hashlib.shake_128(b"noise").digest(5000)
    web.on("/small.js", b"x" * 100, "text/javascript", etag='"s"')
    web.on("/noise.js", noise, "text/javascript", etag='"n"')
    web.on("/font.woff2", SCRIPT, "font/woff2", etag='"w"')
    web.on("/kept.js", SCRIPT, "text/javascript", etag='"k"', cache_control="max-age=60, no-transform")
    for path, body in (("/small.js", b"x" * 100), ("/noise.js", noise), ("/font.woff2", SCRIPT), ("/kept.js", SCRIPT)):
        for _ in range(3):
            answer = edge.get(path, host=HOST, accept_encoding="gzip, br, zstd")
            assert (answer.has("Content-Encoding"), answer.body) == (False, body), path
    web.on("/wish.js", SCRIPT, "text/javascript", etag='"wish"')
    for _ in range(2):
        answer = edge.get("/wish.js", host=HOST, accept_encoding="br", cache_control="no-transform")
        assert (answer.has("Content-Encoding"), answer.body) == (False, SCRIPT)


@pytest.mark.parametrize("kind", ["media", "pass-through"])
def test_other_kinds_code_nothing(edge: Stage, web: Origin, kind: str) -> None:
    web.on(f"/{kind}.js", SCRIPT, "text/javascript", etag='"o"', cache_control="max-age=60")
    for _ in range(2):
        answer = edge.get(f"/{kind}.js", host=f"{kind}.test", accept_encoding="br")
        assert (answer.has("Content-Encoding"), answer.body) == (False, SCRIPT)


def test_a_new_version_is_coded_anew(edge: Stage, web: Origin) -> None:
    web.on("/new.js", SCRIPT, "text/javascript", etag='"1"', cache_control="max-age=0")
    first = edge.get("/new.js", host=HOST, accept_encoding="br")
    assert edge.get("/new.js", host=HOST, accept_encoding="br").body == first.body
    web.on("/new.js", SCRIPT[::-1], "text/javascript", etag='"2"', cache_control="max-age=0")
    second = edge.get("/new.js", host=HOST, accept_encoding="br")
    assert brotli.decompress(second.body) == SCRIPT[::-1]
    assert second["ETag"] != first["ETag"]


def test_a_herd_is_one_fetch_and_each_gets_its_coding(edge: Stage, web: Origin) -> None:
    web.on("/herd.js", SCRIPT, "text/javascript", etag='"herd"')

    def ask(coding: str) -> tuple[str, client.Answer]:
        return coding, edge.get("/herd.js", host=HOST, accept_encoding=coding)

    with ThreadPoolExecutor(40) as clients:
        for coding, answer in clients.map(ask, [*DECODERS] * 10):
            assert answer.all("Content-Encoding") == ([coding] if coding else [])
            assert DECODERS[coding](answer.body) == SCRIPT
    assert web.count("/herd.js") == 1
    assert len(edge.events("rendered", "/herd.js")) == 3


def test_head_says_what_get_says_of_a_coding(edge: Stage, web: Origin) -> None:
    web.on("/head.js", SCRIPT, "text/javascript", etag='"head"')
    head = edge.head("/head.js", host=HOST, accept_encoding="br")
    get = edge.get("/head.js", host=HOST, accept_encoding="br")
    for name in ("Content-Length", "Content-Encoding", "ETag", "Vary"):
        assert head[name] == get[name]
