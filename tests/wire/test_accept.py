"""Accept: weights, specificity, and members that are not to be understood."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.accept import MAX_RANGES, names, parse_accept, weight_of

RFC_EXAMPLE = "text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, text/plain;format=fixed;q=0.4, */*;q=0.5"


@pytest.mark.parametrize(
    ("media_type", "weight"),
    [("text/plain", 700), ("text/html", 300), ("image/jpeg", 500)],
)
def test_the_example_of_the_rfc_weighs_as_it_says(media_type: str, weight: int) -> None:
    assert weight_of(parse_accept(RFC_EXAMPLE), media_type) == weight


@pytest.mark.parametrize(
    ("accept", "weight", "named"),
    [
        ("image/webp", 1000, True),
        ("IMAGE/WEBP", 1000, True),
        ("image/webp;q=0", 0, False),
        ("image/webp;q=0.000, */*", 0, False),
        ("image/webp ; Q=0.5", 500, True),
        ("image/webp;q=0.5;level=1", 500, True),
        ("image/webp;level=1", 0, False),
        ("image/*", 1000, False),
        ("*/*;q=0.1", 100, False),
        ("*/webp", 0, False),
        ("image/webp;q=1.5", 0, False),
        ("image/webp;q=abc", 0, False),
        ("image/webp;q=", 0, False),
        ("image", 0, False),
        ("image/webp2", 0, False),
        ("ximage/webp", 0, False),
        ("", 0, False),
    ],
)
def test_only_a_valid_member_counts(accept: str, weight: int, named: bool) -> None:
    ranges = parse_accept(accept)
    assert weight_of(ranges, "image/webp") == weight
    assert names(ranges, "image/webp") is named


def test_no_more_members_are_read_than_anybody_sends() -> None:
    assert len(parse_accept(",".join(["a/b"] * 10_000))) == MAX_RANGES


@given(st.text())
def test_no_text_makes_reading_fail(text: str) -> None:
    for media_range in parse_accept(text):
        assert 0 <= media_range.weight <= 1000
