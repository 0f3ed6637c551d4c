"""The page keeps what was not measured again, and shows every cell of what was."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import document, results
from bench.cells import OURS, Cell, Target, absent, compare
from bench.results import Machine, Result


def result(section: str, cells: list[Cell], date: str = "2026-01-01") -> Result:
    machine = Machine("Linux", "a processor", 2, 2**30)
    return Result(section, section.title(), date, "short", 2, 1, 0.1, machine, {"Python": "3.13"}, "How.", cells)


def cells(rate: float) -> list[Cell]:
    runs = {OURS: [{"requests / s": rate, "p99 ms": 1.0}], "nginx": [{"requests / s": 100.0}]}
    return [*compare("hit", runs, [Target("requests / s", ">= 0.8", "nginx")]), absent("hit", "Varnish", "no | such")]


def test_a_section_run_again_leaves_the_others_with_their_date(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    document.update(page, [result("hits", cells(90)), result("s3", cells(50))])
    document.update(page, [result("hits", cells(70), "2026-02-02")])
    text = page.read_text()
    assert text.count("<!-- begin hits -->") == text.count("<!-- begin s3 -->") == 1
    assert "2026-02-02" in text.split("<!-- end hits -->")[0]
    assert "2026-01-01" in text.split("<!-- begin s3 -->")[1]


def test_writing_the_same_twice_changes_nothing(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    document.update(page, [result("hits", cells(90))])
    once = page.read_text()
    document.update(page, [result("hits", cells(90))])
    assert page.read_text() == once


def test_every_section_has_its_plot(tmp_path: Path) -> None:
    document.update(tmp_path / "benchmarks.md", [result("hits", cells(90))])
    assert (tmp_path / "plots" / "hits.svg").read_text().startswith("<svg")


def test_cells_that_we_lose_are_shown_with_their_verdict() -> None:
    text = document.section(result("hits", cells(70)))
    assert "| hit | requests / s | nginx | 70.0 | 0.70 | >= 0.8 | missed |" in text


def test_a_missing_peer_is_a_row_and_cannot_break_the_table() -> None:
    assert "| Varnish | – | – |  | not measured: no \\| such |" in document.table(cells(90))


def test_a_busy_machine_is_named_busy() -> None:
    quiet = result("hits", cells(90))
    busy = Result(**{name: getattr(quiet, name) for name in quiet.__struct_fields__} | {"load": 3.0})
    assert "not a quiet machine" in document.section(busy)
    assert "not a quiet machine" not in document.section(quiet)


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    one = result("hits", cells(90))
    assert results.read(results.write(one, tmp_path)) == one


@pytest.mark.parametrize("name", ["a\\1b", "x.*"])
def test_what_a_section_says_is_not_a_pattern(name: str) -> None:
    text = document.splice("top\n", "hits", name)
    assert name in document.splice(text, "hits", name)
