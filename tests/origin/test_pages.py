"""Promises about the page of operations: it is current and names every operation."""

from __future__ import annotations

from pathlib import Path

from origin.pages import s3_page
from origin.service.operations import TABLE

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_in_the_repository_is_current() -> None:
    assert (ROOT / "docs" / "s3.md").read_text() == s3_page(), "run `make docs`"


def test_every_operation_is_on_the_page() -> None:
    page = s3_page()
    assert all(f"| {operation.name} |" in page for operation in TABLE)
