"""Many writers over few distinct bodies while the collector runs all the time: nothing is lost, nothing is left."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from origin.jobs.collect import collect_once
from origin.service.service import Service
from tests.origin.storage.support import BUCKET, blob_files, caller, copy, get, join, put, settings

WORKERS, ROUNDS = 12, 40


async def test_references_are_exact_while_everything_changes_at_once(tmp_path: Path) -> None:
    service = await Service.open(settings(tmp_path, grace=0))
    ada = await caller(service, permissions=["admin"])
    await service.buckets.create(ada, BUCKET)
    bodies = [random.Random(seed).randbytes(size) for seed, size in enumerate((50, 20_000, 20_001, 200_000))]
    model: dict[str, bytes] = {}

    async def work(number: int) -> None:
        chance = random.Random(number)
        for _ in range(ROUNDS):
            key, other = f"{number}-{chance.randrange(3)}", f"{number}-{chance.randrange(3)}"
            match chance.randrange(6):
                case 0 | 1:
                    model[key] = chance.choice(bodies)
                    await put(service, ada, key, model[key])
                case 2:
                    model.pop(key, None)
                    await service.objects.delete(ada, BUCKET, key)
                case 3 if other in model and other != key:
                    await copy(service, ada, other, key)
                    model[key] = model[other]
                case 4:
                    model[key] = await join(service, ada, key, [chance.choice(bodies) for _ in range(2)])
                case _ if key in model:
                    assert await get(service, ada, key) == model[key]

    async def collect() -> None:
        while True:
            await collect_once(service.stores, service.stores.clock())

    collector = asyncio.create_task(collect())
    await asyncio.gather(*(work(number) for number in range(WORKERS)))
    collector.cancel()
    await asyncio.gather(collector, return_exceptions=True)
    for key, body in model.items():
        assert await get(service, ada, key) == body
        await service.objects.delete(ada, BUCKET, key)
    for later in (10, 20, 30):
        await collect_once(service.stores, service.stores.clock() + later)
    assert blob_files(service.settings) == []
    await service.close()
