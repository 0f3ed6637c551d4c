"""Entity tags: lists with commas inside quotes, tags without quotes, both comparisons."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.etags import ANY, ETag, parse_etag, parse_etag_list, strong_match, weak_match

values = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"'), max_size=20)
tags = st.builds(ETag, values, st.booleans())


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ('"abc"', ETag("abc")),
        ('W/"abc"', ETag("abc", weak=True)),
        ('""', ETag("")),
        (' "a,b" ', ETag("a,b")),
        ("abc-2", ETag("abc-2")),
        ('"abc', None),
        ("a b", None),
        ("", None),
        ('w/"abc"', None),
    ],
)
def test_a_tag_is_read_with_or_without_quotes(text: str, tag: ETag | None) -> None:
    assert parse_etag(text) == tag


def test_a_list_is_read_up_to_what_is_no_tag() -> None:
    assert parse_etag_list(' "a,b" , W/"c",, d, "e') == (ETag("a,b"), ETag("c", True), ETag("d"))
    assert parse_etag_list(" * ") is ANY
    assert parse_etag_list("") == ()


@given(st.lists(tags))
def test_a_written_list_reads_as_the_same_tags(listed: list[ETag]) -> None:
    assert parse_etag_list(", ".join(map(str, listed))) == tuple(listed)


@given(tags, tags)
def test_strong_matches_are_weak_matches_and_never_of_weak_tags(one: ETag, other: ETag) -> None:
    if strong_match(one, other):
        assert weak_match(one, other)
        assert not one.weak
        assert not other.weak
    assert weak_match(one, ETag(one.value, not one.weak))


@given(st.text())
def test_no_text_makes_reading_fail(text: str) -> None:
    parse_etag(text)
    parse_etag_list(text)
