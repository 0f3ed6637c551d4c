"""Plots as SVG text, readable on light and on dark pages: bars in groups, and lines over a logarithmic axis.

The rule of this file: pure functions from numbers to text, with no library, no script and no font of its own. Colours
are classes of one style sheet that asks whether the reader's page is dark.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 760
_LABEL, _VALUE = 250, 110
_ROW, _GAP, _HEAD = 20, 14, 24
_PLOT = 300
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600 } .axis { fill: #59636e }
.ours { fill: #0969da } .peer { fill: #afb8c1 } .rule { stroke: #d1d9e0 } .spread { stroke: #1f2328 }
.l0 { stroke: #0969da; fill: #0969da } .l1 { stroke: #bc4c00; fill: #bc4c00 } .l2 { stroke: #1a7f37; fill: #1a7f37 }
.l3 { stroke: #8250df; fill: #8250df } .l4 { stroke: #bf3989; fill: #bf3989 }
polyline { fill: none !important; stroke-width: 2 }
@media (prefers-color-scheme: dark) { text { fill: #f0f6fc } .axis { fill: #9198a1 } .ours { fill: #4493f8 }
.peer { fill: #656c76 } .rule { stroke: #3d444d } .spread { stroke: #f0f6fc } .l0 { stroke: #4493f8; fill: #4493f8 }
.l1 { stroke: #f0883e; fill: #f0883e } .l2 { stroke: #3fb950; fill: #3fb950 } .l3 { stroke: #ab7df8; fill: #ab7df8 }
.l4 { stroke: #db61a2; fill: #db61a2 } }
"""
COLOURS = 5
"""How many lines a plot can tell apart."""


@dataclass(frozen=True)
class Bar:
    """One bar: its middle is drawn, and a thin line from the least to the most of the rounds."""

    label: str
    value: float
    least: float
    most: float
    ours: bool = False


def number(value: float) -> str:
    """A figure with as many digits as a reader can use."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def bars(title: str, groups: Mapping[str, Sequence[Bar]]) -> str:
    """Horizontal bars; each group has a scale of its own."""
    parts, y = [_text(0, 16, title, "title")], _HEAD + 8
    room = WIDTH - _LABEL - _VALUE
    for name, group in groups.items():
        most = max((bar.most for bar in group), default=0.0) or 1.0
        parts.append(_text(0, y + 14, name, "axis"))
        y += _ROW
        for bar in group:
            kind = "ours" if bar.ours else "peer"
            width, left, right = (room * value / most for value in (bar.value, bar.least, bar.most))
            parts.append(_text(12, y + 14, bar.label))
            parts.append(f'<rect class="{kind}" x="{_LABEL}" y="{y + 3}" width="{width:.1f}" height="{_ROW - 6}"/>')
            parts.append(
                f'<line class="spread" x1="{_LABEL + left:.1f}" x2="{_LABEL + right:.1f}" '
                f'y1="{y + _ROW / 2}" y2="{y + _ROW / 2}"/>'
            )
            parts.append(_text(_LABEL + room + 8, y + 14, number(bar.value)))
            y += _ROW
        y += _GAP
    return _svg(title, y, parts)


def lines(
    title: str,
    across: str,
    up: str,
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    top: float | None = None,
) -> str:
    """Lines over a logarithmic axis of x > 0; y begins at nought. Raises ValueError for more lines than COLOURS."""
    if len(series) > COLOURS:
        raise ValueError(f"a plot tells {COLOURS} lines apart, not {len(series)}")
    points = [point for line in series.values() for point in line]
    low, high = math.log10(min(x for x, _ in points)), math.log10(max(x for x, _ in points))
    most = top or max(y for _, y in points) or 1.0
    left, right, above, below = 60, 20, 40, 40
    across_room, up_room = WIDTH - left - right, _PLOT - above - below

    def at(x: float, y: float) -> tuple[float, float]:
        share = (math.log10(x) - low) / ((high - low) or 1)
        return left + share * across_room, above + up_room * (1 - y / most)

    parts = [
        _text(0, 16, title, "title"),
        _text(0, 34, up, "axis"),
        _text(WIDTH - 20, _PLOT - 4, across, "axis", "end"),
    ]
    for step in range(5):
        value = most * step / 4
        y = at(10**low, value)[1]
        parts.append(f'<line class="rule" x1="{left}" x2="{WIDTH - right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(left - 6, y + 4, number(value), "axis", "end"))
    for x in sorted({x for x, _ in points}):
        parts.append(_text(at(x, 0)[0], _PLOT - below + 16, number(x), "axis", "middle"))
    for index, (name, line) in enumerate(series.items()):
        drawn = " ".join("{:.1f},{:.1f}".format(*at(x, y)) for x, y in line)
        parts.append(f'<polyline class="l{index}" points="{drawn}"/>')
        y = _PLOT + 6 + 18 * index
        parts.append(f'<rect class="l{index}" x="{left}" y="{y}" width="12" height="12"/>')
        parts.append(_text(left + 20, y + 11, name))
    return _svg(title, _PLOT + 10 + 18 * len(series), parts)


def _text(x: float, y: float, said: str, kind: str = "", anchor: str = "start") -> str:
    cls = f' class="{kind}"' if kind else ""
    return f'<text{cls} x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(said)}</text>'


def _svg(title: str, height: float, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" role="img">'
    return "\n".join([head, f"<title>{escape(title)}</title>", f"<style>{_STYLE}</style>", *parts, "</svg>\n"])
