"""Power cuts: one recorded run, cut anywhere, replayed into a fresh folder and opened.

The rule of this file: what a mark in the log's prefix acknowledges must be there, whatever of the rest is lost.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

from tests.faults.examine import examine
from tests.faults.replay import Disk, Kind, Operation, marks, parse
from tests.faults.sharing import KEY
from tests.faults.traffic import Journal

ROOT = Path(__file__).parents[2]
SOURCE = Path(__file__).with_name("recorder.c")
LOSSES = (0.0, 0.02, 0.3, 0.5, 0.9, 1.0)
"""How much of what is not synced a cut loses: nothing, a little, most, everything."""


def build(compiler: str, folder: Path) -> Path:
    """The recorder as a library to preload."""
    library = folder / "recorder.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-lpthread"], check=True)
    return library


def record(library: Path, folder: Path, seed: int, count: int) -> list[Operation]:
    """Run `count` changes under the recorder and read its log; `folder` is used up."""
    root, log = folder / "root", folder / "log"
    root.mkdir(parents=True)
    environment = {
        **os.environ,
        "LD_PRELOAD": str(library),
        "RECORD_LOG": str(log),
        "RECORD_ROOT": str(root),
        "RECORD_MARKS": str(folder / "marks"),
    }
    command = [sys.executable, "-m", "tests.faults.recorded", str(root / "data"), str(seed), str(count)]
    subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        check=True,
        timeout=300,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    operations = parse(log.read_bytes())
    shutil.rmtree(folder)
    return operations


def journal_of(operations: list[Operation]) -> Journal:
    """What the marks say that each key may hold."""
    journal = Journal()
    for mark in marks(operations):
        what, key, state = json.loads(mark)
        if what == "begin":
            journal.begin(key, state)
        elif what == "done":
            journal.done(key, state)
    return journal


async def cut(operations: list[Operation], chance: random.Random, folder: Path) -> list[str]:
    """Cut the power somewhere and open what is left in `folder`; returns what is wrong.

    One cut of four is in the first start.
    """
    started = next(index for index, operation in enumerate(operations) if operation.kind is Kind.MARK)
    prefix = operations[: chance.randint(0, started if chance.random() < 0.25 else len(operations))]
    disk = Disk(prefix, chance, loss=chance.choice(LOSSES), torn=chance.choice((0.0, 0.5)))
    disk.restore(folder)
    try:
        return await examine(folder / "data", KEY, journal_of(prefix))
    finally:
        shutil.rmtree(folder)
