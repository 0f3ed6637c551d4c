"""Which type each client gets, and what every media answer carries."""

from __future__ import annotations

import random

import pytest
import pyvips

from demo import pictures
from tests.edge.dialogue.client import Answer
from tests.edge.dialogue.stage import CHROME, SAFARI, WEBP, Stage

HASH = "ab" * 32


def media_headers(answer: Answer) -> None:
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert answer["Server"] == "facet"
    assert len(answer.all("Cache-Control")) == 1
    if answer.status != 204:
        assert answer["Vary"] == "Accept"


@pytest.mark.parametrize(
    ("accept", "type"),
    [
        (CHROME, "image/avif"),
        (SAFARI, "image/avif"),
        (WEBP, "image/webp"),
        ("image/avif;q=0, image/webp", "image/webp"),
        ("*/*", "image/jpeg"),
        ("image/*", "image/jpeg"),
        (None, "image/jpeg"),
    ],
)
def test_each_client_gets_a_type_that_it_names(edge: Stage, photo: bytes, accept: str | None, type: str) -> None:
    edge.origin.on("/media/each.jpg", photo, etag='"each"', identity=HASH)
    fields = {} if accept is None else {"accept": accept}
    first = edge.get("/media/each.jpg?w=120", **fields)
    again = edge.get("/media/each.jpg?w=120", **fields)
    assert (first.status, first["Content-Type"]) == (again.status, again["Content-Type"]) == (200, type)
    assert first.body == again.body
    assert again.hit
    assert first["ETag"] == again["ETag"]
    media_headers(first)
    media_headers(again)


def test_a_client_that_names_no_format_gets_the_stored_bytes(edge: Stage, photo: bytes) -> None:
    edge.origin.on("/media/own.jpg", photo, etag='"own"', identity=HASH)
    for _ in range(2):
        answer = edge.get("/media/own.jpg")
        assert answer.body == photo
        assert answer["Vary"] == "Accept"


def test_a_converted_answer_is_named_for_its_type(edge: Stage, photo: bytes) -> None:
    edge.origin.on("/media/named.jpg", photo, etag='"named"', identity=HASH)
    assert edge.get("/media/named.jpg", accept=WEBP)["Content-Disposition"] == 'inline; filename="named.webp"'
    assert not edge.get("/media/named.jpg").has("Content-Disposition")


def test_identical_content_is_rendered_once_for_all_its_urls(edge: Stage, photo: bytes) -> None:
    identity = "cd" * 32
    for name in ("one", "two"):
        edge.origin.on(f"/media/{name}.jpg", photo, etag=f'"{name}"', identity=identity)
    answers = [edge.get(f"/media/{name}.jpg?w=77", accept=WEBP) for name in ("one", "two")]
    assert answers[0].body == answers[1].body
    assert edge.renders("/media/one.jpg") == 1
    assert edge.renders("/media/two.jpg") == 0


def test_without_an_identity_equal_etags_of_two_urls_mean_nothing(edge: Stage, photo: bytes) -> None:
    other = pictures.photo(200, 200)
    edge.origin.on("/media/left.jpg", photo, etag='"same"')
    edge.origin.on("/media/right.jpg", other, etag='"same"')
    assert edge.get("/media/left.jpg").body == photo
    assert edge.get("/media/right.jpg").body == other
    assert edge.get("/media/left.jpg?w=50").body != edge.get("/media/right.jpg?w=50").body


def test_a_request_through_another_cdn_gets_the_sources_own_format(edge: Stage, photo: bytes) -> None:
    edge.origin.on("/media/cdn.jpg", photo, etag='"cdn"', identity=HASH)
    assert edge.get("/media/cdn.jpg", accept=CHROME, cdn_loop="cloudflare")["Content-Type"] == "image/jpeg"
    looped = edge.get("/media/cdn.jpg", cdn_loop="cloudflare, facet")
    assert looped.status == 508
    assert "detail=cdn-loop" in looped.cache
    media_headers(looped)


