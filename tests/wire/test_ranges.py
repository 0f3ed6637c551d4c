"""Ranges: what is satisfiable is within the representation, what is junk or abuse is the whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.ranges import MAX_RANGES, Full, Part, Parts, Selection, Unsatisfiable, content_range, parse_range
from wire.ranges import unsatisfied_range as unsatisfied


@pytest.mark.parametrize(
    ("header", "size", "selection"),
    [
        (None, 10, Full()),
        ("bytes=0-0", 10, Part(0, 0)),
        ("bytes=0-1", 10, Part(0, 1)),
        ("bytes=5-", 10, Part(5, 9)),
        ("bytes=-3", 10, Part(7, 9)),
        ("bytes=-30", 10, Part(0, 9)),
        ("bytes=5-99999999999999999999", 10, Part(5, 9)),
        ("Bytes = 1-2", 10, Part(1, 2)),
        ("bytes= 1-2 ,, ", 10, Part(1, 2)),
        ("bytes=10-", 10, Unsatisfiable()),
        ("bytes=-0", 10, Unsatisfiable()),
        ("bytes=0-", 0, Unsatisfiable()),
        ("bytes=-5", 0, Unsatisfiable()),
        ("bytes=0-1,20-30", 10, Part(0, 1)),
        ("bytes=6-7,0-1", 10, Parts((Part(6, 7), Part(0, 1)))),
        ("bytes=0-3,2-5,8-9", 10, Parts((Part(0, 5), Part(8, 9)))),
        ("bytes=0-4,5-9", 10, Part(0, 9)),
        ("bytes=5-2", 10, Full()),
        ("bytes=0-1,5-2", 10, Full()),
        ("bytes=", 10, Full()),
        ("bytes=a-b", 10, Full()),
        ("bytes=1", 10, Full()),
        ("bytes=-", 10, Full()),
        ("bytes=--1", 10, Full()),
        ("bytes=١-٢", 10, Full()),
        ("items=0-1", 10, Full()),
        ("0-1", 10, Full()),
    ],
)
def test_a_range_selects_what_the_rfc_says(header: str | None, size: int, selection: Selection) -> None:
    assert parse_range(header, size) == selection


@pytest.mark.parametrize(
    "header",
    [
        "bytes=" + ",".join(f"{at * 10}-{at * 10}" for at in range(MAX_RANGES + 1)),
        "bytes=0-,0-,0-,0-",
        "bytes=0-" + "9" * 5000,
    ],
)
def test_abuse_is_answered_with_the_whole(header: str) -> None:
    assert parse_range(header, 1000) == Full()


positions = st.integers(0, 120)
wishes = st.lists(
    st.one_of(
        st.tuples(positions, positions).map(lambda pair: f"{min(pair)}-{max(pair)}"),
        positions.map(lambda first: f"{first}-"),
        positions.map(lambda suffix: f"-{suffix}"),
    ),
    min_size=1,
    max_size=6,
)


def _wanted(member: str, size: int) -> set[int]:
    """The positions of one range, by the words of RFC 9110 §14.1.2 alone."""
    first, _, last = member.partition("-")
    if not first:
        return set(range(size)[-int(last) :]) if int(last) else set()
    return {at for at in range(size) if at >= int(first) and (not last or at <= int(last))}


@given(wishes, st.integers(0, 100))
def test_what_is_selected_is_exactly_what_was_asked_for(members: list[str], size: int) -> None:
    wanted = set().union(*(_wanted(member, size) for member in members))
    match parse_range("bytes=" + ",".join(members), size):
        case Unsatisfiable():
            assert not wanted
        case Part(start, end):
            assert set(range(start, end + 1)) == wanted
        case Parts(parts):
            assert len(parts) > 1
            assert sum(part.length for part in parts) == len(wanted)  # none twice
            assert set().union(*(range(part.start, part.end + 1) for part in parts)) == wanted
        case Full():
            assert len(members) > 3  # only for more than two overlaps


@given(st.text(), st.integers(0, 1000))
def test_no_text_makes_reading_fail(text: str, size: int) -> None:
    parse_range(text, size)
    parse_range("bytes=" + text, size)


def test_content_range_says_where_a_part_lies() -> None:
    assert content_range(0, 1, 10) == "bytes 0-1/10"
    assert unsatisfied(10) == "bytes */10"
