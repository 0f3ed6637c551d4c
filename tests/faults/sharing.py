"""Many writers over few distinct bodies while the collector runs all the time.

The rule of this file: every key belongs to one writer, so what it must hold is known at every read.
"""

from __future__ import annotations

import asyncio
from itertools import islice
from pathlib import Path

from origin.jobs.collect import collect_once
from origin.service.model import Caller
from origin.service.service import Service
from tests.faults.examine import examine
from tests.faults.traffic import Deed, Journal, Verb, deeds, digest, outcome
from tests.origin.storage.support import BUCKET, caller, copy, get, join, put, settings

WRITERS, KEYS = 16, 3
KEY = "ada-key"
LOOKS = 4
"""A writer reads back one change of this many."""


async def do(service: Service, who: Caller, deed: Deed) -> None:
    """Make the change; returns when it is acknowledged."""
    match deed.verb:
        case Verb.PUT:
            await put(service, who, deed.key, deed.bodies[0])
        case Verb.JOIN:
            await join(service, who, deed.key, list(deed.bodies))
        case Verb.COPY:
            await copy(service, who, deed.source, deed.key)
        case Verb.DELETE:
            await service.objects.delete(who, BUCKET, deed.key)


async def collecting(service: Service, pause: float) -> None:
    """Collect until cancelled."""
    while True:
        await collect_once(service.stores, service.stores.clock())
        await asyncio.sleep(pause)


async def share(folder: Path, seed: int, count: int) -> tuple[int, list[str]]:
    """Make `count` changes in a fresh store; returns how many bytes were read back, and what is wrong."""
    service = await Service.open(settings(folder, grace=0, min_part=0))
    ada = await caller(service, permissions=["admin"], access_key=KEY, secret_key="not-needed-here")
    await service.buckets.create(ada, BUCKET)
    journal = Journal()
    problems: list[str] = []
    seen = 0

    async def work(writer: int) -> None:
        nonlocal seen
        for number, deed in enumerate(islice(deeds(seed, writer, KEYS, journal), count // WRITERS)):
            await do(service, ada, deed)
            state = outcome(deed, journal)
            journal.done(deed.key, state)
            if state is not None and number % LOOKS == 0:
                body = await get(service, ada, deed.key)
                seen += len(body)
                if digest(body) != state:
                    problems.append(f"change {number} of writer {writer}: {deed.key} is not what was written")

    collector = asyncio.create_task(collecting(service, 0))
    await asyncio.gather(*(work(writer) for writer in range(WRITERS)))
    collector.cancel()
    await asyncio.gather(collector, return_exceptions=True)
    await service.close()
    return seen, problems + await examine(folder, KEY, journal)
