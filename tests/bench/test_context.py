"""Servers take turns; a peer that cannot be reached costs its own row, and nobody else's."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from bench.__main__ import named
from bench.cells import OURS, compare
from bench.context import Context, take_turns
from conf.errors import StartError


def context(folder: Path) -> Context:
    return Context(folder, 2, 1, False, (), lambda _: None)


def test_servers_take_turns_and_the_first_round_is_not_counted(tmp_path: Path) -> None:
    order: list[str] = []

    def load(name: str) -> dict[str, float]:
        order.append(name)
        return {"requests / s": float(len(order))}

    runs = take_turns(context(tmp_path), "hit", {name: lambda name=name: load(name) for name in (OURS, "nginx")})
    assert order == [OURS, "nginx"] * 3
    assert [run["requests / s"] for run in runs[OURS]] == [3.0, 5.0]


def test_a_peer_that_cannot_be_reached_is_a_row(tmp_path: Path) -> None:
    def refuse() -> dict[str, float]:
        raise StartError("connection refused")

    runs = take_turns(context(tmp_path), "hit", {OURS: lambda: {"requests / s": 1.0}, "far": refuse})
    assert [cell.verdict for cell in compare("hit", runs) if cell.peer] == ["not measured: it did not answer"]
    with pytest.raises(StartError):
        take_turns(context(tmp_path), "hit", {OURS: refuse})


def test_a_peer_is_named_with_its_url() -> None:
    assert named("imgproxy=http://h/{source}?a=b").url == "http://h/{source}?a=b"
    assert named("a=http://h/{width}").is_template
    assert not named("minio=http://h:9000").is_template
    for wrong in ("imgproxy", "=http://h", "a=ftp://h"):
        with pytest.raises(click.BadParameter):
            named(wrong)
