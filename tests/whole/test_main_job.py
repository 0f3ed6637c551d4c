"""The main job, end to end on the real processes: S3 upload in, negotiated variant out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import pyvips

from tests.running import Running
from tests.whole.browser import CHROME, OLD, SAFARI, Answer, ask, request, within

Gallery = dict[str, Path]


def put(facet: Running, key: str, body: bytes, kind: str = "image/jpeg", acl: str = "public-read", **more: Any) -> str:
    """Upload and give the URL at the edge."""
    facet.s3().put_object(Bucket="pictures", Key=key, Body=body, ContentType=kind, ACL=acl, **more)
    return f"{facet.edge}/pictures/{key}"


def jpeg(width: int, height: int, red: int = 200) -> bytes:
    noise = pyvips.Image.gaussnoise(width, height, sigma=20, mean=120, seed=7)
    picture = noise.bandjoin([noise + 20, noise + red - 180]).cast("uchar").copy(interpretation="srgb")
    return bytes(picture.jpegsave_buffer(Q=92))


def is_hit(answer: Answer) -> bool:
    return "hit" in answer["cache-status"]


def hit(url: str, accept: str | None = CHROME) -> Answer:
    """The answer from the cache. A fill that overtakes the feed event of its own upload is revalidated once."""
    return within(2, lambda: ask(url, accept), is_hit)


def media_headers(answer: Answer) -> None:
    assert answer["access-control-allow-origin"] == "*"
    assert answer["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer["content-security-policy"]
    assert "accept" in answer["vary"].lower()
    assert answer["cache-status"].startswith("facet")
    assert len([1 for name, _ in answer.fields if name == "cache-control"]) == 1


@pytest.mark.parametrize("query", ["", "?w=600", "?w=300&h=300&fit=cover", "?dpr=2&w=200"])
@pytest.mark.parametrize(
    ("accept", "types"),
    [
        (CHROME, {"image/avif", "image/webp", "image/jpeg"}),
        (SAFARI, {"image/avif", "image/webp", "image/jpeg"}),
        ("image/webp,*/*;q=0.5", {"image/webp", "image/jpeg"}),
        ("image/avif;q=0,image/webp;q=0,*/*", {"image/jpeg"}),
        (OLD, {"image/jpeg"}),
        ("*/*", {"image/jpeg"}),
        (None, {"image/jpeg"}),
    ],
)
def test_a_photograph_is_given_in_a_type_its_reader_names(
    facet: Running, gallery: Gallery, query: str, accept: str | None, types: set[str]
) -> None:
    key = next(name for name in gallery if name.endswith(".jpg"))
    url = f"{facet.edge}/pictures/{key}{query}"
    first, again = ask(url, accept), hit(url, accept)
    assert first.status == again.status == 200
    media_headers(first)
    assert first.type in types
    if accept == CHROME and query:
        assert first.type == "image/avif"
    source = pyvips.Image.new_from_file(str(gallery[key])).autorot()
    ratio = source.height / source.width
    want = {
        "": (source.width, source.height),
        "?w=600": (600, round(600 * ratio)),
        "?w=300&h=300&fit=cover": (300, 300),
        "?dpr=2&w=200": (400, round(400 * ratio)),
    }[query]
    assert first.size == pytest.approx(want, abs=1)
    assert len(first.body) <= gallery[key].stat().st_size
    assert (again.body, again["etag"]) == (first.body, first["etag"])
    assert ask(url, accept, If_None_Match=first["etag"]).status == 304
    head = ask(url, accept, method="HEAD")
    assert (head.status, head.body, head["content-length"]) == (200, b"", str(len(first.body)))
    part = ask(url, accept, Range="bytes=10-19")
    assert (part.status, part.body) == (206, first.body[10:20])
    assert part["content-range"] == f"bytes 10-19/{len(first.body)}"
    media_headers(part)


def test_readers_that_name_no_format_get_the_stored_bytes(facet: Running, gallery: Gallery) -> None:
    for key, path in gallery.items():
        for accept in (None, "*/*"):
            answer = ask(f"{facet.edge}/pictures/{key}", accept)
            assert answer.body == path.read_bytes()


def test_each_type_of_one_url_has_a_tag_of_its_own(facet: Running, gallery: Gallery) -> None:
    key = next(name for name in gallery if name.endswith(".jpg"))
    tags = {ask(f"{facet.edge}/pictures/{key}?w=320", accept)["etag"] for accept in (CHROME, "image/webp", None)}
    assert len(tags) == 3
    assert not any(tag.startswith("W/") for tag in tags)


def test_transparency_and_animation_survive(facet: Running, gallery: Gallery) -> None:
    png = next(name for name in gallery if name.endswith(".png"))
    for accept in (CHROME, "image/webp", None):
        assert ask(f"{facet.edge}/pictures/{png}?w=200", accept).image().hasalpha()
    gif = next(name for name in gallery if name.endswith(".gif"))
    frames = pyvips.Image.new_from_file(str(gallery[gif]), n=-1).get("n-pages")
    for accept, kind in ((CHROME, "image/webp"), (None, "image/gif"), (OLD, "image/gif")):
        for query in ("", "?w=100"):
            answer = ask(f"{facet.edge}/pictures/{gif}{query}", accept)
            assert answer.type in {kind, "image/gif"}
            loader = {"image/webp": pyvips.Image.webpload_buffer, "image/gif": pyvips.Image.gifload_buffer}[answer.type]
            assert loader(answer.body, n=-1).get("n-pages") == frames


def test_a_drawing_stays_a_drawing_and_is_disarmed(facet: Running, gallery: Gallery) -> None:
    svg = next(name for name in gallery if name.endswith(".svg"))
    for query in ("", "?w=100"):
        answer = ask(f"{facet.edge}/pictures/{svg}{query}", CHROME)
        assert answer.type.startswith("image/svg+xml")
        assert answer.body == gallery[svg].read_bytes()
        media_headers(answer)
    raster = ask(f"{facet.edge}/pictures/{svg}?w=100&format=png", CHROME)
    assert raster.type == "image/png"
    assert raster.size[0] == 100


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("w=-1", "w"), ("w=0", "w"), ("w=99999999", "w"), ("w=abc", "w"), ("w=", "w"), ("w=1e3", "w"), ("w=%00", "w"),
        ("h=-1", "h"), ("dpr=0", "dpr"), ("dpr=99", "dpr"), ("fit=round", "fit"), ("gravity=up", "gravity"),
        ("format=exe", "format"), ("quality=0", "quality"), ("quality=101", "quality"),
        ("bg=blue-ish", "bg"), ("w=1&w=2", "w"),
    ],
)  # fmt: skip
def test_a_bad_parameter_is_named_with_what_is_allowed(
    facet: Running, gallery: Gallery, query: str, parameter: str
) -> None:
    key = next(name for name in gallery if name.endswith(".jpg"))
    answer = ask(f"{facet.edge}/pictures/{key}?{query}", CHROME)
    assert answer.status == 400
    assert answer.type == "application/problem+json"
    problem = json.loads(answer.body)
    assert problem["parameter"] == parameter
    assert problem["allowed"]
    media_headers(answer)


def test_unknown_parameters_change_nothing(facet: Running, gallery: Gallery) -> None:
    key = next(name for name in gallery if name.endswith(".png"))
    plain = ask(f"{facet.edge}/pictures/{key}", CHROME)
    for query in ("t=1699999999", "utm_source=x&utm_source=y", "_=%zz", "&&&", "width=-1"):
        answer = hit(f"{facet.edge}/pictures/{key}?{query}")
        assert (answer.status, answer["etag"]) == (200, plain["etag"])


def test_an_overwrite_shows_within_a_second(facet: Running, gallery: Gallery) -> None:
    url = put(facet, "changing.jpg", jpeg(800, 600))
    for target in (url, f"{url}?w=100"):
        before = hit(target)
        put(facet, "changing.jpg", jpeg(640 if "w=" in target else 480, 640))
        after = within(1, lambda target=target: ask(target, CHROME), lambda answer: answer.size[0] <= answer.size[1])
        assert after["etag"] != before["etag"]
        put(facet, "changing.jpg", jpeg(800, 600))
        within(1, lambda target=target: ask(target, CHROME), lambda answer: answer.size[0] > answer.size[1])


def test_a_cached_404_ends_with_the_upload_and_a_delete_with_a_404(facet: Running, gallery: Gallery) -> None:
    url = f"{facet.edge}/pictures/appears.jpg"
    for target in (url, url + "?w=50"):
        missing = ask(target, CHROME)
        assert missing.status == 404
        media_headers(missing)
    put(facet, "appears.jpg", jpeg(100, 80))
    for target in (url, url + "?w=50"):
        within(1, lambda target=target: ask(target, CHROME), lambda answer: answer.status == 200)
    facet.s3().delete_object(Bucket="pictures", Key="appears.jpg")
    for target in (url, url + "?w=50"):
        within(1, lambda target=target: ask(target, CHROME), lambda answer: answer.status == 404)


def test_an_object_made_private_disappears_and_comes_back(facet: Running, gallery: Gallery) -> None:
    url = put(facet, "secret.jpg", jpeg(300, 200))
    targets = (url, f"{url}?w=50", f"{facet.edge}/pictures/%73ecret.jpg")
    for target in targets:
        assert ask(target, CHROME).status == 200
    facet.s3().put_object_acl(Bucket="pictures", Key="secret.jpg", ACL="private")
    for target in targets:
        within(1, lambda target=target: ask(target, CHROME), lambda answer: answer.status == 404)
        assert ask(target, CHROME, Range="bytes=0-10").status == 404
    facet.s3().put_object_acl(Bucket="pictures", Key="secret.jpg", ACL="public-read")
    for target in targets:
        within(1, lambda target=target: ask(target, CHROME), lambda answer: answer.status == 200)


def test_equal_bytes_under_other_names_are_rendered_once(facet: Running, gallery: Gallery) -> None:
    body = jpeg(900, 700, red=222)
    first = ask(put(facet, "twin-a.jpg", body) + "?w=90", CHROME)
    second = ask(put(facet, "twin-b.jpg", body) + "?w=90", CHROME)
    assert first["etag"] == second["etag"]
    assert first.body == second.body


def test_what_cannot_be_rendered_passes_as_stored_and_a_change_of_it_is_refused(
    facet: Running, gallery: Gallery
) -> None:
    photo = jpeg(1200, 900)
    cases = {
        "text.jpg": b"this is no picture at all\n" * 40,
        "half.jpg": photo[: len(photo) // 2],
        "short.jpg": photo[:-200],
        "empty.jpg": b"",
        "zeros.png": bytes(5000),
    }
    for key, body in cases.items():
        url = put(facet, key, body)
        plain = ask(url, CHROME)
        assert (plain.status, plain.body) == (200, body), key
        assert "detail" in plain["cache-status"], key
        changed = ask(f"{url}?w=100", CHROME)
        assert 400 <= changed.status < 500, (key, changed.status)
        assert changed.type == "application/problem+json"
        media_headers(changed)


def test_other_files_are_relayed_whole_whatever_the_query(facet: Running, gallery: Gallery) -> None:
    body = bytes(range(256)) * 20_000
    url = put(facet, "clip.mp4", body, "video/mp4")
    for query in ("", "?w=100", "?t=3"):
        answer = ask(url + query, CHROME)
        assert (answer.status, answer.type, answer.body) == (200, "video/mp4", body)
        seek = ask(url + query, None, Range="bytes=4000000-4000009")
        assert (seek.status, seek.body) == (206, body[4_000_000:4_000_010])
    typed = put(facet, "list.m3u8", b"#EXTM3U\n", "application/octet-stream")
    assert "mpegurl" in ask(typed).type.lower()


def test_a_picture_is_never_enlarged_unless_asked(facet: Running, gallery: Gallery) -> None:
    url = put(facet, "little.png", bytes(pyvips.Image.black(40, 30, bands=3).pngsave_buffer()), "image/png")
    assert ask(f"{url}?w=400", CHROME).size == (40, 30)
    assert ask(f"{url}?w=80&enlarge=1", CHROME).size == (80, 60)


def test_named_sites_serve_a_bucket_at_a_root_and_under_a_prefix(facet: Running, gallery: Gallery) -> None:
    address = facet.edge.removeprefix("http://")
    body = jpeg(64, 64)
    put(facet, "named/by site.jpg", body)
    for host, target in (
        ("media.example.com", "/named/by%20site.jpg"),
        ("MEDIA.example.com:443", "/named/by%20site.jpg?x=1"),
        ("www.example.com", "/files/named/by%20site.jpg"),
        (address, "/pictures/named/by%20site.jpg"),
    ):
        answer = request(address, "GET", target, {"Host": host})
        assert (answer.status, answer.body) == (200, body), host
    for host, target in (
        ("media.example.com", "/pictures/named/by%20site.jpg"),
        ("www.example.com", "/filesnamed/by%20site.jpg"),
        ("www.example.com", "/named/by%20site.jpg"),
        ("www.example.com", "/files/../named/by%20site.jpg"),
        (address, "/pictures/../pictures/named/by%20site.jpg"),
    ):
        assert request(address, "GET", target, {"Host": host}).status in (400, 404, 421), (host, target)


def test_a_purge_needs_the_secret(facet: Running, gallery: Gallery) -> None:
    address = facet.edge.removeprefix("http://")
    put(facet, "purged.jpg", jpeg(32, 32))
    fields = {"Host": "media.example.com"}
    within(2, lambda: request(address, "GET", "/purged.jpg", fields), is_hit)
    refused = request(address, "PURGE", "/purged.jpg", fields | {"X-Facet-Purge": "a-wrong-secret"})
    assert refused.status in (403, 405)
    assert "hit" in request(address, "GET", "/purged.jpg", fields)["cache-status"]
    for method in ("PURGE", "GET"):
        done = request(address, method, "/purged.jpg", fields | {"X-Facet-Purge": "a-purge-secret"})
        assert done.status in (200, 204)
        assert "hit" not in request(address, "GET", "/purged.jpg", fields)["cache-status"]


@pytest.mark.parametrize(
    "key", ["a b+c.jpg", "ümläut/日本.jpg", "per%cent.jpg", "double//slash.jpg", "plus+%2B.jpg", "~tilde'(x)!.jpg"]
)
def test_odd_keys_are_served(facet: Running, gallery: Gallery, key: str) -> None:
    from urllib.parse import quote

    body = jpeg(50, 40)
    facet.s3().put_object(Bucket="pictures", Key=key, Body=body, ContentType="image/jpeg", ACL="public-read")
    assert ask(f"{facet.edge}/pictures/{quote(key)}").body == body
    assert ask(f"{facet.edge}/pictures/{quote(key)}?w=20", CHROME).size[0] == 20


def test_only_reading_methods_are_allowed(facet: Running, gallery: Gallery) -> None:
    address = facet.edge.removeprefix("http://")
    key = next(iter(gallery))
    for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE"):
        answer = request(address, method, f"/pictures/{key}", {}, b"x" if method != "TRACE" else None)
        assert answer.status in (405, 501), method
    preflight = request(
        address, "OPTIONS", f"/pictures/{key}", {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}
    )
    assert preflight.status in (200, 204)
    assert preflight["access-control-allow-origin"] == "*"


def test_a_dead_upstream_is_502_and_names_nothing_internal(facet: Running) -> None:
    address = facet.edge.removeprefix("http://")
    answer = request(address, "GET", "/app.js", {"Host": "assets.example.com"})
    assert answer.status == 502
    assert json.loads(answer.body)["title"] == "Bad Gateway"
    assert b"127.0.0.1" not in answer.body
    assert answer["cache-status"].endswith("detail=upstream-unreachable")
    assert ask(f"{facet.edge}/pictures/none", CHROME).status == 404  # and the rest goes on


def test_errors_without_a_site_and_answers_without_a_body_carry_the_media_headers(
    facet: Running, gallery: Gallery
) -> None:
    address = facet.edge.removeprefix("http://")
    key = next(iter(gallery))
    for method, target, host, status in (
        ("GET", "/elsewhere/x.jpg", "www.example.com", 404),
        ("GET", f"/pictures/{key}?{'x' * 9000}", address, 414),
        ("POST", f"/pictures/{key}", address, 405),
        ("OPTIONS", f"/pictures/{key}", address, 204),
    ):
        answer = request(address, method, target, {"Host": host})
        assert answer.status == status
        media_headers(answer)


def test_a_change_of_what_must_not_be_stored_is_refused_for_good(facet: Running, gallery: Gallery) -> None:
    url = put(facet, "private.jpg", jpeg(60, 40), CacheControl="private")
    assert ask(url, CHROME).status == 200
    refused = ask(f"{url}?w=20", CHROME)
    assert refused.status == 422
    assert refused.get("retry-after") is None
    assert "detail=private" in refused["cache-status"]
