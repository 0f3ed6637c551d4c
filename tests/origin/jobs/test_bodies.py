"""Small bodies in the catalog: damage is found without a key, named, kept out of backups, and healed."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from conf.schema import Settings
from origin.jobs import scrub as scrubbing
from origin.jobs.backup import backup
from origin.jobs.check import check
from origin.jobs.collect import collect_once
from origin.jobs.progress import Progress
from origin.jobs.restore import restore
from origin.jobs.scrub import scrub
from origin.service.model import Caller, ServiceError
from origin.service.opening import open_bare
from origin.service.service import Service
from tests.origin.jobs.damage import sql
from tests.origin.jobs.test_backup import opened_copy
from tests.origin.storage.support import BUCKET, Clock, caller, copy, get, join, put, settings

LATER = 10_000.0
SMALL = b"a small body that lives in the catalog"
DAMAGES = {
    "a bit": "UPDATE manifests SET inline = CAST(substr(inline, 1, 20) || x'00' || substr(inline, 22) AS BLOB)",
    "cut": "UPDATE manifests SET inline = CAST(substr(inline, 1, length(inline) - 1) AS BLOB)",
    "empty": "UPDATE manifests SET inline = x''",
    "another's": "UPDATE manifests SET inline = (SELECT inline FROM manifests WHERE number = 2)",
}


def wreck(settings: Settings, damage: str, number: int = 1) -> None:
    """Change the body of a manifest behind the engine's back."""
    sql(settings, f"{DAMAGES[damage]} WHERE number = {number}")


@pytest.mark.parametrize("damage", DAMAGES)
async def test_damage_is_found_named_never_read_and_healed_by_the_same_bytes(
    service: Service, ada: Caller, scratch: Settings, damage: str
) -> None:
    await put(service, ada, "bad", SMALL)
    await put(service, ada, "good", SMALL[::-1])
    await copy(service, ada, "bad", "copy")
    assert (await scrub(service.stores, rate=0)).clean
    wreck(scratch, damage)
    found = await scrub(service.stores, rate=0)
    assert (found.clean, found.bodies, found.damaged_bodies, found.flagged) == (False, 2, [1], 1)
    assert sorted(key for _, key, _ in found.objects) == ["bad", "copy"]
    assert not (await check(service.stores)).clean
    with pytest.raises(ServiceError, match="damaged"):
        await get(service, ada, "bad")
    await put(service, ada, "elsewhere", SMALL)
    assert await get(service, ada, "bad") == await get(service, ada, "copy") == SMALL
    assert (await scrub(service.stores, rate=0)).clean
    assert (await check(service.stores)).clean


async def test_a_read_flags_what_it_finds_and_what_is_put_back_loses_its_flag(
    service: Service, ada: Caller, scratch: Settings
) -> None:
    await put(service, ada, "k", SMALL)
    sql(scratch, "CREATE TABLE kept AS SELECT number, inline FROM manifests")
    wreck(scratch, "a bit")
    with pytest.raises(ServiceError, match="damaged"):
        await get(service, ada, "k")
    assert (await check(service.stores)).flagged == 1
    sql(scratch, "UPDATE manifests SET inline = (SELECT k.inline FROM kept k WHERE k.number = manifests.number)")
    assert (await scrub(service.stores, rate=0)).clean
    assert await get(service, ada, "k") == SMALL


async def test_the_small_part_of_an_upload_is_healed_too(service: Service, ada: Caller, scratch: Settings) -> None:
    body = await join(service, ada, "k", [SMALL, b"the last part"])
    wreck(scratch, "a bit")
    found = await scrub(service.stores, rate=0)
    assert found.objects == [(BUCKET, "k", "")]
    await put(service, ada, "elsewhere", SMALL)
    assert await get(service, ada, "k") == body


