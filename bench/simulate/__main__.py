"""`python -m bench.simulate`: simulate, and write docs/simulation.md with its plots."""

from __future__ import annotations

import random
import re
import tempfile
from pathlib import Path

import click
from rich.console import Console

from bench.simulate import against
from bench.simulate.page import Results, Scale, markdown
from bench.trace import Asked, Media, Zipf

PAGE = Path("docs") / "simulation.md"
CHECKED = {8: (300, 800), 24: (400, 1500)}
"""Megabytes of disk tier → files and requests of the trace that is compared."""


def small_trace(keys: int, count: int, seed: int = 1) -> list[Asked]:
    """A trace of whole files of 20 to 120 kB by Zipf's law (0.8), small enough for a real edge."""
    chance, law = random.Random(seed), Zipf(keys, 0.8)
    media = [Media(number, "card", chance.randrange(20_000, 120_000)) for number in range(keys)]
    return [Asked(media[law.rank(chance)], "server") for _ in range(count)]


def checked(console: Console) -> list[str]:
    """Rows of the comparison with the real edge."""
    rows = []
    for megabytes, (keys, count) in CHECKED.items():
        console.print(f"a real edge with {megabytes} MiB of disk")
        with tempfile.TemporaryDirectory() as folder:
            found = against.compare(Path(folder), small_trace(keys, count), megabytes * 2**20)
        model = " | ".join(f"{ratio:.1%}" for ratio in found.model.values())
        rows.append(f"| {count:,} requests, {keys} files | {megabytes} MiB | {found.real:.1%} | {model} |")
    return rows


def kept() -> list[str]:
    """The rows that the page has."""
    return re.findall(r"^\| .* requests, .* files \|.*$", PAGE.read_text(), re.MULTILINE) if PAGE.exists() else []


@click.command()
@click.option("--keys", default=20_000, show_default=True, help="Files of the library.")
@click.option("--requests", "count", default=200_000, show_default=True, help="Requests of the trace.")
@click.option("--check/--no-check", default=False, help="Compare with a real edge, too (about two minutes).")
def main(keys: int, count: int, check: bool) -> None:
    """Simulate, and write docs/simulation.md."""
    console = Console()
    with console.status("") as status:
        results = Results(Scale(keys, count), status.update)
    rows = checked(console) if check else kept()
    for name, drawing in results.plots().items():
        (PAGE.parent / "plots").mkdir(exist_ok=True)
        (PAGE.parent / "plots" / name).write_text(drawing)
    PAGE.write_text(markdown(results, rows))
    console.print(f"{PAGE} is written")


if __name__ == "__main__":
    main()
