"""The faults at length (`make soak`): `python -m tests.faults.soak [--kills N] [--cuts N] [--changes N] …`.

The rule of this file: work is cut into pieces with seeds of their own. A finished piece is a line in the report's
journal, and a run that is started again goes on with the pieces that are not there yet.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import click
import structlog
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.faults import disktier, powercut
from tests.faults.conftest import scratch_folder
from tests.faults.kills import ROOT, Kill, Store
from tests.faults.sharing import share
from tests.programs import found

KILLS, CUTS, CHANGES, HISTORIES = 20, 100, 5000, 25
"""What one piece does: kills of one store, cuts of one recorded run, changes over few distinct bodies, histories."""
TIER_FAULTS = 50
"""Kills, or flipped bits, of one piece of the edge's disk tier."""
RECORDED, STEPS = 200, 60


@dataclass(frozen=True)
class Kind:
    """One kind of piece: `size` units each; `run` returns what was done, and what is wrong."""

    name: str
    size: int
    run: Callable[[int, Path], Awaitable[tuple[int, list[str]]]]


async def kills(seed: int, folder: Path) -> tuple[int, list[str]]:
    """A fresh store, killed KILLS times; counts acknowledged changes."""
    store = Store(folder / "store", seed)
    chance = random.Random(f"kills {seed}")
    for _ in range(KILLS):
        await store.kill(Kill.draw(chance))
    return store.acknowledged, store.problems


async def cuts(seed: int, folder: Path) -> tuple[int, list[str]]:
    """One recorded run, cut CUTS times; counts recorded operations."""
    compiler = found("gcc")
    if compiler is None:
        raise click.ClickException("power cuts need gcc: apt-get install gcc")
    operations = powercut.record(powercut.build(compiler, folder), folder / "run", seed, RECORDED)
    problems = []
    for number in range(CUTS):
        chance = random.Random(f"cut {seed} {number}")
        problems += [f"cut {number}: {one}" for one in await powercut.cut(operations, chance, folder / "cut")]
    return len(operations), problems


async def changes(seed: int, folder: Path) -> tuple[int, list[str]]:
    """CHANGES over few distinct bodies with the collector running all the time; counts bytes read back."""
    return await share(folder / "data", seed, CHANGES)


async def models(seed: int, folder: Path) -> tuple[int, list[str]]:
    """HISTORIES of up to STEPS changes against a dictionary; counts the most changes there were."""
    # In a process of its own, whose engine is made small, and whose event loop is the machine's.
    command = f"from tests.faults import model, small; small.shrink(); model.histories({HISTORIES}, {STEPS}, {seed})"
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", command], cwd=folder, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return HISTORIES * STEPS, [] if done.returncode == 0 else [done.stdout + done.stderr]


async def tier_kills(seed: int, folder: Path) -> tuple[int, list[str]]:
    """TIER_FAULTS writers of the edge's disk tier killed; counts them."""
    seeds = range(seed * TIER_FAULTS, (seed + 1) * TIER_FAULTS)
    return TIER_FAULTS, [problem for one in seeds for problem in await asyncio.to_thread(disktier.kill, folder, one)]


async def tier_flips(seed: int, folder: Path) -> tuple[int, list[str]]:
    """TIER_FAULTS bits of the edge's disk tier flipped; counts them."""
    disktier.refill(folder)
    seeds = range(seed * TIER_FAULTS, (seed + 1) * TIER_FAULTS)
    return TIER_FAULTS, [problem for one in seeds for problem in await asyncio.to_thread(disktier.flip, folder, one)]


KINDS = (
    Kind("kills", KILLS, kills),
    Kind("cuts", CUTS, cuts),
    Kind("changes", CHANGES, changes),
    Kind("models", HISTORIES, models),
    Kind("tier kills", TIER_FAULTS, tier_kills),
    Kind("tier flips", TIER_FAULTS, tier_flips),
)


def piece(kind: Kind, seed: int) -> dict[str, object]:
    """Run one piece in a folder of its own; its line of the journal."""
    began = time.monotonic()
    with scratch_folder() as folder:
        done, problems = asyncio.run(kind.run(seed, folder))
        shutil.rmtree(folder, ignore_errors=True)
    seconds = round(time.monotonic() - began, 1)
    return {"kind": kind.name, "seed": seed, "units": kind.size, "done": done, "seconds": seconds, "problems": problems}


def totals(lines: list[dict[str, object]]) -> Table:
    """The report."""
    table = Table("kind", "pieces", "units", "changes / bytes", "seconds", "problems", title="soak")
    for kind in KINDS:
        mine = [line for line in lines if line["kind"] == kind.name]
        sums = {name: sum(line[name] for line in mine) for name in ("units", "done", "seconds")}  # type: ignore[misc]
        problems = sum(len(line["problems"]) for line in mine)  # type: ignore[arg-type]
        table.add_row(
            kind.name, str(len(mine)), f"{sums['units']:,}", f"{sums['done']:,}", f"{sums['seconds']:,.0f}",
            str(problems),
        )  # fmt: skip
    return table


@click.command()
@click.option("--kills", "kills_wanted", default=1000, show_default=True, help="Kills in all.")
@click.option("--cuts", "cuts_wanted", default=10_000, show_default=True, help="Power cuts in all.")
@click.option("--changes", "changes_wanted", default=100_000, show_default=True, help="Changes over shared bodies.")
@click.option("--histories", "histories_wanted", default=1000, show_default=True, help="Histories of the model.")
@click.option("--tier-faults", default=1000, show_default=True, help="Kills of the edge's disk tier; as many flips.")
@click.option("--seconds", default=0.0, help="Begin no further piece after this time; 0 is no limit.")
@click.option("--seed", default=1, show_default=True, help="The first piece's seed.")
@click.option("--report", default=Path("build/soak"), show_default=True, type=click.Path(path_type=Path))
def main(
    kills_wanted: int,
    cuts_wanted: int,
    changes_wanted: int,
    histories_wanted: int,
    tier_faults: int,
    seconds: float,
    seed: int,
    report: Path,
) -> None:
    """Kill, cut and share until everything wanted is done; the exit status is 1 where anything was wrong."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    console = Console()
    report.mkdir(parents=True, exist_ok=True)
    journal = report / "pieces.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []
    known = {(line["kind"], line["seed"]) for line in lines}
    wanted = dict(
        zip(KINDS, (kills_wanted, cuts_wanted, changes_wanted, histories_wanted, tier_faults, tier_faults), strict=True)
    )
    todo = [
        (kind, seed + number)
        for number in range(max(-(-count // kind.size) for kind, count in wanted.items()))
        for kind, count in wanted.items()
        if number * kind.size < count and (kind.name, seed + number) not in known
    ]
    began = time.monotonic()
    with Progress(console=console) as progress:
        task = progress.add_task("soaking", total=len(todo))
        for kind, number in todo:
            if seconds and time.monotonic() - began > seconds:
                break
            line = piece(kind, number)
            lines.append(line)
            with journal.open("a") as file:
                file.write(json.dumps(line) + "\n")
            for problem in line["problems"]:  # type: ignore[attr-defined]
                console.print(f"{kind.name} {number}: {problem}")
            progress.advance(task)
    console.print(totals(lines))
    with (report / "report.txt").open("w") as file:
        Console(file=file, width=120).print(totals(lines))
    if any(line["problems"] for line in lines):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
