"""Parts of answers: stored, given, joined and completed (RFC 9111 §3.3, §3.4)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.edge.dialogue.stage import until
from tests.edge.rfc9111.conftest import House
from tests.edge.rfc9111.script import Line, line

Script = Callable[..., str]
BODY = "0123456789"


def part(first: int, last: int, tag: str = '"a"', control: str = "max-age=3600", **more: str) -> Line:
    said = {"ETag": tag} if tag else {}
    span = f"bytes {first}-{last}/{len(BODY)}"
    return line(206, BODY[first : last + 1], Content_Range=span, cache_control=control, **said, **more)


@pytest.mark.parametrize("tag", ['"a"', 'W/"a"', ""])
@pytest.mark.parametrize(
    ("wanted", "given", "span"),
    [("2-6", "23456", "2-6"), ("3-5", "345", "3-5"), ("2-2", "2", "2-2"), ("6-6", "6", "6-6")],
)
def test_a_stored_part_answers_what_lies_within_it(
    house: House, script: Script, tag: str, wanted: str, given: str, span: str
) -> None:
    path = script(part(2, 6, tag, X_Kept="k"))
    assert house.ask(path, Range="bytes=2-6").body == b"23456"
    answer = house.ask(path, Range=f"bytes={wanted}")
    assert (answer.status, answer.body, answer["Content-Range"]) == (206, given.encode(), f"bytes {span}/10")
    assert (answer.hit, answer["X-Kept"], answer["Content-Length"]) == (True, "k", str(len(given)))
    assert answer.has("Age")
    assert house.upstream.count(path) == 1


def test_to_the_end_is_a_range_too(house: House, script: Script) -> None:
    path = script(part(5, 9))
    house.ask(path, Range="bytes=5-")
    for wanted, given in (("7-", b"789"), ("-2", b"89"), ("-5", b"56789"), ("5-99", b"56789")):
        assert house.ask(path, Range=f"bytes={wanted}").body == given
    assert house.upstream.count(path) == 1


@pytest.mark.parametrize("wanted", ["0-1", "0-5", "4-7", "7-", "-5", "2-3,5-6"])
def test_what_lies_beyond_it_is_asked_for(house: House, script: Script, wanted: str) -> None:
    path = script(part(2, 6), line(200, "new", cache_control="no-store"))
    house.ask(path, Range="bytes=2-6")
    assert house.ask(path, Range=f"bytes={wanted}").body == b"new"


@pytest.mark.parametrize(
    "first",
    [
        part(2, 6, control="no-store"),
        part(2, 6, control="max-age=0"),
        part(2, 6, control="private, max-age=60"),
        part(2, 6, Vary="Foo"),
        line(206, "23456", Content_Range="bytes 2-6/*", cache_control="max-age=60"),
        line(206, "23456", Content_Range="bytes 2-5/10", cache_control="max-age=60"),
        line(206, "23456", Content_Range="bytes 6-2/10", cache_control="max-age=60"),
        line(206, "23456", cache_control="max-age=60"),
    ],
)
def test_a_part_that_may_not_be_used_again_is_not(house: House, script: Script, first: Line) -> None:
    path = script(first, line(200, "new", cache_control="no-store"))
    assert house.ask(path, Range="bytes=2-6").body == b"23456"
    assert house.ask(path, Range="bytes=2-6").body == b"new"


def test_a_part_is_no_answer_to_a_request_for_all(house: House, script: Script) -> None:
    path = script(part(2, 6), line(200, BODY, cache_control="max-age=3600", ETag='"a"'))
    house.ask(path, Range="bytes=2-6")
    answer = house.ask(path)
    assert (answer.status, answer.body) == (200, BODY.encode())
    assert "range" not in house.upstream.heard[path][1].headers


def test_if_range_asks_about_the_part_that_is_stored(house: House, script: Script) -> None:
    path = script(part(2, 6), line(200, "new", cache_control="no-store"))
    house.ask(path, Range="bytes=2-6")
    assert house.ask(path, Range="bytes=3-4", If_Range='"a"').body == b"34"
    assert house.ask(path, Range="bytes=3-4", If_Range='"b"').body == b"new"


def test_a_part_is_completed_with_what_is_missing(house: House, script: Script) -> None:
    path = script(part(0, 4, X_Y="old"), part(5, 9, X_Y="new"))
    house.ask(path, Range="bytes=0-4")
    answer = house.ask(path)
    assert (answer.status, answer.body, answer["X-Y"]) == (200, BODY.encode(), "new")
    assert not answer.has("Content-Range")
    asked = house.upstream.heard[path][1].headers
    assert (asked["range"], asked["if-range"]) == ("bytes=5-", '"a"')
    assert "fwd=partial" in answer.cache
    again = house.ask(path)
    assert (again.body, again.hit, house.upstream.count(path)) == (BODY.encode(), True, 2)
    assert house.ask(path, Range="bytes=3-6").body == b"3456"


def test_a_stale_part_is_completed_too(house: House, script: Script) -> None:
    path = script(part(0, 4, control="max-age=0"), part(5, 9))
    house.ask(path, Range="bytes=0-4")
    assert house.ask(path).body == BODY.encode()


def test_another_version_is_not_joined(house: House, script: Script) -> None:
    path = script(part(0, 4), line(200, "another", ETag='"b"', cache_control="max-age=3600"))
    house.ask(path, Range="bytes=0-4")
    assert [house.ask(path).body, house.ask(path).body] == [b"another", b"another"]
    path = script(part(0, 4), part(5, 9, '"b"'), line(200, "another", ETag='"b"', cache_control="max-age=3600"))
    house.ask(path, Range="bytes=0-4")
    assert house.ask(path).body == b"another"
    assert "range" not in house.upstream.heard[path][2].headers


@pytest.mark.parametrize("tag", ['W/"a"', ""])
def test_without_a_strong_tag_nothing_is_completed(house: House, script: Script, tag: str) -> None:
    path = script(part(0, 4, tag), line(200, BODY))
    house.ask(path, Range="bytes=0-4")
    assert house.ask(path).body == BODY.encode()
    assert "range" not in house.upstream.heard[path][1].headers


@pytest.mark.parametrize(("second", "wanted"), [((5, 7), "2-7"), ((4, 8), "2-8"), ((0, 3), "0-6"), ((0, 8), "1-8")])
def test_parts_that_touch_become_one(house: House, script: Script, second: tuple[int, int], wanted: str) -> None:
    gone = line(200, "asked again", cache_control="no-store")
    path = script(part(2, 6), part(*second), gone)
    house.ask(path, Range="bytes=2-6")
    assert house.ask(path, Range=f"bytes={second[0]}-{second[1]}").status == 206
    start, end = map(int, wanted.split("-"))

    def joined() -> bool:
        return house.ask(path, Range=f"bytes={wanted}").body == BODY[start : end + 1].encode()

    until(joined, "the parts were not joined")


def test_parts_that_are_all_become_the_whole(house: House, script: Script) -> None:
    path = script(part(0, 4), part(5, 9), line(200, "asked again", cache_control="no-store"))
    house.ask(path, Range="bytes=0-4")
    house.ask(path, Range="bytes=5-9")
    until(lambda: house.ask(path, Cache_Control="only-if-cached").body == BODY.encode(), "they never became one")
    answer = house.ask(path)
    assert (answer.status, answer.has("Content-Range"), house.upstream.count(path)) == (200, False, 2)


def test_an_unsafe_request_ends_a_part(house: House, script: Script) -> None:
    path = script(part(2, 6), line(200, "done"), line(200, "new", cache_control="no-store"))
    house.ask(path, Range="bytes=2-6")
    house.send(path, b"")
    assert house.ask(path, Range="bytes=2-6").body == b"new"


def test_a_whole_answer_answers_ranges_without_asking(house: House, script: Script) -> None:
    path = script(line(200, BODY, cache_control="max-age=3600"))
    house.ask(path)
    for wanted, given in (("0-0", b"0"), ("3-", b"3456789"), ("-4", b"6789"), ("0-99", BODY.encode())):
        assert house.ask(path, Range=f"bytes={wanted}").body == given
    assert house.upstream.count(path) == 1
