"""A service with writers and collector whose every change of a file is recorded: `recorded.py FOLDER SEED COUNT`.

Run by powercut.py under recorder.c. Acknowledgements go into the same log as marks: one JSON array for a change that
begins, `["begin", key, state]`, and one for its acknowledgement, `["done", key, state]`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from itertools import islice
from pathlib import Path

from origin.service.model import Caller
from origin.service.service import Service
from tests.faults.sharing import KEY, collecting, do
from tests.faults.small import shrink
from tests.faults.traffic import Journal, deeds, outcome
from tests.origin.storage.support import BUCKET, settings

WRITERS, KEYS = 8, 4


async def main(folder: Path, seed: int, count: int) -> None:
    shrink()
    marks = os.open(os.environ["RECORD_MARKS"], os.O_WRONLY | os.O_CREAT, 0o600)

    def mark(*what: str | None) -> None:
        os.write(marks, json.dumps(what).encode())

    service = await Service.open(settings(folder, sync=True, grace=0, min_part=0))
    ada = Caller((await service.keys.add(owner="ada", access_key=KEY, permissions=["admin"])).key)
    await service.buckets.create(ada, BUCKET)
    mark("ready", "", None)
    journal = Journal()

    async def write(number: int) -> None:
        for deed in islice(deeds(seed, number, KEYS, journal), count // WRITERS):
            state = outcome(deed, journal)
            mark("begin", deed.key, state)
            await do(service, ada, deed)
            journal.done(deed.key, state)
            mark("done", deed.key, state)

    collector = asyncio.create_task(collecting(service, 0.05))
    await asyncio.gather(*(write(number) for number in range(WRITERS)))
    collector.cancel()
    await asyncio.gather(collector, return_exceptions=True)
    os._exit(0)  # no orderly end: the last cuts are of a process that was still at work


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
