"""A process that dies at any numbered step loses nothing acknowledged and leaves nothing half there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conf.schema import Settings
from origin.jobs.collect import collect_once
from origin.service.ingest import SEGMENT
from origin.service.model import Caller
from origin.service.service import Service
from origin.service.steps import Step
from tests.origin.storage.crash_writer import body
from tests.origin.storage.support import blob_files, get, put

ROOT = Path(__file__).parents[3]
SMALL, ONE, MANY = 1000, 100_000, 2 * SEGMENT + 1000
INLINE_STEPS = (Step.STREAM, Step.CHECK, Step.TRANSACT, Step.COMMIT, Step.ANSWER)
CASES = [(SMALL, step) for step in INLINE_STEPS] + [(ONE, step) for step in Step] + [(MANY, step) for step in Step]


@pytest.mark.parametrize(("size", "step"), CASES)
async def test_a_crash_at_a_step_loses_nothing_acknowledged(tmp_path: Path, size: int, step: Step) -> None:
    command = [sys.executable, "-m", "tests.origin.storage.crash_writer", str(tmp_path), str(int(step)), str(size)]
    assert subprocess.run(command, cwd=ROOT, timeout=60, stderr=subprocess.DEVNULL).returncode == 9
    settings = Settings(data=tmp_path)
    service = await Service.open(settings)
    found = await service.keys.secret("ada-key")
    assert found is not None
    ada = Caller(found[0])
    assert await get(service, ada, "kept") == body(size, 1)
    assert await get(service, ada, "replaced") == body(size, 3 if step >= Step.COMMIT else 2)
    await collect_once(service.stores, service.stores.clock() + 10_000)
    segments = 0 if size == SMALL else -(-size // SEGMENT)
    distinct = {body(size, seed)[at : at + SEGMENT] for seed in (1, 3 if step >= Step.COMMIT else 2)
                for at in range(0, segments * SEGMENT, SEGMENT)}  # fmt: skip
    assert len(blob_files(settings)) == len(distinct)
    await put(service, ada, "replaced", body(size, 4))
    assert await get(service, ada, "replaced") == body(size, 4)
    await service.close()
