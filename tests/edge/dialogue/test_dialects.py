"""Sites that listen to client hints or speak another server's dialect, in the real edge, the lane included."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterator

import pytest
import pyvips

from tests.edge.dialogue.stage import CHROME, Stage, stage

SITES = [
    {"name": "hints", "host": "hints.test", "bucket": "media", "hints": True},
    {"name": "imgproxy", "host": "imgproxy.test", "bucket": "media", "dialect": "imgproxy"}
    | {"dialect_key": "736563726574", "dialect_salt": "68656c6c6f"},
    {"name": "thumbor", "host": "thumbor.test", "bucket": "media", "dialect": "thumbor", "dialect_unsigned": True},
    {"name": "pict-rs", "host": "pict-rs.test", "bucket": "media", "dialect": "pict-rs"},
]


@pytest.fixture(scope="module")
def speaking(tmp_path_factory: pytest.TempPathFactory, photo: bytes) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("speaking"), {"sites": SITES}) as playing:
        playing.origin.on("/media/a.jpg", photo, etag='"a"', identity="7a" * 32)
        yield playing


def size(body: bytes) -> tuple[int, int]:
    image = pyvips.Image.new_from_buffer(body, "")
    return image.width, image.height


def signed(path: str) -> str:
    digest = hmac.new(b"secret", b"hello" + path.encode(), hashlib.sha256).digest()
    return f"/{urlsafe_b64encode(digest).rstrip(b'=').decode()}{path}"


def test_hints_choose_size_and_quality_on_every_path(speaking: Stage) -> None:
    for _ in range(4):  # from the keeper, from the disk, from memory, in the lane
        dense = speaking.get("/a.jpg?w=50", host="hints.test", accept=CHROME, sec_ch_dpr="2")
        plain = speaking.get("/a.jpg?w=50", host="hints.test", accept=CHROME)
        narrow = speaking.get("/a.jpg", host="hints.test", accept=CHROME, sec_ch_width="120")
        own = speaking.get("/a.jpg", host="hints.test", sec_ch_width="120")
        saving = speaking.get("/a.jpg?w=200", host="hints.test", accept=CHROME, save_data="on")
        full = speaking.get("/a.jpg?w=200", host="hints.test", accept=CHROME)
        assert size(dense.body)[0] == 100
        assert size(plain.body)[0] == 50
        assert size(narrow.body)[0] == 128
        assert (size(own.body)[0], own["Content-Type"]) == (128, "image/jpeg")
        assert len(saving.body) < len(full.body)
        for answer in (dense, plain, narrow, own, saving, full):
            assert "Sec-CH-DPR" in answer["Vary"]
            assert "Save-Data" in answer["Vary"]
    through = speaking.get("/a.jpg?w=50", host="hints.test", sec_ch_dpr="2", via="1.1 other")
    assert size(through.body)[0] == 50


def test_hints_are_nothing_where_a_site_does_not_listen(speaking: Stage) -> None:
    answer = speaking.get("/media/a.jpg?w=50", accept=CHROME, sec_ch_dpr="2", save_data="on")
    assert size(answer.body)[0] == 50
    assert answer["Vary"] == "Accept"


def test_dialects_give_the_same_pictures_as_the_grammar(speaking: Stage) -> None:
    for host, path, same_as in (
        ("imgproxy.test", signed("/rs:fill:60:40/plain/a.jpg@webp"), "?w=60&h=40&fit=cover&format=webp"),
        ("thumbor.test", "/unsafe/60x40/filters:format(webp)/a.jpg", "?w=60&h=40&fit=cover&enlarge=1&format=webp"),
        ("pict-rs.test", "/image/process.webp?src=a.jpg&thumbnail=60", "?w=60&h=60&format=webp"),
        ("pict-rs.test", "/image/original/a.jpg", ""),
    ):
        answer = speaking.get(path, host=host)
        assert answer.status == 200, answer.body
        ours = speaking.get(f"/media/a.jpg{same_as}")
        assert (answer.body, answer["ETag"]) == (ours.body, ours["ETag"])
        assert speaking.get(path, host=host).hit


def test_dialects_refuse_by_name(speaking: Stage) -> None:
    assert speaking.get("/_/rs:fill:60:40/plain/a.jpg", host="imgproxy.test").problem["status"] == 403
    unknown = speaking.get(signed("/crop:9:9/plain/a.jpg"), host="imgproxy.test")
    assert (unknown.status, unknown.problem["parameter"]) == (400, "crop")
    elsewhere = speaking.get("/unsafe/9x9/http%3A%2F%2Fevil.test%2Fa.jpg", host="thumbor.test")
    assert (elsewhere.status, elsewhere.problem["parameter"]) == (400, "source")
    assert speaking.get("/image/delete/a.jpg", host="pict-rs.test").problem["status"] == 404
    for answer in (unknown, elsewhere):
        assert answer["Access-Control-Allow-Origin"] == "*"
