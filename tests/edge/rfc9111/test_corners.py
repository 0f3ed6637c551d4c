"""Corners of RFC 9111 that need a dialogue of their own: whose 304 it is, which answer is the latest, races."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.edge.dialogue.stage import until
from tests.edge.rfc9111.conftest import ASSETS, PASSING, House
from tests.edge.rfc9111.script import DROP, ago, line

Script = Callable[..., str]
FRESH = {"cache_control": "max-age=3600"}
STALE = {"cache_control": "max-age=0"}
KINDS = pytest.mark.parametrize("host", [PASSING, ASSETS])


@KINDS
def test_a_304_about_another_tag_confirms_nothing(house: House, script: Script, host: str) -> None:
    path = script(
        line(200, "old", ETag='"a"', **STALE), line(304, ETag='"b"', **FRESH), line(200, "new", ETag='"b"', **FRESH)
    )
    assert house.ask(path, host=host).body == b"old"
    assert [house.ask(path, host=host).body for _ in range(2)] == [b"new", b"new"]
    asked = [heard.headers.get("if-none-match") for heard in house.upstream.heard[path]]
    assert asked == [None, '"a"', None]


def test_both_validators_are_asked_with(house: House, script: Script) -> None:
    modified = ago(time.time(), 99)
    path = script(line(200, "x", ETag='"a"', Last_Modified=modified, **STALE), line(304, **FRESH))
    house.ask(path)
    assert house.ask(path, If_None_Match='"z"').body == b"x"
    asked = house.upstream.heard[path][1].headers
    assert (asked["if-none-match"], asked["if-modified-since"]) == ('"a"', modified)


@pytest.mark.parametrize(
    ("name", "updated"),
    [
        ("X-Test", True),
        ("Content-Type", True),
        ("Content-Location", True),
        ("Content-Security-Policy", True),
        ("Expires", True),
        ("Content-Foo", True),
        ("Content-Encoding", False),
        ("Content-Length", False),
        ("Content-Range", False),
        ("Set-Cookie", False),
        ("Keep-Alive", False),
    ],
)
def test_a_304_updates_what_it_may(house: House, script: Script, name: str, updated: bool) -> None:
    old, new = ("1", "2") if name == "Content-Length" else (ago(0, 0), ago(0, -9)) if name == "Expires" else ("a", "b")
    field = name.replace("-", "_")
    path = script(line(200, "x", ETag='"a"', **STALE, **{field: old}), line(304, ETag='"a"', **FRESH, **{field: new}))
    house.ask(path)
    for answer in (house.ask(path), house.ask(path)):
        assert (answer.body, answer.has(name) and answer[name] == new) == (b"x", updated)


def test_of_several_answers_that_match_the_latest_is_given(house: House, script: Script) -> None:
    now = time.time()
    path = script(
        line(200, "foo", Vary="Foo", Date=ago(now, 30), **FRESH),
        line(200, "bar", Vary="Bar", Date=ago(now, 20), **FRESH),
        line(200, "foo again", Vary="Foo", Date=ago(now, 10), **FRESH),
    )
    assert house.ask(path, Foo="1", Bar="1").body == b"foo"
    assert house.ask(path, Foo="2", Bar="2").body == b"bar"
    assert house.ask(path, Foo="1", Bar="2").body == b"bar"
    assert house.ask(path, Foo="1", Bar="1").body == b"foo"
    assert house.ask(path, Foo="2", Bar="3").body == b"foo again"
    assert house.ask(path, Foo="2", Bar="2").body == b"foo again"
    assert house.upstream.count(path) == 3


def test_what_does_not_vary_stays_beside_what_does(house: House, script: Script) -> None:
    path = script(line(200, "one", **FRESH), line(200, "two", Vary="Foo", **FRESH), line(200, "three"))
    assert house.ask(path, Foo="1").body == b"one"
    assert house.ask(path, Foo="1", Cache_Control="no-cache").body == b"two"
    assert house.ask(path, Foo="1").body == b"two"
    assert house.ask(path, Foo="2").body == b"one"


def test_a_group_that_is_invalidated_while_its_answer_comes_leaves_nothing_old(house: House, script: Script) -> None:
    gate = threading.Event()
    path = script(line(200, "old", gate=gate, Cache_Groups='"raced"', **FRESH), line(200, "new", **FRESH))
    done = script(line(200, "done", Cache_Group_Invalidation='"raced"'))
    with ThreadPoolExecutor(1) as clients:
        early = clients.submit(house.ask, path)
        until(lambda: house.upstream.count(path), "nothing was asked")
        house.send(done, b"")
        gate.set()
        assert early.result().body == b"old"
    assert [house.ask(path).body, house.ask(path).body] == [b"new", b"new"]


def test_an_error_never_stands_in_for_another(house: House, script: Script) -> None:
    path = script(line(503, "first", cache_control="max-age=0, stale-if-error=60"), line(502, "second"))
    assert [house.ask(path).body, house.ask(path).body] == [b"first", b"second"]


def test_a_client_may_ask_for_a_stale_answer_in_place_of_an_error(house: House, script: Script) -> None:
    path = script(line(200, "old", **STALE), line(503, "no"))
    house.ask(path)
    assert house.ask(path, Cache_Control="stale-if-error=60").body == b"old"
    assert house.ask(path).body == b"no"
    path = script(line(200, "old", cache_control="max-age=0, must-revalidate"), line(503, "no"), DROP)
    house.ask(path)
    assert house.ask(path, Cache_Control="stale-if-error=60").body == b"no"
    assert house.ask(path, Cache_Control="stale-if-error=60").status == 502


def test_an_answer_that_only_passes_keeps_its_age(house: House, script: Script) -> None:
    answer = house.ask(script(line(200, "x", cache_control="no-store", Age="123")))
    assert int(answer["Age"]) >= 123


def test_a_stale_window_begins_where_freshness_ended(house: House, script: Script) -> None:
    control = "max-age=60, stale-while-revalidate=60"
    path = script(line(200, "old", Age="1000", cache_control=control), line(200, "new", **FRESH))
    house.ask(path)
    assert house.ask(path).body == b"new"


@pytest.mark.parametrize("condition", [{"If_None_Match": '"a"'}, {"If_Modified_Since": ago(time.time(), 0)}])
def test_only_a_stored_200_is_not_modified(house: House, script: Script, condition: dict[str, str]) -> None:
    modified = ago(time.time(), 99)
    path = script(line(404, "none", ETag='"a"', Last_Modified=modified, **FRESH))
    house.ask(path)
    assert house.ask(path, **condition).status == 404


@KINDS
@pytest.mark.parametrize("control", ["private, max-age=3600", "no-store, max-age=3600"])
def test_a_304_that_forbids_storing_leaves_nothing_to_reuse(
    house: House, script: Script, host: str, control: str
) -> None:
    first = line(200, "x", ETag='"a"', cache_control="max-age=0, stale-if-error=60")
    path = script(first, line(304, ETag='"a"', cache_control=control), DROP)
    assert [house.ask(path, host=host).body for _ in range(2)] == [b"x", b"x"]
    assert house.ask(path, host=host).status == 502


@pytest.mark.parametrize("status", [407, 412, 416, 417])
def test_what_is_about_one_requests_fields_is_no_answer_to_another(house: House, script: Script, status: int) -> None:
    path = script(line(status, "no", Content_Range="bytes */10", **FRESH), line(200, "0123456789", **FRESH))
    assert house.ask(path, Range="bytes=99-").status == status
    assert house.ask(path, Range="bytes=0-1").body == b"01"
    assert house.ask(path).body == b"0123456789"
