"""Placeholders are variants like any other: made once, kept, and told apart by their own tags."""

from __future__ import annotations

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


def test_what_is_no_picture_has_no_placeholder(edge: Stage) -> None:
    edge.origin.on("/media/none.jpg", b"no picture at all", etag='"none"', identity="fe" * 32)
    assert edge.get("/media/none.jpg?format=blurhash").status == 415
