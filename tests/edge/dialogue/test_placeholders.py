"""Placeholders are variants like any other: made once, kept, and told apart by their own tags."""

from __future__ import annotations

import json
import re

import pytest

from tests.edge.dialogue.stage import CHROME, Stage

SHAPES = {"blurhash": r"[!-~]{28}", "thumbhash": r"[A-Za-z0-9+/=]{20,40}", "color": r"#[0-9a-f]{6}"}


@pytest.mark.parametrize("name", SHAPES)
def test_a_placeholder_is_text_that_is_kept(edge: Stage, photo: bytes, name: str) -> None:
    edge.origin.on("/media/soon.jpg", photo, etag='"soon"', identity="ef" * 32)
    first = edge.get(f"/media/soon.jpg?format={name}", accept=CHROME)
    assert (first.status, first["Content-Type"]) == (200, "text/plain")
    assert re.fullmatch(SHAPES[name], first.body.decode())
    again = edge.get(f"/media/soon.jpg?format={name}")
    assert again.hit
    assert again.body == first.body
    assert edge.get("/media/soon.jpg?w=100", accept=CHROME)["ETag"] != first["ETag"]


@pytest.mark.parametrize("name", SHAPES)
def test_who_names_json_gets_json_that_is_kept(edge: Stage, photo: bytes, name: str) -> None:
    edge.origin.on("/media/json.jpg", photo, etag='"json"', identity="ed" * 32)
    target = f"/media/json.jpg?format={name}"
    text = edge.get(target)
    first = edge.get(target, accept="application/json")
    assert (first.status, first["Content-Type"]) == (200, "application/json")
    assert json.loads(first.body) == {name: text.body.decode()}
    assert first["ETag"] != text["ETag"]
    for answer in (text, first):
        assert answer["Vary"] == "Accept"
    again = edge.get(target, accept="text/plain;q=0.9, application/json")
    assert again.hit
    assert (again.body, again["ETag"]) == (first.body, first["ETag"])
    assert edge.get(target, accept="application/json", if_none_match=first["ETag"]).status == 304
    assert edge.get(target, accept="application/json", if_none_match=text["ETag"]).status == 200
    for accept in ("*/*", "application/*", "application/json;q=0", "text/plain, application/json;q=0.5", CHROME):
        plain = edge.get(target, accept=accept)
        assert (plain["Content-Type"], plain.body) == ("text/plain", text.body)
    assert edge.get(target, accept="application/json", cdn_loop="other")["Content-Type"] == "text/plain"
    assert edge.get("/media/json.jpg?w=50", accept="application/json")["Content-Type"] == "image/jpeg"
    assert edge.get(f"{target}.json").status == 400


def test_what_is_no_picture_has_no_placeholder(edge: Stage) -> None:
    edge.origin.on("/media/none.jpg", b"no picture at all", etag='"none"', identity="fe" * 32)
    assert edge.get("/media/none.jpg?format=blurhash").status == 415
