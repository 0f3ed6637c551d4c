"""Sizes, against an arithmetic of their own: exact fractions and the meaning of each fit."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.policy.geometry import Geometry, geometry
from edge.policy.variant import parse

MAX_SIDE = 4000


def sizes(width: int, height: int, query: str) -> Geometry:
    return geometry(width, height, parse(query, MAX_SIDE), MAX_SIDE)


@pytest.mark.parametrize(
    ("query", "size"),
    [
        ("", (1000, 500, 1000, 500)),
        ("w=100", (100, 50, 100, 50)),
        ("h=100", (200, 100, 200, 100)),
        ("w=100&h=100", (100, 50, 100, 50)),
        ("w=100&h=10", (20, 10, 20, 10)),
        ("w=50&dpr=2", (100, 50, 100, 50)),
        ("w=2000", (1000, 500, 1000, 500)),
        ("w=2000&enlarge=1", (2000, 1000, 2000, 1000)),
        ("w=3&h=1", (2, 1, 2, 1)),
        ("w=1", (1, 1, 1, 1)),
        ("w=100&h=100&fit=cover", (200, 100, 100, 100)),
        ("w=100&h=10&fit=cover", (100, 50, 100, 10)),
        ("w=800&h=800&fit=cover", (1000, 500, 500, 500)),
        ("w=4000&h=1000&fit=cover", (1000, 500, 1000, 250)),
        ("w=2000&h=2000&fit=cover&enlarge=1", (4000, 2000, 2000, 2000)),
        ("w=100&h=100&fit=fill", (100, 100, 100, 100)),
        ("w=2000&h=1000&fit=fill", (1000, 500, 1000, 500)),
        ("w=1000&h=1000&fit=fill", (500, 500, 500, 500)),
        ("w=100&h=100&fit=pad", (100, 50, 100, 100)),
        ("w=2000&h=800&fit=pad", (1000, 500, 2000, 800)),
        ("w=2000&h=800&fit=pad&enlarge=1", (1600, 800, 2000, 800)),
    ],
)
def test_each_fit_does_what_the_table_says(query: str, size: tuple[int, int, int, int]) -> None:
    assert sizes(1000, 500, query) == size


def test_a_long_source_is_bounded_on_its_other_side_too() -> None:
    assert sizes(100, 100_000, "w=100") == (4, 4000, 4, 4000)
    assert sizes(100, 100_000, "w=100&enlarge=1") == (4, 4000, 4, 4000)


side = st.integers(1, 3000)
wish = st.one_of(st.just(0), st.integers(1, MAX_SIDE))


def _rounded(value: Fraction) -> int:
    return max(1, floor(value + Fraction(1, 2)))


@given(side, side, wish, wish, st.booleans())
def test_contain_is_the_largest_size_within_the_box(
    width: int, height: int, box_width: int, box_height: int, enlarge: bool
) -> None:
    query = "&".join(
        text
        for text, given in ((f"w={box_width}", box_width), (f"h={box_height}", box_height), ("enlarge=1", enlarge))
        if given
    )
    scale = min(Fraction(box_width or MAX_SIDE, width), Fraction(box_height or MAX_SIDE, height))
    if not (box_width or box_height) or (not enlarge and scale > 1):
        scale = Fraction(1)
    expected = _rounded(width * scale), _rounded(height * scale)
    assert sizes(width, height, query) == (*expected, *expected)


@given(side, side, st.integers(1, MAX_SIDE), st.integers(1, MAX_SIDE), st.booleans())
def test_cover_fills_its_box_and_no_more_than_it_must(
    width: int, height: int, box_width: int, box_height: int, enlarge: bool
) -> None:
    size = sizes(width, height, f"w={box_width}&h={box_height}&fit=cover&enlarge={enlarge:d}")
    shrink = min(Fraction(1), Fraction(width, box_width), Fraction(height, box_height))
    factor = Fraction(1) if enlarge else shrink
    assert (size.width, size.height) == (_rounded(box_width * factor), _rounded(box_height * factor))
    assert size.resize_width >= size.width
    assert size.resize_height >= size.height
    assert size.resize_width == size.width or size.resize_height == size.height
    if not enlarge:
        assert size.resize_width <= width
        assert size.resize_height <= height


@given(side, side, st.integers(1, MAX_SIDE), st.integers(1, MAX_SIDE), st.sampled_from(["contain", "cover", "fill"]))
def test_nothing_is_enlarged_unasked(width: int, height: int, box_width: int, box_height: int, fit: str) -> None:
    size = sizes(width, height, f"w={box_width}&h={box_height}&fit={fit}")
    assert size.resize_width <= width
    assert size.resize_height <= height
    assert size.width <= min(width, box_width)
    assert size.height <= min(height, box_height)
