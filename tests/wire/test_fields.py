"""Field values: lists, directives, parameters; reading never fails."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.fields import (
    combine,
    connection_options,
    delta_seconds,
    media_type,
    parse_cache_control,
    quote,
    split_list,
    split_parameters,
    unquote,
)


def test_lines_of_one_name_become_one_value_in_order() -> None:
    assert combine([("Vary", "a"), ("X", "1"), ("vary", "b")]) == {"vary": "a, b", "x": "1"}


@pytest.mark.parametrize(
    ("value", "members"),
    [
        ("a, b ,c", ["a", "b", "c"]),
        (",, a ,", ["a"]),
        ('a="1,2", b', ['a="1,2"', "b"]),
        (r'"\",", b', [r'"\","', "b"]),
        ('"open, a', ['"open, a']),
        ("", []),
    ],
)
def test_commas_within_quotes_do_not_separate(value: str, members: list[str]) -> None:
    assert split_list(value) == members


@pytest.mark.parametrize(
    ("value", "directives"),
    [
        ("max-age=5", {"max-age": "5"}),
        ("Public, MAX-AGE=5", {"public": None, "max-age": "5"}),
        ("max-age =5, s-maxage= 5, no-store =", {"max-age": "", "s-maxage": "", "no-store": ""}),
        ("max-age=5, max-age=9", {"max-age": "5"}),
        ('no-cache="set-cookie, x", private', {"no-cache": "set-cookie, x", "private": None}),
        ('max-age="7"', {"max-age": "7"}),
        ("max-age=", {"max-age": ""}),
        ("", {}),
        (None, {}),
    ],
)
def test_the_first_of_a_directive_counts(value: str | None, directives: dict[str, str | None]) -> None:
    assert parse_cache_control(value) == directives


def test_directives_of_several_lines_are_one_set() -> None:
    assert parse_cache_control(["max-age=1", "public"]) == {"max-age": "1", "public": None}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("60", 60), ("9" * 30, 2**31), ("-1", None), ("1.5", None), ("", None), (None, None), ("٦", None)],
)
def test_seconds_are_whole_and_bounded(text: str | None, seconds: int | None) -> None:
    assert delta_seconds(text) == seconds


def test_parameters_are_split_and_unquoted() -> None:
    assert split_parameters('inline; FileName="a;b\\".jpg"; x') == ("inline", [("filename", 'a;b".jpg'), ("x", "")])
    assert media_type("Text/HTML; charset=utf-8") == "text/html"
    assert media_type(None) == ""


def test_a_connection_names_its_own_fields() -> None:
    assert connection_options("Close, X-Mine") == {"close", "x-mine"}
    assert connection_options(None) == frozenset()


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_a_quoted_text_reads_as_itself(text: str) -> None:
    assert unquote(quote(text)) == text
    assert split_list(f"a={quote(text)}, b") == [f"a={quote(text)}", "b"]


@given(st.text())
def test_no_text_makes_reading_fail(text: str) -> None:
    split_list(text)
    split_parameters(text)
    parse_cache_control(text)
    connection_options(text)
