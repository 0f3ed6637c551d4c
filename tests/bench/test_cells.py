"""A cell's figure is the median of its rounds, its ratio ours by theirs, its verdict true to the unit."""

from __future__ import annotations

import pytest

from bench.cells import OURS, Target, absent, compare, holds, verdict


def test_a_figure_is_the_median_of_the_rounds_and_keeps_its_samples() -> None:
    cells = compare("hit", {OURS: [{"requests / s": value} for value in (10.0, 1000.0, 30.0)]})
    assert [(cell.ours, cell.samples[OURS]) for cell in cells] == [(30.0, [10.0, 1000.0, 30.0])]


def test_a_ratio_is_ours_by_theirs() -> None:
    runs = {OURS: [{"requests / s": 30.0, "p99 ms": 2.0}], "nginx": [{"requests / s": 20.0, "p99 ms": 4.0}]}
    beside = {cell.unit: cell for cell in compare("hit", runs) if cell.peer}
    assert (beside["requests / s"].ratio, beside["p99 ms"].ratio) == (1.5, 0.5)
    assert {cell.verdict for cell in beside.values()} == {"ahead"}


@pytest.mark.parametrize(
    ("unit", "ratio", "said"),
    [
        ("requests / s", 1.2, "ahead"),
        ("requests / s", 0.8, "behind"),
        ("p99 ms", 1.2, "behind"),
        ("peak MB", 0.8, "ahead"),
        ("requests / s", 1.02, "level"),
        ("p99 ms", 0.98, "level"),
        ("p99 ms", None, ""),
    ],
)
def test_less_is_better_where_it_is(unit: str, ratio: float | None, said: str) -> None:
    assert verdict(unit, ratio) == said


def test_a_target_is_met_or_missed_and_belongs_to_one_peer_and_unit() -> None:
    runs = {OURS: [{"requests / s": 79.0}], "nginx": [{"requests / s": 100.0}], "other": [{"requests / s": 79.0}]}
    targets = [Target("requests / s", ">= 0.8", "nginx"), Target("requests / s", "> 78")]
    assert [(cell.peer, cell.target, cell.verdict) for cell in compare("hit", runs, targets)] == [
        ("", "> 78", "met"),
        ("nginx", ">= 0.8", "missed"),
        ("other", "", "level"),
    ]


def test_what_a_peer_cannot_tell_is_no_figure() -> None:
    runs = {OURS: [{"requests / CPU s": 5.0}], "far": [{"requests / s": 4.0}], "still": [{"failures": 0.0}]}
    cells = compare("hit", runs)
    assert [(cell.peer, cell.ours, cell.ratio) for cell in cells] == [
        ("", 5.0, None),
        ("far", None, None),
        ("still", None, None),
    ]


def test_a_peer_that_is_not_there_says_why() -> None:
    assert absent("hit", "Varnish", "not installed").verdict == "not measured: not installed"


@pytest.mark.parametrize(
    ("bound", "value", "kept"),
    [(">= 1.0", 1.0, True), ("> 1", 1.0, False), ("< 5", 4.9, True), ("<= 5", 5.1, False), ("= 0", 0.0, True)],
)
def test_a_bound_is_read_as_it_is_written(bound: str, value: float, kept: bool) -> None:
    assert holds(bound, value) is kept


def test_a_bound_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="a bound is one of"):
        holds("about 5", 5)
