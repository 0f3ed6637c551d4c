"""All benchmarks by one command: `python -m bench [SECTION]… [--full] [--peer NAME=URL]…` (`make bench`).

Every section writes build/bench/NAME.json and its part of docs/benchmarks.md as soon as it is done; a section that
cannot start (a program is missing) says so and the others go on. The exit status is 1 where a section failed.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench import document, results
from bench.cells import OURS
from bench.context import Context, Named, Section
from bench.sections import SECTIONS
from conf.errors import StartError

ROUNDS = {"short": 2, "full": 5}
SECONDS = {"short": 1, "full": 3}


def named(value: str) -> Named:
    """A peer from `NAME=URL`. Raises click.BadParameter."""
    name, sign, url = value.partition("=")
    if not name or not sign or not url.startswith(("http://", "https://")):
        raise click.BadParameter(f"{value!r} is not NAME=http://…")
    return Named(name, url)


@click.command()
@click.argument("names", nargs=-1, metavar="[SECTION]...", type=click.Choice([one.name for one in SECTIONS]))
@click.option("--full/--short", "full", default=False, help="At length, for the page; short is to see that it runs.")
@click.option("--rounds", type=click.IntRange(1), help=f"Counted rounds [{ROUNDS['short']}; full {ROUNDS['full']}].")
@click.option("--seconds", type=click.IntRange(1), help="Of one load [1; full 3].")
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Where to work, on the disk to measure [a temporary one]."
)
@click.option(
    "--peer",
    "peers",
    multiple=True,
    metavar="NAME=URL",
    help="A further server. With fields in the URL ({source}, {width}, {format}) it is asked for pictures; without, it "
    "is an S3 endpoint with the keys from NAME_ACCESS_KEY and NAME_SECRET_KEY, or AWS's own variables.",
)
@click.option("--redraw", is_flag=True, help="Measure nothing; write the page again from build/bench/*.json.")
@click.option("--page/--no-page", default=True, help="Write docs/benchmarks.md and its plots.")
def main(
    names: tuple[str, ...],
    full: bool,
    rounds: int | None,
    seconds: int | None,
    folder: Path | None,
    peers: tuple[str, ...],
    redraw: bool,
    page: bool,
) -> None:
    """Measure Facet beside other servers, print the tables and write the page."""
    if redraw:
        files = [results.FOLDER / f"{section.name}.json" for section in SECTIONS if not names or section.name in names]
        document.update(document.PAGE, [results.read(file) for file in files if file.exists()])
        return
    length = "full" if full else "short"
    rounds, seconds = rounds or ROUNDS[length], seconds or SECONDS[length]
    further = tuple(named(peer) for peer in peers)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    console = Console(width=140)
    wanted = [section for section in SECTIONS if not names or section.name in names]
    failed = False
    with Progress(
        TextColumn("{task.completed}/{task.total}"), BarColumn(20), TimeElapsedColumn(),
        TextColumn("{task.description}"), console=console, transient=True,
    ) as progress:  # fmt: skip
        task = progress.add_task("", total=len(wanted))
        for section in wanted:
            with tempfile.TemporaryDirectory(dir=folder, prefix="facet-bench-") as name:
                Path(name).chmod(0o755)
                context = Context(
                    Path(name), rounds, seconds, full, further,
                    lambda what, section=section: progress.update(task, description=f"{section.name}: {what}"),
                )  # fmt: skip
                try:
                    result = measured(section, context, length)
                except StartError as error:
                    console.print(f"[bold]{section.name}[/] was not measured: {error}")
                    failed = True
                    continue
                finally:
                    progress.advance(task)
            results.write(result)
            if page:
                document.update(document.PAGE, [result])
            show(console, result)
    raise SystemExit(int(failed))


def measured(section: Section, context: Context, length: str) -> results.Result:
    """Run one section."""
    load, began = os.getloadavg()[0], time.monotonic()
    cells = section.run(context)
    context.step(f"done in {time.monotonic() - began:.0f} s")
    return results.Result(
        section.name, section.title, results.today(), length, context.rounds, context.seconds, load,
        results.machine(), results.versions(), section.method, cells,
    )  # fmt: skip


def show(console: Console, result: results.Result) -> None:
    """The section's cells as tables."""
    for name in dict.fromkeys(cell.name for cell in result.cells):
        table = Table(title=f"{result.title}: {name}")
        cells = [cell for cell in result.cells if cell.name == name]
        heading, *rows = document.columns(cells)
        for column in heading:
            table.add_column(column, justify="left" if column == "server" else "right")
        for row in rows:
            table.add_row(*row, style="bold" if row[0] == OURS else None)
        console.print(table)
    for cell in result.cells:
        if cell.target:
            console.print(f"  {cell.name}, {cell.unit}, {cell.peer or 'alone'}: {cell.target} {cell.verdict}")


if __name__ == "__main__":
    main()
