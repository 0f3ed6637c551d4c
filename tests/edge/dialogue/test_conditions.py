"""HEAD, conditions and ranges: on memory hits, disk hits and bodies that are still arriving."""

from __future__ import annotations

import email
import email.policy
import threading

import pytest

from tests.edge.dialogue.client import Answer
from tests.edge.dialogue.stage import WEBP, Stage, until

MODIFIED = "Fri, 13 Nov 2026 10:00:00 GMT"
LATER = "Sat, 14 Nov 2026 10:00:00 GMT"
EARLIER = "Thu, 12 Nov 2026 10:00:00 GMT"
FILM = bytes(range(256)) * 40


@pytest.fixture
def film(edge: Stage) -> str:
    edge.origin.on("/media/film.mp4", FILM, "video/mp4", etag='"film"', last_modified=MODIFIED)
    edge.get("/media/film.mp4")
    return "/media/film.mp4"


def test_head_says_what_get_says(edge: Stage, film: str, photo: bytes) -> None:
    edge.origin.on("/media/head.jpg", photo, etag='"head"', identity="11" * 32)
    for target, fields in ((film, {}), ("/media/head.jpg?w=90", {"accept": WEBP}), ("/media/none.jpg", {})):
        edge.get(target, **fields)
        get, head = edge.get(target, **fields), edge.head(target, **fields)
        varying = {"Date", "Age", "Cache-Status"}
        assert [f for f in head.fields if f[0] not in varying] == [f for f in get.fields if f[0] not in varying]
        assert (head.status, head.body) == (get.status, b"")


def test_a_cold_head_fills_the_cache(edge: Stage, photo: bytes) -> None:
    edge.origin.on("/media/coldhead.jpg", photo, etag='"coldhead"', identity="12" * 32)
    head = edge.head("/media/coldhead.jpg?w=90")
    get = edge.get("/media/coldhead.jpg?w=90")
    assert get.hit
    assert int(head["Content-Length"]) == len(get.body)


def test_if_none_match_comes_before_if_modified_since(edge: Stage, film: str) -> None:
    etag = edge.get(film)["ETag"]
    assert edge.get(film, if_none_match=etag).status == 304
    assert edge.get(film, if_none_match=f'"x", W/{etag}').status == 304
    assert edge.get(film, if_none_match="*").status == 304
    assert edge.get(film, if_none_match='"other"').status == 200
    assert edge.get(film, if_none_match='"other"', if_modified_since=LATER).status == 200
    assert edge.get(film, if_none_match=etag, if_modified_since=EARLIER).status == 304
    assert edge.get(film, if_modified_since=MODIFIED).status == 304
    assert edge.get(film, if_modified_since=EARLIER).status == 200
    assert edge.get(film, if_modified_since="yesterday").status == 200
    assert edge.get(film, if_match='"other"').status == 412
    assert edge.get(film, if_unmodified_since=EARLIER).status == 412


def test_a_304_carries_what_a_200_would(edge: Stage, film: str) -> None:
    full = edge.get(film)
    answer = edge.get(film, if_none_match=full["ETag"])
    assert answer.body == b""
    assert not answer.has("Content-Length")
    for name in ("ETag", "Cache-Control", "Vary", "Access-Control-Allow-Origin", "Content-Security-Policy"):
        assert answer.all(name) == full.all(name), name


@pytest.mark.parametrize(
    ("asked", "start", "stop"), [("0-1", 0, 2), ("100-199", 100, 200), ("10200-", 10200, 10240), ("-5", 10235, 10240)]
)
def test_a_single_range_is_given(edge: Stage, film: str, asked: str, start: int, stop: int) -> None:
    answer = edge.get(film, range=f"bytes={asked}")
    assert answer.status == 206
    assert answer["Content-Range"] == f"bytes {start}-{stop - 1}/{len(FILM)}"
    assert answer.body == FILM[start:stop]
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert answer["Content-Type"] == "video/mp4"


def test_a_range_with_nothing_in_it_is_416(edge: Stage, film: str) -> None:
    answer = edge.get(film, range="bytes=99999-")
    assert answer.status == 416
    assert answer["Content-Range"] == f"bytes */{len(FILM)}"
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert len(answer.all("Cache-Control")) == 1


def test_a_range_that_cannot_be_read_is_ignored(edge: Stage, film: str) -> None:
    for field in ("bytes=5-1", "lines=1-2", "bytes=x", "bytes=0-1;5-6"):
        answer = edge.get(film, range=field)
        assert (answer.status, answer.body) == (200, FILM), field


def test_if_range_keeps_parts_of_two_versions_apart(edge: Stage, film: str) -> None:
    etag = edge.get(film)["ETag"]
    assert edge.get(film, range="bytes=0-1", if_range=etag).status == 206
    assert edge.get(film, range="bytes=0-1", if_range=MODIFIED).status == 206
    assert edge.get(film, range="bytes=0-1", if_range='"other"').body == FILM
    assert edge.get(film, range="bytes=0-1", if_range=EARLIER).body == FILM


