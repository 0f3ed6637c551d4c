"""Vary: each meaning of the fields it names has an answer of its own (RFC 9111 §4.1)."""

from __future__ import annotations

from collections.abc import Callable

from tests.edge.rfc9111.conftest import House
from tests.edge.rfc9111.script import line

Script = Callable[..., str]


def varied(body: str, fields: str = "Foo") -> object:
    return line(200, body, cache_control="max-age=3600", Vary=fields)


def test_each_value_has_an_answer_and_both_stay(house: House, script: Script) -> None:
    path = script(varied("1"), varied("2"))
    assert [house.ask(path, Foo=value).body for value in ("1", "2", "1", "2")] == [b"1", b"2", b"1", b"2"]
    assert house.upstream.count(path) == 2


def test_an_absent_field_is_a_value_too(house: House, script: Script) -> None:
    path = script(varied("none"), varied("1"))
    assert [house.ask(path).body, house.ask(path, Foo="1").body, house.ask(path).body] == [b"none", b"1", b"none"]


def test_fields_it_does_not_name_do_not_matter(house: House, script: Script) -> None:
    path = script(varied("1", "Foo, Bar"), varied("2", "Foo, Bar"))
    house.ask(path, Foo="1", Bar="a", Other="x")
    assert house.ask(path, Foo="1", Bar="a", Other="y").body == b"1"
    assert house.ask(path, Foo="1", Bar="b").body == b"2"


def test_the_spelling_of_a_list_does_not_matter(house: House, script: Script) -> None:
    path = script(varied("1", "Accept-Language, Foo"))
    house.ask(path, Accept_Language="en, de;q=0.5", Foo="1,2")
    assert house.ask(path, Accept_Language="DE;q=0.500,EN", Foo="1,  2").body == b"1"


def test_a_star_matches_nothing(house: House, script: Script) -> None:
    for star in ("*", "*, Foo", "Foo, *"):
        path = script(varied("1", star), varied("2", star))
        assert [house.ask(path).body, house.ask(path).body] == [b"1", b"2"]
