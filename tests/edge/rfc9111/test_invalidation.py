"""Unsafe requests end what they may have changed (RFC 9111 §4.4, RFC 9875), and a POST may answer a GET."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.edge.rfc9111.conftest import House
from tests.edge.rfc9111.script import line

Script = Callable[..., str]
FRESH = {"cache_control": "max-age=3600"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "M-SEARCH"])
def test_an_unsafe_request_invalidates_its_target(house: House, script: Script, method: str) -> None:
    path = script(line(200, "old", **FRESH), line(200, "done"), line(200, "new", **FRESH))
    house.ask(path)
    house.send(path, b"", method=method)
    assert [house.ask(path).body, house.ask(path).body] == [b"new", b"new"]


def test_a_failed_one_invalidates_nothing_and_neither_does_a_safe_one(house: House, script: Script) -> None:
    path = script(line(200, "old", **FRESH), line(500, "no"), line(200, "options"))
    house.ask(path)
    house.send(path, b"")
    house.send(path, b"", method="OPTIONS")
    assert house.ask(path).body == b"old"


@pytest.mark.parametrize("field", ["Location", "Content_Location"])
def test_locations_of_the_same_origin_are_invalidated_too(house: House, script: Script, field: str) -> None:
    other = script(line(200, "old", **FRESH), line(200, "new", **FRESH), line(200, "newer"))
    elsewhere = f"http://other.example{other}"
    path = script(line(200, "done", **{field: other}), line(200, "done", **{field: elsewhere}))
    house.ask(other)
    house.send(path, b"")
    assert house.ask(other).body == b"new"
    house.send(path, b"")
    assert house.ask(other).body == b"new"


def test_a_group_is_invalidated_together(house: House, script: Script) -> None:
    one = script(line(200, "1", Cache_Groups='"a", "b"', **FRESH), line(200, "2", Cache_Groups='"a"', **FRESH))
    two = script(line(200, "1", Cache_Groups='"c"', **FRESH))
    path = script(line(200, "done", Cache_Group_Invalidation='"b", "d"'))
    house.ask(one), house.ask(two)
    assert house.ask(one).hit
    house.send(path, b"")
    assert (house.ask(one).body, house.ask(two).body) == (b"2", b"1")
    assert house.ask(one).hit


def test_a_post_that_says_what_a_get_would_get_answers_it(house: House, script: Script) -> None:
    path = script()
    house.upstream.script(path, line(200, "said", Content_Location=path, **FRESH))
    house.send(path, b"")
    assert (house.ask(path).body, house.upstream.count(path)) == (b"said", 1)


def test_a_post_without_either_answers_nobody_else(house: House, script: Script) -> None:
    path = script(line(200, "said", **FRESH), line(200, "got"))
    house.send(path, b"")
    assert house.ask(path).body == b"got"
