"""Sites of kind assets (CDN_HOST): files of a web server, untouched."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.edge.dialogue.origin import Origin
from tests.edge.dialogue.stage import CHROME, Stage, stage, until

HOST = "assets.test"


@pytest.fixture(scope="module")
def web() -> Iterator[Origin]:
    server = Origin()
    yield server
    server.close()


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory, web: Origin) -> Iterator[Stage]:
    site = {"name": "assets", "host": HOST, "kind": "assets", "upstream": web.url, "upstream_host": "social.test"}
    fleeting = site | {"name": "fleeting", "host": "fleeting.test", "revalidate": 0}
    pictures = site | {"name": "pictures", "host": "pictures.test", "kind": "media"}
    with stage(tmp_path_factory.mktemp("edge"), {"sites": [site, fleeting, pictures]}) as playing:
        yield playing


def test_the_web_server_is_asked_under_its_own_name(edge: Stage, web: Origin) -> None:
    control = "public, max-age=2419200, immutable"
    web.on("/packs/app.js", b"app()", "text/javascript; charset=utf-8", cache_control=control)
    answer = edge.get("/packs/app.js", host=HOST, accept=CHROME, cookie="a=b", accept_encoding="gzip, br")
    asked = web.asked[-1]
    assert (asked.headers["host"], asked.headers["x-forwarded-proto"]) == ("social.test", "https")
    assert not asked.headers.keys() & {"cookie", "authorization", "x-amz-date"}
    assert asked.headers["accept-encoding"] == "identity"
    assert answer.body == b"app()"
    assert answer["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer["Cache-Control"] == control
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert not answer.has("Content-Security-Policy")
    assert edge.get("/packs/app.js", host=HOST).hit


def test_pictures_are_not_touched(edge: Stage, web: Origin, photo: bytes) -> None:
    web.on("/avatars/missing.png?w=100", photo, "image/png", etag='"avatar"')
    for _ in range(2):
        answer = edge.get("/avatars/missing.png?w=100", host=HOST, accept=CHROME)
        assert (answer["Content-Type"], answer.body) == ("image/png", photo)
    assert not edge.renders()


def test_the_query_is_part_of_the_name(edge: Stage, web: Origin) -> None:
    for query in ("", "?v=1", "?v=2", "?v=1&w=3"):
        web.on(f"/file.css{query}", query.encode() or b"none", "text/css", etag=f'"{query}"')
    for query in ("", "?v=1", "?v=2", "?v=1&w=3"):
        assert edge.get(f"/file.css{query}", host=HOST).body == (query.encode() or b"none")
    assert edge.get("/file.css?v=2", host=HOST).hit


def test_a_stored_coding_is_kept_with_its_bytes(edge: Stage, web: Origin) -> None:
    coded = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    web.on("/coded.js", b"\x1f\x8bcoded", "text/javascript", etag='"coded"', headers=coded)
    for _ in range(2):
        answer = edge.get("/coded.js", host=HOST, accept_encoding="gzip")
        assert (answer["Content-Encoding"], answer.body) == ("gzip", b"\x1f\x8bcoded")


def test_redirects_and_errors_are_relayed(edge: Stage, web: Origin) -> None:
    web.on("/moved", b"moved", "text/html", status=302, headers={"Location": "/elsewhere"})
    moved = edge.get("/moved", host=HOST)
    assert (moved.status, moved["Location"], moved.body) == (302, "/elsewhere", b"moved")
    missing = edge.get("/not-there.js", host=HOST)
    assert (missing.status, missing.body) == (404, b"not here\n")
    assert missing["Access-Control-Allow-Origin"] == "*"
    web.on("/broken", b"<h1>sorry</h1>", "text/html", status=500)
    broken = edge.get("/broken", host=HOST)
    assert (broken.status, broken.body) == (500, b"<h1>sorry</h1>")
    assert broken["Cache-Control"] == "no-store"


def test_a_deploy_that_fails_is_not_seen(edge: Stage, web: Origin) -> None:
    web.on("/packs/old.js", b"old()", "text/javascript", etag='"old"', cache_control="public, max-age=600")
    assert edge.get("/packs/old.js", host="fleeting.test").body == b"old()"
    web.on("/packs/old.js", b"down", "text/html", status=503)
    answer = edge.get("/packs/old.js", host="fleeting.test")
    assert (answer.status, answer.body) == (200, b"old()")
    assert {"fwd-status=503", "detail=stale"} <= answer.cache


def test_no_store_is_relayed_every_time(edge: Stage, web: Origin) -> None:
    web.on("/packs/sw.js", b"one", "text/javascript", cache_control="no-store")
    assert edge.get("/packs/sw.js", host=HOST).body == b"one"
    web.on("/packs/sw.js", b"two", "text/javascript", cache_control="no-store")
    assert edge.get("/packs/sw.js", host=HOST).body == b"two"


def test_the_upstreams_lifetime_is_honoured(edge: Stage, web: Origin) -> None:
    web.on("/brief.js", b"one", "text/javascript", etag='"one"', cache_control="max-age=1")
    assert edge.get("/brief.js", host=HOST).body == b"one"
    web.on("/brief.js", b"two", "text/javascript", etag='"two"', cache_control="max-age=1")
    until(lambda: edge.get("/brief.js", host=HOST).body == b"two", "max-age was not honoured", 5)


def test_a_path_reaches_a_web_server_as_it_was_sent(edge: Stage, web: Origin) -> None:
    for target in ("/a//b%2Fc%20d.js?x=%20&y=a+b&&z", "/%E2%9C%93.js?q=%E2%9C%93", "/x'y(z)!.js"):
        web.on(target, target.encode(), "text/javascript", etag='"t"')
        assert edge.get(target, host=HOST).body == target.encode()
        assert web.asked[-1].target == target


def test_a_media_site_over_a_web_server_renders(edge: Stage, web: Origin, photo: bytes) -> None:
    web.on("/photo.jpg", photo, "image/jpeg", etag='"photo"')
    answer = edge.get("/photo.jpg?w=50", host="pictures.test", accept=CHROME)
    assert answer["Content-Type"] == "image/avif"
    assert answer["Vary"] == "Accept"
    assert web.asked[-1].target == "/photo.jpg"
    web.on("/away.jpg", b"", status=302, headers={"Location": "/photo.jpg"})
    assert edge.get("/away.jpg", host="pictures.test").status == 502


def test_a_weak_etag_names_nothing_but_confirms(edge: Stage, web: Origin) -> None:
    web.on("/weak.css", b"weak", "text/css", etag='W/"weak"')
    first = edge.get("/weak.css", host="fleeting.test")
    again = edge.get("/weak.css", host="fleeting.test")
    assert again["ETag"].startswith('"')
    assert web.asked[-1].headers["if-none-match"] == 'W/"weak"'
    assert first.body == again.body == b"weak"
    assert edge.get("/weak.css", host="fleeting.test", if_none_match=again["ETag"]).status == 304
