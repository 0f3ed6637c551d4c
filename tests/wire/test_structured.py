"""Structured fields: what is written reads as the same, and what the RFC refuses is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.structured import (
    BareItem,
    Date,
    DisplayString,
    InnerList,
    Item,
    MalformedField,
    Token,
    parse_dictionary,
    parse_item,
    parse_list,
    serialise_dictionary,
    serialise_item,
    serialise_list,
)

keys = st.from_regex(r"[a-z*][a-z0-9_\-.*]{0,8}", fullmatch=True)
bare_items: st.SearchStrategy[BareItem] = st.one_of(
    st.integers(-(10**15) + 1, 10**15 - 1),
    st.integers(-(10**15) + 1, 10**15 - 1).map(lambda thousandths: Decimal(thousandths) / 1000),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)),
    st.from_regex(r"[A-Za-z*][A-Za-z0-9:/!#]{0,8}", fullmatch=True).map(Token),
    st.binary(max_size=12),
    st.booleans(),
    st.integers(0, 10**12).map(Date),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12).map(DisplayString),
)
parameters = st.dictionaries(keys, bare_items, max_size=3)
items = st.builds(Item, bare_items, parameters)
members = st.one_of(items, st.builds(InnerList, st.lists(items, max_size=3).map(tuple), parameters))


@given(items)
def test_a_written_item_reads_as_the_same(item: Item) -> None:
    assert parse_item(serialise_item(item)) == item


@given(st.lists(members, max_size=4))
def test_a_written_list_reads_as_the_same(listed: list[Any]) -> None:
    assert parse_list(serialise_list(listed)) == tuple(listed)


@given(st.dictionaries(keys, members, max_size=4))
def test_a_written_dictionary_reads_as_the_same(written: dict[str, Any]) -> None:
    assert parse_dictionary(serialise_dictionary(written)) == written


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", 42),
        ("-0", 0),
        ("4.5", Decimal("4.5")),
        (r'"a\"b\\"', 'a"b\\'),
        ("foo123/456", Token("foo123/456")),
        (":cHJldGVuZA==:", b"pretend"),
        ("?1", True),
        ("@1659578233", Date(1659578233)),
        ('%"f%c3%bc%c3%bc"', DisplayString("füü")),
    ],
)
def test_the_examples_of_the_rfc_are_read(text: str, value: BareItem) -> None:
    assert parse_item(text).value == value
    assert type(parse_item(text).value) is type(value)


def test_the_later_of_two_keys_counts_and_a_bare_key_is_true() -> None:
    assert parse_dictionary("a=1, b;x, a=2") == {"b": Item(True, {"x": True}), "a": Item(2)}
    assert parse_dictionary("max-age=600, must-revalidate") == {"max-age": Item(600), "must-revalidate": Item(True)}


NUMBERS = ("1.", "1.2345", "1000000000000000", "1234567890123.1", "-", "--1", "@1.5")
OTHERS = ("", "1,2", '"a', '"\x7f"', '"ü"', ":a=b:", "?2", '%"%FF"', '%"%ff"', "%a", "é", "(1)")


@pytest.mark.parametrize("text", [*NUMBERS, *OTHERS])
def test_what_is_no_item_is_refused(text: str) -> None:
    with pytest.raises(MalformedField):
        parse_item(text)


@pytest.mark.parametrize("text", ["1,", ",1", "1 2", "(1", "(1,2)", "(1)(2)", "1;=2"])
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(MalformedField):
        parse_list(text)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_item, parse_list, parse_dictionary):
        try:
            parse(text)
        except MalformedField:
            continue


@pytest.mark.parametrize("value", [10**15, Decimal(10**12), Decimal("NaN"), "ü", "\n", Token("1a"), Token("")])
def test_what_has_no_form_is_not_written(value: BareItem) -> None:
    with pytest.raises(MalformedField):
        serialise_item(Item(value))


def test_decimals_are_rounded_half_to_even() -> None:
    written = [serialise_item(Item(Decimal(text))) for text in ("1.0005", "1.0015", "2", "-0.5")]
    assert written == ["1.0", "1.002", "2.0", "-0.5"]