def test_a_rendering_that_is_not_smaller_yields_to_its_source_once_and_for_all(edge: Stage) -> None:
    noise = random.Random(1).randbytes(48 * 48)  # which no coding makes smaller than the poor one it comes in
    tiny = pyvips.Image.new_from_memory(noise, 48, 48, 1, "uchar").jpegsave_buffer(Q=10)
    edge.origin.on("/media/noise.jpg", tiny, etag='"noise"', identity="ee" * 32)
    first = edge.get("/media/noise.jpg", accept=WEBP)
    again = edge.get("/media/noise.jpg", accept=WEBP)
    assert first["Content-Type"] == again["Content-Type"] == "image/jpeg"
    assert len(first.body) <= len(tiny)
    assert "detail=not-smaller" in again.cache
    assert again.hit
    made = edge.renders("/media/noise.jpg")
    edge.get("/media/noise.jpg", accept=WEBP)
    assert edge.renders("/media/noise.jpg") == made


@pytest.mark.parametrize(
    "query", ["w=-1", "w=99999999", "format=exe", "w=10&w=20", "quality=0", "fit=stretch", "dpr=x"]
)
def test_a_bad_parameter_is_400_and_says_what_is_allowed(edge: Stage, query: str) -> None:
    answer = edge.get(f"/media/any.jpg?{query}")
    assert answer.status == 400
    assert answer.problem["parameter"] == query.partition("=")[0]
    assert answer.problem["allowed"]
    assert not edge.origin.count("/media/any.jpg")
    media_headers(answer)


def test_sizes_mean_nothing_where_there_is_no_picture(edge: Stage) -> None:
    edge.origin.on("/media/film.mp4", b"film" * 999, "video/mp4", etag='"film"')
    edge.origin.on("/media/text.txt", b"words", "text/plain", etag='"text"')
    assert edge.get("/media/film.mp4?w=100").body == b"film" * 999
    assert edge.get("/media/text.txt?w=100&format=webp").body == b"words"
    assert edge.origin.count("/media/film.mp4") == 1


def test_an_svg_is_never_retyped_and_cannot_run(edge: Stage) -> None:
    drawing = pictures.drawing()
    edge.origin.on("/media/logo.svg", drawing, "image/svg+xml", etag='"svg"', identity="55" * 32)
    answer = edge.get("/media/logo.svg?w=50", accept=CHROME)
    assert (answer["Content-Type"], answer.body) == ("image/svg+xml", drawing)
    media_headers(answer)
    assert edge.get("/media/logo.svg?w=50&format=png")["Content-Type"] == "image/png"


def test_what_only_calls_itself_a_picture_passes_as_stored(edge: Stage, photo: bytes) -> None:
    for name, body in (("words.jpg", b"just words"), ("empty.jpg", b""), ("half.jpg", photo[: len(photo) // 2])):
        edge.origin.on(f"/media/{name}", body, etag=f'"{name}"', identity=body.hex()[:64].ljust(64, "0"))
        plain = edge.get(f"/media/{name}", accept=WEBP)
        assert (plain.status, plain.body, plain["Content-Type"]) == (200, body, "image/jpeg")
        assert any(parameter.startswith("detail=pass-") for parameter in plain.cache)
        changed = edge.get(f"/media/{name}?w=100")
        assert 400 <= changed.status < 500
        assert changed.problem["detail"]
        media_headers(changed)


def test_a_preflight_is_answered_without_asking_anybody(edge: Stage) -> None:
    answer = edge.get("/media/preflight.jpg", method="OPTIONS", origin="https://x.test")
    assert answer.status == 204
    assert "GET" in answer["Access-Control-Allow-Methods"]
    media_headers(answer)
    assert not edge.origin.count("/media/preflight.jpg")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PURGE", "PATCH"])
def test_other_methods_are_refused(edge: Stage, method: str) -> None:
    answer = edge.get("/media/refused.jpg", method=method)
    assert answer.status == 405
    assert answer["Allow"] == "GET, HEAD, OPTIONS"
    media_headers(answer)
