"""What a client may ask for, and how much of it: hotlinks, presets, signatures, variants, misses, requests."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge.policy.signing import signature
from tests.edge.dialogue import client
from tests.edge.dialogue.stage import Stage, stage, until

KEY, OLD_KEY = "the-key-of-this-year", "the-key-of-last-year"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    bucket = {"bucket": "media", "presets": ["thumb:w=40&h=40&fit=cover"], "sign_keys": [KEY, OLD_KEY]}
    sites = [
        {"name": "own", "host": "own.test", "bucket": "media", "referers": ["friend.test"]},
        {"name": "named", "host": "named.test", "variants": "named", **bucket},
        {"name": "few", "host": "few.test", **bucket},
    ]
    guard = {"variants": 4}
    with stage(tmp_path_factory.mktemp("site"), {"sites": sites, "guard": guard}, servers=2) as playing:
        yield playing


def test_pages_of_others_do_not_show_what_a_site_keeps_for_its_own(site: Stage) -> None:
    site.origin.on("/media/own.txt", b"own", "text/plain", etag='"own"')
    passes = [
        {},
        {"referer": "https://own.test/page"},
        {"referer": "https://www.friend.test/"},
        {"sec_fetch_site": "same-site", "referer": "https://evil.test/"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "referer": "https://evil.test/"},
    ]
    refused = [
        {"referer": "https://evil.test/own.test"},
        {"referer": "https://notfriend.test/"},
        {"referer": "https://own.test.evil.test/"},
        {"referer": "http://[::1"},
        {"sec_fetch_site": "cross-site"},
    ]
    for _ in range(3):  # not by the lane either
        for fields in passes:
            answer = site.get("/own.txt", host="own.test", **fields)
            assert answer.status == 200, fields
            assert answer["Vary"] == "Accept, Referer, Sec-Fetch-Site, Sec-Fetch-Mode"
        for fields in refused:
            answer = site.get("/own.txt", host="own.test", **fields)
            assert (answer.status, "detail=hotlink" in answer.cache) == (403, True), fields
            assert answer["Vary"] == "Accept, Referer, Sec-Fetch-Site, Sec-Fetch-Mode"
            assert answer["Cache-Control"] == "no-store"


def test_a_site_of_named_variants_makes_no_others(site: Stage, photo: bytes) -> None:
    site.origin.on("/media/named.jpg", photo, etag='"n"', identity="61" * 32)

    def get(query: str, path: str = "/named.jpg") -> client.Answer:
        return site.get(f"{path}?{query}", host="named.test")

    assert get("preset=thumb").status == 200
    assert get("unknown=1").status == 200
    assert get("w=50").problem["status"] == 403
    assert get("preset=huge").problem["allowed"] == "one of thumb"
    later = int(time.time()) + 600
    for key in (KEY, OLD_KEY):
        assert get(f"w=50&exp={later}&sig={signature(key, '/named.jpg', f'w=50&exp={later}')}").status == 200
    bad = [
        f"w=51&exp={later}&sig={signature(KEY, '/named.jpg', f'w=50&exp={later}')}",
        f"w=50&exp=1&sig={signature(KEY, '/named.jpg', 'w=50&exp=1')}",
        f"w=50&sig={signature('a-key-of-somebody', '/named.jpg', 'w=50')}",
        f"w=50&sig={signature(KEY, '/other.jpg', 'w=50')}",
        "w=50&sig=",
        f"w=50&sig={signature(KEY, '/named.jpg', 'w=50')}&h=2000",
    ]
    for query in bad:
        answer = get(query)
        assert (answer.status, "detail=bad-signature" in answer.cache) == (403, True), query


def test_a_signed_url_that_was_answered_ends_with_its_time(site: Stage, photo: bytes) -> None:
    site.origin.on("/media/ends.jpg", photo, etag='"e"', identity="62" * 32)
    over = int(time.time()) + 2
    query = f"w=30&exp={over}&sig={signature(KEY, '/ends.jpg', f'w=30&exp={over}')}"
    assert site.get(f"/ends.jpg?{query}", host="named.test").status == 200
    until(lambda: site.get(f"/ends.jpg?{query}", host="named.test").status == 403, "it never ended", 10)


def test_a_source_with_many_variants_gets_those_of_a_ladder(site: Stage, photo: bytes) -> None:
    site.origin.on("/media/many.jpg", photo, etag='"m"', identity="63" * 32)

    def get(query: str) -> client.Answer:
        return site.get(f"/many.jpg?{query}", host="few.test")

    exact = [get(f"w={width}") for width in range(101, 105)]
    assert not any(answer.has("Content-Location") for answer in exact)
    for _ in range(2):
        snapped = get("w=105")
        assert (snapped.status, snapped["Content-Location"]) == (200, "/many.jpg?w=128")
        assert "detail=snapped" in snapped.cache
    assert get("w=128").body == snapped.body
    assert not get("w=101").has("Content-Location"), "what is there is given as asked for"
    fixed = get(f"w=107&sig={signature(KEY, '/many.jpg', 'w=107')}")
    assert not fixed.has("Content-Location")
    assert not get("preset=thumb").has("Content-Location")
    before = site.renders("/many.jpg")
    answers = [
        get(f"w={width}&blur={blur}&quality={1 + width % 99}") for width in range(10, 130, 9) for blur in (0.5, 9)
    ]
    assert {answer.status for answer in answers} <= {200, 503}
    assert site.renders("/many.jpg") - before <= 4


def test_a_client_that_misses_too_much_waits_and_others_do_not(tmp_path: Path) -> None:
    guard = {"misses": 0.01, "miss_burst": 5}
    with stage(tmp_path, {"guard": guard}) as edge:
        for number in range(6):
            edge.origin.on(f"/media/{number}.txt", b"text", "text/plain", etag=f'"{number}"')
        mine = {"x_forwarded_for": "2001:db8:1:2::1"}
        answers = [edge.get(f"/media/{number}.txt", **mine) for number in range(6)]
        assert [answer.status for answer in answers] == [200] * 5 + [429]
        assert int(answers[5]["Retry-After"]) > 1
        assert "detail=too-many-misses" in answers[5].cache
        assert edge.get("/media/5.txt", x_forwarded_for="2001:db8:1:2:ffff::9").status == 429, "the same /64"
        assert edge.get("/media/0.txt", **mine).hit, "hits cost nobody anything"
        assert edge.get("/media/5.txt", x_forwarded_for="2001:db8:1:3::1").status == 200
        assert edge.origin.count("/media/5.txt") == 1


def test_a_client_has_a_bounded_number_of_requests_running(tmp_path: Path) -> None:
    gate = threading.Event()
    with stage(tmp_path, {"guard": {"requests": 3}}) as edge, ThreadPoolExecutor(4) as clients:
        mine = {"x_forwarded_for": "192.0.2.1"}
        targets = [f"/media/slow-{number}.txt" for number in range(3)]
        for target in targets:
            edge.origin.on(target, b"slow", "text/plain", pause=gate)
        waiting = [clients.submit(edge.get, target, **mine) for target in targets]
        try:
            until(lambda: all(map(edge.origin.count, targets)), "nothing was fetched")
            fourth = edge.get("/media/x", **mine)
            assert (fourth.status, fourth["Retry-After"]) == (429, "1")
            assert edge.get("/media/x", x_forwarded_for="192.0.2.2").status == 404
        finally:
            gate.set()
        assert [answer.result().status for answer in waiting] == [200] * 3


def test_a_trusted_proxy_is_never_limited_as_one_client(tmp_path: Path) -> None:
    gate = threading.Event()
    guard = {"requests": 2, "connections": 2, "misses": 0.01, "miss_burst": 2}
    with stage(tmp_path, {"guard": guard}) as edge, ThreadPoolExecutor(8) as clients:
        for number in range(8):
            edge.origin.on(f"/media/{number}.txt", b"text", "text/plain", pause=gate)
        others = [{"x_forwarded_for": f"192.0.2.{number}"} if number % 2 else {} for number in range(8)]
        asked = [clients.submit(edge.get, f"/media/{number}.txt", **others[number]) for number in range(8)]
        try:
            until(lambda: all(edge.origin.count(f"/media/{number}.txt") for number in range(8)), "one was held up")
        finally:
            gate.set()
        assert [answer.result().status for answer in asked] == [200] * 8


def test_an_address_that_is_no_proxy_has_a_bounded_number_of_connections(tmp_path: Path) -> None:
    settings = {"guard": {"connections": 3}, "edge": {"trusted_proxies": []}}
    with stage(tmp_path, settings) as edge:
        held = [client.connect(edge.port) for _ in range(3)]
        fourth = client.connect(edge.port)
        assert fourth.recv(1) == b"", "a fourth connection was kept"
        for connection in (*held, fourth):
            connection.close()
        until(lambda: _answers(edge), "connections that ended still count", 10)


def _answers(edge: Stage) -> bool:
    try:
        return edge.get("/media/x").status == 404
    except OSError:
        return False