async def test_no_key_is_needed(tmp_path: Path) -> None:
    mine = settings(tmp_path / "data")
    service = await Service.open(mine)
    ada = await caller(service, permissions=["admin"])
    await service.buckets.create(ada, BUCKET)
    await put(service, ada, "k", SMALL)
    await service.close()
    mine.master_key.unlink()
    wreck(mine, "a bit")
    lock, stores = open_bare(mine)
    assert (await scrub(stores, rate=0)).damaged_bodies == [1]
    stores.close()
    lock.close()


async def test_an_interrupted_scrub_goes_on_with_the_bodies_it_has_not_seen(service: Service, ada: Caller) -> None:
    for number in range(3 * scrubbing.BODIES):
        await put(service, ada, f"k{number}", SMALL)

    def tell(progress: Progress) -> None:
        if progress.unit == "bodies":
            running.cancel()

    running = asyncio.create_task(scrub(service.stores, rate=0, tell=tell))
    await asyncio.gather(running, return_exceptions=True)
    again = await scrub(service.stores, rate=0)
    assert again.resumed
    assert again.bodies == 2 * scrubbing.BODIES
    assert (await scrub(service.stores, rate=0)).bodies == 3 * scrubbing.BODIES


async def test_the_background_scrub_sees_every_body_once_a_period(
    service: Service, ada: Caller, scratch: Settings, clock: Clock
) -> None:
    for number in range(2 * scrubbing.BODIES + 1):
        await put(service, ada, f"k{number}", SMALL)
    wreck(scratch, "a bit", 2 * scrubbing.BODIES + 1)
    running = asyncio.create_task(scrubbing.run(service.stores, rate=10**9, every=100.0))
    async with asyncio.timeout(30):
        while not await service.stores.read(lambda tables: tables.bodies.flagged()):
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_backup_has_no_damaged_body_and_a_later_one_has_the_healed(
    service: Service, ada: Caller, scratch: Settings, clock: Clock, tmp_path: Path
) -> None:
    folder = tmp_path / "backup"
    await put(service, ada, "bad", SMALL)
    await put(service, ada, "good", b"good")
    wreck(scratch, "a bit")
    assert (await backup(service.stores, folder, "one")).damaged == ["body 1 changed"]
    restored = await restore(folder, settings(tmp_path / "copy 1"))
    assert (restored.clean, restored.missing_bodies, restored.checked.objects) == (False, 1, [(BUCKET, "bad", "")])
    again, owner = await opened_copy(settings(tmp_path / "copy 1"), scratch)
    assert await get(again, owner, "good") == b"good"
    await put(again, owner, "elsewhere", SMALL)
    assert await get(again, owner, "bad") == SMALL
    await again.close()
    await scrub(service.stores, rate=0)
    await put(service, ada, "elsewhere", SMALL)
    assert (await backup(service.stores, folder, "two")).damaged == []
    assert (await backup(service.stores, folder, "three")).damaged == []
    for name in ("two", "three"):
        mine = settings(tmp_path / name)
        restored = await restore(folder, mine, name)
        assert restored.clean, restored.document()
        again, owner = await opened_copy(mine, scratch)
        assert await get(again, owner, "bad") == SMALL
        await again.close()


async def test_a_body_damaged_after_its_backup_is_whole_in_the_next_one(
    service: Service, ada: Caller, scratch: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "backup"
    await put(service, ada, "k", SMALL)
    await backup(service.stores, folder, "one")
    wreck(scratch, "cut")
    await scrub(service.stores, rate=0)
    await backup(service.stores, folder, "two")
    mine = settings(tmp_path / "copy")
    assert (await restore(folder, mine, "two")).clean
    again, owner = await opened_copy(mine, scratch)
    assert await get(again, owner, "k") == SMALL
    await again.close()


async def test_a_collected_body_leaves_no_row(service: Service, ada: Caller, clock: Clock) -> None:
    await put(service, ada, "k", os.urandom(100))
    await service.objects.delete(ada, BUCKET, "k")
    clock.now += LATER
    await collect_once(service.stores, clock.now)
    assert await service.stores.read(lambda tables: tables.bodies.totals()) == 0
