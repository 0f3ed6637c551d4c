"""A power cut at any moment loses nothing that was acknowledged, and leaves nothing unexplained."""

from __future__ import annotations

import random
from pathlib import Path

from tests.faults import powercut
from tests.faults.replay import Disk, Kind, Operation
from tests.programs import need

SEED, CHANGES, CUTS = 7, 160, 40


async def test_no_power_cut_loses_what_was_acknowledged(scratch: Path) -> None:
    library = powercut.build(need("gcc"), scratch)
    operations = powercut.record(library, scratch / "run", SEED, CHANGES)
    kinds = {operation.kind for operation in operations}
    assert kinds >= set(Kind) - {Kind.RENAME}, "the recorder missed what the engine does"
    for number in range(CUTS):
        problems = await powercut.cut(operations, random.Random(f"{SEED} {number}"), scratch / "cut")
        assert problems == [], f"cut {number}"


def test_the_replay_keeps_what_was_synced_and_only_that(scratch: Path) -> None:
    def made(*, file: bool, folder: bool) -> list[str]:
        log = [
            Operation(Kind.ROOT, 0, 1, 0, (), b""),
            Operation(Kind.CREATE, 1, 2, 0, ("name",), b""),
            Operation(Kind.WRITE, 0, 2, 0, (), b"x" * 2000),
        ]
        for ticket, (thing, synced) in enumerate(((2, file), (1, folder)), start=1):
            log.append(Operation(Kind.SYNC, 0, thing, ticket, (), b""))
            if synced:
                log.append(Operation(Kind.SYNCED, 0, thing, ticket, (), b""))
        root = scratch / f"{file}{folder}"
        Disk(log, random.Random(1), loss=1.0, torn=0.0).restore(root)
        return [f"{path.name} {path.stat().st_size}" for path in root.iterdir()]

    assert made(file=True, folder=True) == ["name 2000"]
    assert made(file=False, folder=True) == ["name 0"]
    assert made(file=True, folder=False) == []
