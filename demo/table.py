"""The rows as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from demo.reading import Row

_NAMES = {"image/svg+xml": "svg"}


def table(rows: Sequence[Row], edge: str) -> Table:
    """Who asked, URL, type, pixels, bytes, saved, cold ms, hit ms, Cache-Status; wrong rows are marked."""
    made = Table(
        title=f"Read through the edge at {edge}",
        caption="cold: the first time anybody asked for it; – where it was there already, because of another reader",
        header_style="bold",
        pad_edge=False,
    )
    made.add_column("")
    made.add_column("who asked", no_wrap=True)
    made.add_column("URL", no_wrap=True)
    made.add_column("type", no_wrap=True)
    for name in ("pixels", "bytes", "saved", "cold ms", "hit ms"):
        made.add_column(name, justify="right", no_wrap=True)
    made.add_column("Cache-Status (first)", overflow="fold")
    before = rows[0].question.shown if rows else ""
    for row in rows:
        if row.question.shown != before:
            made.add_section()
        before = row.question.shown
        made.add_row(*_cells(row), style="red" if row.wrong else None)
    return made


def _cells(row: Row) -> list[str | Text]:
    question, cold, hit = row.question, row.cold, row.hit
    share = 1 - len(cold.body) / len(question.source.body)
    return [
        Text("✗", "bold red") if row.wrong else Text("✓", "green"),
        question.reader.name,
        question.shown,
        _NAMES.get(cold.kind, cold.kind.removeprefix("image/")),
        f"{row.pixels[0]}×{row.pixels[1]}",
        f"{len(cold.body):,}",
        Text(f"{share:.0%}", "green" if share > 0 else "dim"),
        Text("–", "dim") if cold.hit else f"{cold.seconds * 1000:.0f}",
        f"{hit.seconds * 1000:.1f}",
        cold.fields.get("cache-status", "").removeprefix("facet; "),
    ]
