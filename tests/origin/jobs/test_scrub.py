"""The scrub: every kind of damage is found without a key, never joined again, and healed by a fresh copy."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from conf.schema import Settings
from origin.jobs import scrub as scrubbing
from origin.jobs.progress import Progress
from origin.jobs.scrub import scrub
from origin.service.model import Caller, ServiceError
from origin.service.opening import open_bare
from origin.service.service import Service
from tests.origin.jobs.damage import cut, flip, swap
from tests.origin.storage.support import BUCKET, Clock, blob_files, caller, get, put, settings

SIZE = 300_000


def first(settings: Settings) -> Path:
    return blob_files(settings)[0]


DAMAGES: dict[str, Callable[[Settings], object]] = {
    "changed": lambda settings: flip(first(settings)),
    "header": lambda settings: flip(first(settings), 3),
    "short": lambda settings: cut(first(settings)),
    "missing": lambda settings: first(settings).unlink(),
    "swapped": swap,
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_damage_is_found_named_and_healed_by_a_fresh_copy(
    service: Service, ada: Caller, scratch: Settings, damage: str
) -> None:
    bodies = {key: os.urandom(SIZE) for key in ("one", "two")}
    for key, body in bodies.items():
        await put(service, ada, key, body)
    assert (await scrub(service.stores, rate=0)).clean
    DAMAGES[damage](scratch)
    found = await scrub(service.stores, rate=0)
    bad = [key for _, key, _ in found.objects]
    assert not found.clean
    assert len(bad) == len(found.damaged) == found.flagged == (2 if damage == "swapped" else 1)
    for key in bad:
        with pytest.raises(ServiceError):
            await get(service, ada, key)
    for key in bad:
        await put(service, ada, "another", bodies[key])
    for key, body in bodies.items():
        assert await get(service, ada, key) == body
    assert (await scrub(service.stores, rate=0)).clean


async def test_a_file_that_is_put_back_loses_its_flag(service: Service, ada: Caller, scratch: Settings) -> None:
    body = os.urandom(SIZE)
    await put(service, ada, "k", body)
    saved = first(scratch).read_bytes()
    flip(first(scratch))
    assert not (await scrub(service.stores, rate=0)).clean
    first(scratch).write_bytes(saved)
    assert (await scrub(service.stores, rate=0)).clean
    assert await get(service, ada, "k") == body


async def test_no_key_is_needed(tmp_path: Path) -> None:
    mine = settings(tmp_path)
    opened = await Service.open(mine)
    owner = await caller(opened, permissions=["admin"])
    await opened.buckets.create(owner, BUCKET)
    await put(opened, owner, "k", os.urandom(SIZE))
    await opened.close()
    mine.master_key.unlink()
    lock, stores = open_bare(mine)
    done = await scrub(stores, rate=0)
    assert (done.clean, done.blobs) == (True, 1)
    stores.close()
    lock.close()


async def test_an_interrupted_scrub_goes_on_where_it_stopped(service: Service, ada: Caller, clock: Clock) -> None:
    for number in range(5):
        await put(service, ada, f"k{number}", os.urandom(SIZE))
    seen: list[Progress] = []
    enough = asyncio.Event()

    def tell(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == 2:
            enough.set()

    running = asyncio.create_task(scrub(service.stores, rate=SIZE * 20, tell=tell))
    await enough.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    clock.now += 10
    rest = await scrub(service.stores, rate=0)
    assert rest.resumed
    assert rest.blobs == 5 - len(seen)
    again = await scrub(service.stores, rate=0)
    assert (again.resumed, again.blobs) == (False, 5)


async def test_a_rate_is_kept(service: Service, ada: Caller) -> None:
    await put(service, ada, "k", os.urandom(SIZE))
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await scrub(service.stores, rate=SIZE * 4)
    assert loop.time() - begun >= 0.25


async def test_the_background_scrub_verifies_what_is_due_and_nothing_else(
    service: Service, ada: Caller, scratch: Settings, clock: Clock
) -> None:
    await put(service, ada, "k", os.urandom(SIZE))
    flip(first(scratch))

    def flagged() -> int:
        return service.stores.catalog.read(lambda tables: tables.upkeep.flagged())

    running = asyncio.create_task(scrubbing.run(service.stores, rate=1 << 30, every=3600))
    deadline = asyncio.get_running_loop().time() + 20
    while not flagged() and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert flagged() == 1
    due = service.stores.catalog.read(lambda tables: tables.upkeep.due(clock.now - 3600, 9))
    assert due == []
    assert len(service.stores.catalog.read(lambda tables: tables.upkeep.due(clock.now + 1, 9))) == 1


async def test_what_is_removed_meanwhile_is_no_damage(service: Service, ada: Caller, scratch: Settings) -> None:
    await put(service, ada, "k", os.urandom(SIZE))
    (blob,) = service.stores.catalog.read(lambda tables: tables.upkeep.blobs(0, 9))
    await service.objects.delete(ada, BUCKET, "k")
    first(scratch).unlink()
    await service.stores.write(lambda tables: tables.blobs.remove(blob.number))
    assert (await scrub(service.stores, rate=0)).clean
