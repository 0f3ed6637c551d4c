"""Keys without a name or a type, types that lie, and clients that forbid changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo import pictures
from tests.edge.dialogue.stage import CHROME, Stage, stage

OCTETS = "application/octet-stream"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"><rect width="9" height="9"/></svg>'
HTML = b"<!DOCTYPE html><script>alert(1)</script>"


def test_a_key_that_says_nothing_is_rendered_by_its_content(edge: Stage, photo: bytes) -> None:
    edge.origin.on("/media/local_content/ab/cd/efgh", photo, OCTETS, etag='"s"', identity="5a" * 32)
    plain = edge.get("/media/local_content/ab/cd/efgh")
    assert (plain.body, plain["Content-Type"]) == (photo, "image/jpeg")
    small = edge.get("/media/local_content/ab/cd/efgh?w=60", accept=CHROME)
    assert (small.status, small["Content-Type"]) == (200, "image/avif")
    assert plain["X-Content-Type-Options"] == small["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("body", [SVG, HTML])
def test_a_nameless_document_stays_octets(edge: Stage, body: bytes) -> None:
    path = f"/media/doc{len(body)}"
    edge.origin.on(path, body, OCTETS, etag=f'"{len(body)}"')
    answer = edge.get(f"{path}?w=20", accept=CHROME)
    assert (answer.status, answer["Content-Type"], answer.body) == (200, OCTETS, body)


def test_a_type_that_lies_is_answered_by_content(edge: Stage) -> None:
    edge.origin.on("/media/lie.jpg", pictures.transparent_png(64), "image/jpeg", etag='"lie"', identity="5b" * 32)
    assert edge.get("/media/lie.jpg")["Content-Type"] == "image/png"
    assert edge.get("/media/lie.jpg?w=20")["Content-Type"] == "image/png"


@pytest.mark.parametrize("body", [SVG, HTML, b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41"])
def test_what_is_no_picture_under_a_pictures_type_is_415(edge: Stage, body: bytes) -> None:
    path = f"/media/lie{len(body)}.png"
    edge.origin.on(path, body, "image/png", etag=f'"lie{len(body)}"', identity=f"{len(body):064d}")
    assert edge.get(f"{path}?w=20").problem["status"] == 415
    plain = edge.get(path, accept=CHROME)
    assert (plain.status, plain.body, plain["Content-Type"]) == (200, body, "image/png")


def test_a_request_that_forbids_changes_gets_what_is_stored(edge: Stage, photo: bytes) -> None:
    edge.origin.on("/media/as-is.jpg", photo, etag='"as-is"', identity="5c" * 32)
    for _ in range(3):
        answer = edge.get("/media/as-is.jpg?w=50&format=webp", accept=CHROME, cache_control="max-age=0, No-Transform")
        assert (answer.body, answer["Content-Type"]) == (photo, "image/jpeg")
        assert edge.get("/media/as-is.jpg?w=50&format=webp", accept=CHROME)["Content-Type"] == "image/webp"


def test_forbidding_changes_does_not_uncover_what_a_site_strips(tmp_path: Path, photo: bytes) -> None:
    site = {"name": "own", "host": "own.test", "bucket": "media", "strip": "always"}
    with stage(tmp_path, {"sites": [site]}) as edge:
        located = photo[:2] + b"\xff\xe1\x00\x10Exif\0\0" + b"LOCATION" + photo[2:]
        edge.origin.on("/media/where.jpg", located, etag='"where"', identity="5d" * 32)
        for fields in ({"cache_control": "no-transform"}, {}):
            answer = edge.get("/where.jpg", host="own.test", **fields)
            assert answer.status == 200
            assert b"LOCATION" not in answer.body