def test_a_condition_that_holds_wins_over_a_range(edge: Stage, film: str) -> None:
    etag = edge.get(film)["ETag"]
    assert edge.get(film, range="bytes=99999-", if_none_match=etag).status == 304


def test_ranges_of_renderings(edge: Stage, photo: bytes) -> None:
    edge.origin.on("/media/parts.jpg", photo, etag='"parts"', identity="13" * 32)
    whole = edge.get("/media/parts.jpg?w=100", accept=WEBP).body
    answer = edge.get("/media/parts.jpg?w=100", accept=WEBP, range="bytes=3-8")
    assert (answer.status, answer.body) == (206, whole[3:9])


def test_a_range_that_has_arrived_is_given_while_the_rest_is_awaited(edge: Stage) -> None:
    gate = threading.Event()
    body = bytes(range(256)) * 4096
    edge.origin.on("/media/slow.mp4", body, "video/mp4", etag='"slow"', body_pause=gate)
    try:
        early = edge.get("/media/slow.mp4", range="bytes=1000-1999")
        assert (early.status, early.body) == (206, body[1000:2000])
        assert early["Content-Range"] == f"bytes 1000-1999/{len(body)}"
        assert "collapsed" in edge.get("/media/slow.mp4", range="bytes=0-1").cache
    finally:
        gate.set()
    assert edge.get("/media/slow.mp4").body == body
    until(lambda: edge.get("/media/slow.mp4").hit, "the body was never stored")
    assert edge.origin.count("/media/slow.mp4") == 1


def test_a_body_too_large_for_memory_is_given_from_the_disk(edge: Stage) -> None:
    body = b"0123456789abcdef" * 131072  # 2 MiB
    edge.origin.on("/media/large.bin", body, "application/octet-stream", etag='"large"')
    assert edge.get("/media/large.bin").body == body
    again = edge.get("/media/large.bin")
    assert again.body == body
    assert again.hit
    assert edge.get("/media/large.bin", range="bytes=1500000-1500015").body == body[1500000:1500016]


def parts_of(answer: Answer) -> list[tuple[str, bytes]]:
    """The parts of a multipart/byteranges: their Content-Range and bytes, read by the standard library."""
    head = f"Content-Type: {answer['Content-Type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + answer.body, policy=email.policy.HTTP)
    assert message.get_content_type() == "multipart/byteranges"
    parts = []
    for part in message.iter_parts():
        assert part.get_content_type() == "video/mp4"
        parts.append((part["Content-Range"], part.get_payload(decode=True)))
    return parts


def test_several_ranges_are_given_as_parts(edge: Stage) -> None:
    text = bytes(range(32, 127)) * 100
    edge.origin.on("/media/text.mp4", text, "video/mp4", etag='"text"')
    edge.get("/media/text.mp4")
    answer = edge.get("/media/text.mp4", range="bytes=500-599, 0-9,-5,99999-")
    assert (answer.status, answer.has("Content-Range"), int(answer["Content-Length"])) == (206, False, len(answer.body))
    assert parts_of(answer) == [
        ("bytes 500-599/9500", text[500:600]),
        ("bytes 0-9/9500", text[:10]),
        ("bytes 9495-9499/9500", text[-5:]),
    ]
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert edge.head("/media/text.mp4", range="bytes=0-1,5-6").status == 200


def test_ranges_that_touch_are_one(edge: Stage, film: str) -> None:
    answer = edge.get(film, range="bytes=0-4,5-9")
    assert (answer["Content-Range"], answer.body) == (f"bytes 0-9/{len(FILM)}", FILM[:10])


@pytest.mark.parametrize(
    "field",
    [
        "bytes=" + ",".join(f"{at}-{at}" for at in range(0, 40, 2)),
        "bytes=" + ",".join("0-" for _ in range(10)),
        "bytes=0-9000,1-9001,2-9002,3-9003",
        "bytes=0-0," + " " * 1100 + "2-2",
        "bytes=" + "9" * 2000 + "-",
    ],
)
def test_ranges_that_cost_more_than_the_whole_are_ignored(edge: Stage, film: str, field: str) -> None:
    answer = edge.get(film, range=field)
    assert (answer.status, answer.body) == (200, FILM)


def test_several_ranges_of_a_body_that_is_still_arriving(edge: Stage) -> None:
    gate = threading.Event()
    body = bytes(range(32, 96)) * 8192
    edge.origin.on("/media/arriving.mp4", body, "video/mp4", etag='"arriving"', body_pause=gate)
    try:
        early = edge.get("/media/arriving.mp4", range="bytes=0-9,2000-2009")
        assert [given for _, given in parts_of(early)] == [body[:10], body[2000:2010]]
    finally:
        gate.set()
