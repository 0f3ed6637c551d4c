"""docs/benchmarks.md and its plots, from the results of sections.

The rule of this file: a section stands between two comments that name it. Writing results puts new text between those
and leaves all other sections as they were, with their own date and machine, so that one section can be run alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.cells import OURS, Cell
from bench.results import Result
from bench.svg import Bar, bars, number

PAGE = Path("docs") / "benchmarks.md"
PLOTS = "plots"

_HEAD = """# Benchmarks

Written by `make bench`; every section names its date, machine and method, and keeps the cells that we lose.
`make bench BENCH=full` runs everything at length, `make bench ARGS="hits s3"` only these sections,
`make bench ARGS="hits --peer imgproxy=http://…"` puts a further server beside ours (`python -m bench --help`).

- A figure is the median over the rounds; within a round all servers take turns, and the first round is not counted.
  Plots show the median as a bar and the rounds' least and most as a thin line.
- *requests / CPU s* counts all CPU time of the server's processes, kernel work included; it hardly depends on what
  else the machine does, while *requests / s* and latencies do.
- *peak MB* is the sum of the peak resident sizes of the server's processes, memory they share counted in each.
- *facet / it* divides our figure by the peer's. *ahead* and *behind* are by more than 3 %; *met* and *missed* are said
  where there is a target. A peer that is not installed has a row that says so.
"""


def update(page: Path, results: Sequence[Result]) -> None:
    """Write these sections into the page, and their plots beside it."""
    text = page.read_text() if page.exists() else _HEAD
    (page.parent / PLOTS).mkdir(parents=True, exist_ok=True)
    for result in results:
        text = splice(text, result.section, section(result))
        (page.parent / PLOTS / f"{result.section}.svg").write_text(plot(result))
    page.write_text(_HEAD + text[text.index("\n<!-- begin ") :] if "\n<!-- begin " in text else text)


def splice(text: str, name: str, fresh: str) -> str:
    """The page's text with this section's part replaced, or put at its end."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    block = f"{begin}\n{fresh}\n{end}"
    known = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    return known.sub(lambda _: block, text) if known.search(text) else f"{text.rstrip()}\n\n{block}\n"


def section(result: Result) -> str:
    """One section as Markdown."""
    where = result.machine
    about = [
        f"## {result.title}",
        "",
        result.method,
        "",
        f"{result.date}, {result.length}: {result.rounds} rounds, {result.seconds:g} s a load. {where.processor}, "
        f"{where.cores} cores, {where.memory / 2**30:.0f} GiB, {where.system}; load average before: {result.load:.1f}"
        f"{' (not a quiet machine)' if result.load > 0.5 else ''}. "
        + ", ".join(f"{name} {version}" for name, version in result.versions.items())
        + ".",
        "",
        f"![{result.title}]({PLOTS}/{result.section}.svg)",
    ]
    for name, cells in _by_name(result.cells):
        about += ["", f"**{name}**", "", *table(cells)]
    judged = [cell for cell in result.cells if cell.target]
    if judged:
        about += [
            "",
            "Targets:",
            "",
            *_row("workload", "unit", "beside", "ours", "ratio", "target", "verdict"),
            *_rule(7),
        ]
        for cell in judged:
            ratio = "" if cell.ratio is None else f"{cell.ratio:.2f}"
            about += _row(cell.name, cell.unit, cell.peer, _shown(cell.ours), ratio, cell.target, cell.verdict)
    return "\n".join(about)


def table(cells: Sequence[Cell]) -> list[str]:
    """A workload's cells in Markdown."""
    heading, *rows = columns(cells)
    return [*_row(*heading), *_rule(len(heading)), *(line for row in rows for line in _row(*row))]


def columns(cells: Sequence[Cell]) -> list[list[str]]:
    """A workload's cells: a heading, a line for us and one for each peer; the first unit is compared."""
    units = list(dict.fromkeys(cell.unit for cell in cells if cell.unit))
    peers = list(dict.fromkeys(cell.peer for cell in cells if cell.peer))
    found = {(cell.peer, cell.unit): cell for cell in cells}
    mine = [_shown(next((cell.ours for cell in cells if cell.unit == unit), None)) for unit in units]
    lines = [["server", *units, "facet / it", ""], [OURS, *mine, "", ""]]
    for peer in peers:
        compared = [cell for cell in cells if cell.peer == peer]
        first = next((cell for cell in compared if cell.ratio is not None), compared[0])
        theirs = [_shown(found[peer, unit].theirs) if (peer, unit) in found else "–" for unit in units]
        ratio = "" if first.ratio is None else f"{first.ratio:.2f}"
        lines.append([peer, *theirs, ratio, first.verdict])
    return lines


def plot(result: Result) -> str:
    """The first unit of every workload as bars."""
    groups = {}
    for name, cells in _by_name(result.cells):
        lead = next((cell.unit for cell in cells if cell.unit), "")
        groups[f"{name}: {lead}"] = list(_bars([cell for cell in cells if cell.unit == lead]))
    return bars(result.title, groups)


def _bars(cells: Sequence[Cell]) -> Iterable[Bar]:
    done = set()
    for cell in cells:
        for name, samples in cell.samples.items():
            value = cell.ours if name == OURS else cell.theirs
            if samples and value is not None and name not in done:
                done.add(name)
                yield Bar(name, value, min(samples), max(samples), name == OURS)


def _by_name(cells: Sequence[Cell]) -> list[tuple[str, list[Cell]]]:
    names = dict.fromkeys(cell.name for cell in cells)
    return [(name, [cell for cell in cells if cell.name == name]) for name in names]


def _shown(value: float | None) -> str:
    return "–" if value is None else number(value)


def _row(*cells: str) -> list[str]:
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"]


def _rule(columns: int) -> list[str]:
    return ["|---" + "|--:" * (columns - 1) + "|"]
