"""What a benchmark found, in one form for all of them: cells, each a figure of ours beside a peer's.

The rule of this file: pure values and arithmetic. A figure is the median over the rounds; the samples stay in the
cell, so that a reader can see how far the rounds were apart. A ratio is always ours divided by the peer's, also where
less is better; the verdict knows which way is better.
"""

from __future__ import annotations

import operator
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

OURS = "facet"
"""The name under which our runs stand in a comparison."""

LEVEL = 0.03
"""Two figures are level where their ratio is within 3 % of one."""

LESS_IS_BETTER = frozenset({"p50 ms", "p99 ms", "peak MB", "failures", "CPU ms", "ms", "origin requests", "bytes"})
"""The units in which less is better; in all others more is."""

_COMPARISONS = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt, "=": operator.eq}

Run = Mapping[str, float]
"""One round of one server: unit → figure. A unit that cannot be measured there is missing."""


@dataclass(frozen=True)
class Cell:
    """One figure. `name` is the workload, `unit` what was measured; `peer` is empty where nobody stands beside us."""

    name: str
    unit: str
    ours: float | None
    peer: str = ""
    theirs: float | None = None
    ratio: float | None = None
    target: str = ""
    verdict: str = ""
    samples: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """A promise about a workload: of the ratio to `peer`, or, where that is empty, of our own figure."""

    unit: str
    bound: str
    """Such as `>= 0.8`."""
    peer: str = ""


def holds(bound: str, value: float) -> bool:
    """Whether a value keeps a bound such as `>= 0.8`. Raises ValueError for a bound that is none."""
    sign, _, number = bound.partition(" ")
    if sign not in _COMPARISONS:
        raise ValueError(f"a bound is one of {', '.join(_COMPARISONS)}, a space and a number, not {bound!r}")
    return bool(_COMPARISONS[sign](value, float(number)))


def verdict(unit: str, ratio: float | None) -> str:
    """`ahead`, `level` or `behind`; nothing where there is nothing to compare."""
    if ratio is None:
        return ""
    if abs(ratio - 1) <= LEVEL:
        return "level"
    return "ahead" if (ratio < 1) == (unit in LESS_IS_BETTER) else "behind"


def compare(name: str, runs: Mapping[str, Sequence[Run]], targets: Sequence[Target] = ()) -> list[Cell]:
    """The cells of one workload: our runs (under OURS) alone, then beside each peer's, unit by unit.

    A peer without runs could not be measured, and its cell says so."""
    mine = runs.get(OURS, ())
    cells = [_alone(name, unit, mine, targets) for unit in _units(mine)]
    for peer, theirs in runs.items():
        if peer != OURS:
            beside = [_beside(name, unit, mine, peer, theirs, targets) for unit in _units(theirs)]
            cells += beside or [absent(name, peer, "it did not answer")]
    return cells


def absent(name: str, peer: str, reason: str) -> Cell:
    """The row of a peer that could not be measured."""
    return Cell(name, "", None, peer, verdict=f"not measured: {reason}")


def _units(runs: Sequence[Run]) -> list[str]:
    return list(dict.fromkeys(unit for run in runs for unit in run))


def _samples(runs: Sequence[Run], unit: str) -> list[float]:
    return [run[unit] for run in runs if unit in run]


def _median(samples: Sequence[float]) -> float | None:
    return statistics.median(samples) if samples else None


def _alone(name: str, unit: str, mine: Sequence[Run], targets: Sequence[Target]) -> Cell:
    samples = _samples(mine, unit)
    ours = _median(samples)
    bound = next((target.bound for target in targets if target.unit == unit and not target.peer), "")
    judged = "" if not bound or ours is None else "met" if holds(bound, ours) else "missed"
    return Cell(name, unit, ours, target=bound, verdict=judged, samples={OURS: samples})


def _beside(
    name: str, unit: str, mine: Sequence[Run], peer: str, their_runs: Sequence[Run], targets: Sequence[Target]
) -> Cell:
    samples = {OURS: _samples(mine, unit), peer: _samples(their_runs, unit)}
    ours, theirs = _median(samples[OURS]), _median(samples[peer])
    ratio = ours / theirs if ours is not None and theirs else None
    bound = next((target.bound for target in targets if target.unit == unit and target.peer == peer), "")
    if bound and ratio is not None:
        judged = "met" if holds(bound, ratio) else "missed"
    else:
        judged = verdict(unit, ratio)
    return Cell(name, unit, ours, peer, theirs, ratio, bound, judged, samples)
