"""Tables of a run for other pages: as JSON, and from there as Markdown: `python -m bench.pages FILE`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict

import click
import orjson
from rich.table import Table


class Page(TypedDict):
    """A table as plain values."""

    title: str
    columns: list[str]
    rows: list[list[str]]


def page(table: Table) -> Page:
    """The plain values of a table."""
    cells = [[str(cell) for cell in column.cells] for column in table.columns]
    return Page(
        title=str(table.title or ""),
        columns=[str(column.header) for column in table.columns],
        rows=[list(row) for row in zip(*cells, strict=True)],
    )


def markdown(page: Page) -> str:
    """The table as a page of the documentation shows it."""
    lines = [page["columns"], ["---"] * len(page["columns"]), *page["rows"]]
    return f"**{page['title']}**\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write(path: Path, machine: str, pages: Iterable[Page]) -> None:
    """Write a run's tables as JSON: `{"machine": …, "tables": […]}`."""
    path.write_bytes(orjson.dumps({"machine": machine, "tables": list(pages)}, option=orjson.OPT_INDENT_2))


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True))
def main(file: Path) -> None:
    """Print the tables of a run as Markdown."""
    run = orjson.loads(file.read_bytes())
    click.echo(f"{run['machine']}\n")
    for table in run["tables"]:
        click.echo(markdown(table))


if __name__ == "__main__":
    main()
