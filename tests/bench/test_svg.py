"""Plots are well-formed SVG, to scale, and readable on a dark page."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from bench.svg import COLOURS, Bar, bars, lines, number

SVG = "{http://www.w3.org/2000/svg}"


def test_bars_are_as_long_as_their_values() -> None:
    drawn = ElementTree.fromstring(bars("hits", {"14 KB": [Bar("a", 50, 40, 60, True), Bar("b", 100, 90, 100)]}))
    ours, peer = drawn.findall(f"{SVG}rect")
    assert 2 * float(ours.attrib["width"]) == pytest.approx(float(peer.attrib["width"]), abs=0.1)
    assert (ours.attrib["class"], peer.attrib["class"]) == ("ours", "peer")


def test_every_bar_shows_its_rounds_and_its_figure() -> None:
    text = bars("hits", {"g": [Bar("a", 1234, 1000, 2000)]})
    assert "1,234" in text
    assert len(ElementTree.fromstring(text).findall(f"{SVG}line")) == 1


def test_names_cannot_break_the_drawing() -> None:
    drawn = ElementTree.fromstring(bars("<&>", {'"g" & <h>': [Bar("a<b", 1, 1, 1)]}))
    assert "a<b" in [text.text for text in drawn.iter(f"{SVG}text")]


def test_bars_of_nothing_have_no_length() -> None:
    drawn = ElementTree.fromstring(bars("failures", {"g": [Bar("a", 0, 0, 0)]}))
    assert [rect.attrib["width"] for rect in drawn.findall(f"{SVG}rect")] == ["0.0"]


def test_lines_stand_on_a_logarithmic_axis() -> None:
    drawn = ElementTree.fromstring(lines("hit ratio", "cache", "hits", {"s3-fifo": [(1, 0), (10, 0.5), (100, 1)]}))
    line = drawn.find(f"{SVG}polyline")
    assert line is not None
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    assert points[1][0] - points[0][0] == pytest.approx(points[2][0] - points[1][0], abs=0.2)
    assert points[0][1] > points[1][1] > points[2][1]


def test_a_single_point_can_be_drawn() -> None:
    assert "polyline" in lines("t", "x", "y", {"one": [(5, 0)]})


def test_more_lines_than_colours_are_refused() -> None:
    with pytest.raises(ValueError, match="lines apart"):
        lines("t", "x", "y", {str(name): [(1, 1)] for name in range(COLOURS + 1)})


def test_plots_know_dark_pages() -> None:
    assert "prefers-color-scheme: dark" in bars("t", {})


@pytest.mark.parametrize(("value", "said"), [(0, "0"), (12345.6, "12,346"), (99.96, "100.0"), (1.234, "1.23")])
def test_a_figure_has_the_digits_that_a_reader_can_use(value: float, said: str) -> None:
    assert number(value) == said
