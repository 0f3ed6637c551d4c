"""Conditions: the upstream's validators answer clients, and ask the upstream (RFC 9111 §4.3)."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.edge.rfc9111.conftest import House
from tests.edge.rfc9111.script import ago, line

Script = Callable[..., str]
FRESH = "max-age=3600"


@pytest.mark.parametrize(
    ("tag", "condition"),
    [('"a"', '"a"'), ('"a"', '"x", "a", "y"'), ('"a"', 'W/"a"'), ('W/"a"', '"a"'), ("a", '"a"'), ('"a"', "*")],
)
def test_a_stored_answer_answers_conditions_with_the_upstreams_tag(
    house: House, script: Script, tag: str, condition: str
) -> None:
    path = script(line(200, "x", ETag=tag, cache_control=FRESH, Content_Language="de", X_Y="z"))
    assert house.ask(path)["ETag"] == tag
    answer = house.ask(path, If_None_Match=condition)
    assert (answer.status, answer.body, answer["ETag"], answer["X-Y"]) == (304, b"", tag, "z")
    assert not answer.has("Content-Language")
    assert house.upstream.count(path) == 1


def test_dates_answer_conditions_and_a_tag_goes_before_them(house: House, script: Script) -> None:
    now = time.time()
    path = script(line(200, "x", ETag='"a"', Last_Modified=ago(now, 100), cache_control=FRESH))
    house.ask(path)
    assert house.ask(path, If_Modified_Since=ago(now, 100)).status == 304
    assert house.ask(path, If_Modified_Since=ago(now, 101)).status == 200
    assert house.ask(path, If_Modified_Since=ago(now, 0), If_None_Match='"b"').status == 200
    path = script(line(200, "x", Date=ago(now, 50), cache_control=FRESH))
    house.ask(path)
    assert house.ask(path, If_Modified_Since=ago(now, 50)).status == 304
    assert house.ask(path, If_Modified_Since=ago(now, 60)).status == 200


def test_what_is_stale_is_asked_about_with_its_validators(house: House, script: Script) -> None:
    now = time.time()
    path = script(
        line(200, "x", ETag='"a"', Last_Modified=ago(now, 9), cache_control="max-age=0", X_Y="old", Content_Type="a/b"),
        line(304, ETag='"a"', cache_control=FRESH, X_Y="new", Content_Length="99", Content_Type="c/d"),
    )
    house.ask(path)
    answer = house.ask(path, If_None_Match='"theirs"')
    assert house.upstream.heard[path][1].headers["if-none-match"] == '"a"'
    assert (answer.status, answer.body, answer["X-Y"], answer["Content-Type"]) == (200, b"x", "new", "c/d")
    assert answer.cache >= {"fwd=stale", "fwd-status=304"}
    again = house.ask(path)
    assert (again.body, again["X-Y"], again["Content-Length"]) == (b"x", "new", "1")
    assert again.hit


def test_a_condition_about_nothing_stored_reaches_the_upstream(house: House, script: Script) -> None:
    path = script(line(304, ETag='"a"'), line(200, "x", cache_control=FRESH))
    assert house.ask(path, If_None_Match='"a"').status == 304
    assert house.upstream.heard[path][0].headers["if-none-match"] == '"a"'
    assert house.ask(path).body == b"x"


def test_a_head_is_answered_from_what_a_get_stored(house: House, script: Script) -> None:
    path = script(line(200, "xyz", cache_control=FRESH))
    house.ask(path)
    answer = house.ask(path, method="HEAD")
    assert (answer.status, answer["Content-Length"], house.upstream.count(path)) == (200, "3", 1)


def test_a_head_goes_upstream_and_freshens_what_is_stored(house: House, script: Script) -> None:
    path = script(
        line(200, "xyz", ETag='"a"', cache_control="max-age=0", X_Y="old"),
        line(200, "xyz", ETag='"a"', cache_control=FRESH, X_Y="new"),
    )
    house.ask(path)
    assert house.ask(path, method="HEAD")["X-Y"] == "new"
    assert house.upstream.heard[path][1].method == "HEAD"
    answer = house.ask(path)
    assert (answer.body, answer["X-Y"], house.upstream.count(path)) == (b"xyz", "new", 2)


@pytest.mark.parametrize("changed", [line(200, "other!", cache_control=FRESH), line(410)])
def test_a_head_that_shows_a_change_ends_what_is_stored(house: House, script: Script, changed: object) -> None:
    path = script(line(200, "xyz", cache_control=FRESH), changed, line(200, "new", cache_control=FRESH))
    house.ask(path)
    house.ask(path, method="HEAD", Cache_Control="no-cache")
    assert house.ask(path).body == b"new"


def test_ranges_are_cut_from_what_is_stored(house: House, script: Script) -> None:
    path = script(line(200, "0123456789", ETag='"a"', cache_control=FRESH))
    house.ask(path)
    for wanted, given in (("bytes=2-4", b"234"), ("bytes=7-", b"789"), ("bytes=-1", b"9")):
        answer = house.ask(path, Range=wanted)
        assert (answer.status, answer.body) == (206, given)
    assert house.ask(path, Range="bytes=0-1", If_Range='"b"').status == 200
    assert house.ask(path, Range="bytes=99-").status == 416
    assert house.upstream.count(path) == 1


def test_a_range_of_what_is_not_stored_passes(house: House, script: Script) -> None:
    path = script(line(206, "23", Content_Range="bytes 2-3/9"), line(200, "012345678"))
    answer = house.ask(path, Range="bytes=2-3")
    assert (answer.status, answer.body, answer["Content-Range"]) == (206, b"23", "bytes 2-3/9")
    assert house.ask(path).body == b"012345678"
