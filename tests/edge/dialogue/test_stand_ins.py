"""What a client gets while a rendering cannot be had."""

from __future__ import annotations

from pathlib import Path

from tests.edge.dialogue.stage import CHROME, WEBP, stage

LARGE = "/media/slow.jpg?w=6000&enlarge=1"
"""48 megapixels of AVIF or WebP: more than a renderer does before its deadline."""


def test_a_stored_size_stands_in_for_one_that_takes_too_long(tmp_path: Path, photo: bytes) -> None:
    with stage(tmp_path, {"render": {"deadline": 1.5, "budget": 0}}) as edge:
        edge.origin.on("/media/slow.jpg", photo, etag='"slow"', identity="cd" * 32)
        refused = edge.get(LARGE, accept=WEBP)
        assert refused.status == 503
        assert refused["Retry-After"]
        small = edge.get("/media/slow.jpg?w=1500&enlarge=1", accept=CHROME)
        assert small.status == 200
        stand_in = edge.get(LARGE, accept=CHROME)
        assert (stand_in.status, stand_in["Content-Type"]) == (200, "image/avif")
        assert stand_in.body == small.body
        assert "detail=" in stand_in["Cache-Status"]
        assert int(stand_in["Cache-Control"].partition("max-age=")[2].partition(",")[0]) <= 5
        assert edge.get(LARGE, accept=WEBP).status == 503
