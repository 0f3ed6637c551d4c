"""A process that dies at a numbered step of a write: `crash_writer.py FOLDER STEP SIZE` (run by test_crashes.py)."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from conf.schema import Settings
from origin.service.model import Caller
from origin.service.service import Service
from origin.service.steps import Step
from tests.origin.storage.support import BUCKET, put


def body(size: int, seed: int) -> bytes:
    """Bytes that depend on size and seed alone."""
    return bytes((index * 131 + seed) % 256 for index in range(256)) * (size // 256) + bytes([seed]) * (size % 256)


async def main(folder: Path, step: Step, size: int) -> None:
    armed = False

    def observe(done: Step) -> None:
        if armed and done is step:
            os._exit(9)

    service = await Service.open(Settings(data=folder), observe=observe)
    ada = Caller((await service.keys.add(owner="ada", access_key="ada-key", permissions=["admin"])).key)
    await service.buckets.create(ada, BUCKET)
    await put(service, ada, "kept", body(size, 1))
    await put(service, ada, "replaced", body(size, 2))
    armed = True
    await put(service, ada, "replaced", body(size, 3))
    os._exit(1)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Step(int(sys.argv[2])), int(sys.argv[3])))
