"""Backups: whole although writes go on, incremental, keyless, and checked when they are restored."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from conf.errors import StartError
from conf.schema import Settings
from origin.jobs.archive import Archive
from origin.jobs.backup import backup, forget
from origin.jobs.bodies import BadPack, PackWriter, covered, packs, read_packs
from origin.jobs.check import check
from origin.jobs.collect import collect_once
from origin.jobs.progress import Progress
from origin.jobs.restore import restore
from origin.seal.frames import stored_length
from origin.service.ingest import SEGMENT
from origin.service.model import Caller, ServiceError
from origin.service.service import Service
from tests.origin.jobs.damage import flip, sql
from tests.origin.storage.support import BUCKET, Clock, blob_files, get, put, settings

SIZE = 100_000
LATER = 10_000.0
SMALL = b"a small body that lives in the catalog"


async def opened_copy(copy: Settings, original: Settings) -> tuple[Service, Caller]:
    """The restored store, with the master keys put back."""
    copy.master_key.write_bytes(original.master_key.read_bytes())
    service = await Service.open(copy)
    (key,) = [key for key in await service.keys.list() if key.owner.name == "ada"]
    return service, Caller(key)


async def test_a_backup_restores_everything(service: Service, ada: Caller, scratch: Settings, tmp_path: Path) -> None:
    bodies = {"large": os.urandom(2 * SEGMENT + 5), "middle": os.urandom(SIZE), "small": SMALL, "empty": b""}
    for key, body in bodies.items():
        await put(service, ada, key, body, metadata={"k": key})
    infos = {key: await service.objects.head(ada, BUCKET, key) for key in bodies}
    done = await backup(service.stores, tmp_path / "backup")
    assert (done.blobs, done.damaged) == (4, [])
    copy = settings(tmp_path / "copy")
    restored = await restore(tmp_path / "backup", copy)
    assert restored.clean, restored.document()
    again, owner = await opened_copy(copy, scratch)
    assert {key: await get(again, owner, key) for key in bodies} == bodies
    assert {key: await again.objects.head(owner, BUCKET, key) for key in bodies} == infos
    await put(again, owner, "new", os.urandom(SIZE))
    assert (await check(again.stores)).clean
    await again.close()


async def test_no_backup_holds_a_key_or_a_plain_byte(
    service: Service, ada: Caller, scratch: Settings, tmp_path: Path
) -> None:
    middle = os.urandom(SIZE)
    await put(service, ada, "k", middle)
    await put(service, ada, "s", SMALL)
    await backup(service.stores, tmp_path / "backup")
    master = [bytes.fromhex(line.split()[2]) for line in scratch.master_key.read_text().splitlines() if line[0] == "k"]
    written = [path.read_bytes() for path in (tmp_path / "backup").rglob("*") if path.is_file()]
    for secret in (*master, master[0].hex().encode(), middle[:100], SMALL):
        assert not any(secret in content for content in written)


async def test_a_second_backup_copies_only_what_is_new(service: Service, ada: Caller, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    await put(service, ada, "k", os.urandom(SIZE))
    await put(service, ada, "s", SMALL)
    assert (await backup(service.stores, folder, "one")).copied_blobs == 1
    first = {path: path.stat().st_mtime_ns for path in (*blob_paths(folder), *packs(folder / "bodies"))}
    assert (await backup(service.stores, folder, "two")).copied_blobs == 0
    assert len(packs(folder / "bodies")) == 1
    await put(service, ada, "k2", os.urandom(SIZE))
    await put(service, ada, "s2", SMALL)
    done = await backup(service.stores, folder, "three")
    assert (done.blobs, done.copied_blobs) == (2, 1)
    assert [len(list(read_packs(folder / "bodies"))), len(packs(folder / "bodies"))] == [2, 2]
    assert {path: path.stat().st_mtime_ns for path in first} == first


async def test_an_older_backup_of_the_folder_restores_as_it_was(
    service: Service, ada: Caller, scratch: Settings, clock: Clock, tmp_path: Path
) -> None:
    folder, old = tmp_path / "backup", os.urandom(SIZE)
    await put(service, ada, "k", old)
    await backup(service.stores, folder, "one")
    await put(service, ada, "k", os.urandom(SIZE))
    await put(service, ada, "s", SMALL)
    clock.now += LATER
    await collect_once(service.stores, clock.now)
    await backup(service.stores, folder, "two")
    copy = settings(tmp_path / "copy")
    assert (await restore(folder, copy, "one")).clean
    again, owner = await opened_copy(copy, scratch)
    assert await get(again, owner, "k") == old
    with pytest.raises(ServiceError, match="NoSuchKey"):
        await get(again, owner, "s")
    await again.close()


async def test_the_collector_waits_for_a_running_backup_however_long_it_takes(
    service: Service, ada: Caller, scratch: Settings, clock: Clock, tmp_path: Path
) -> None:
    bodies = {f"k{number}": os.urandom(SIZE) for number in range(12)}
    for key, body in bodies.items():
        await put(service, ada, key, body)
    begun, seen = asyncio.Event(), []

    def tell(progress: Progress) -> None:
        seen.append(progress)
        if progress.what == "backup":
            begun.set()

    running = asyncio.create_task(backup(service.stores, tmp_path / "backup", tell=tell))
    await begun.wait()
    for key in bodies:
        await service.objects.delete(ada, BUCKET, key)
    while not running.done():
        clock.now += LATER
        await collect_once(service.stores, clock.now)
        assert seen[-1].done == seen[-1].total or len(blob_files(scratch)) == len(bodies)
    assert (await running).damaged == []
    copy = settings(tmp_path / "copy")
    assert (await restore(tmp_path / "backup", copy)).clean
    again, owner = await opened_copy(copy, scratch)
    assert {key: await get(again, owner, key) for key in bodies} == bodies
    await again.close()
    clock.now += LATER
    await collect_once(service.stores, clock.now)
    assert blob_files(scratch) == []


async def test_a_backup_among_writers_is_a_moment_of_the_store(
    service: Service, ada: Caller, scratch: Settings, tmp_path: Path
) -> None:
    """Each writer counts up in two keys, first in one and then in the other: a moment has them one apart at most."""
    stop = asyncio.Event()
    counts = [0] * 4

    async def write(number: int) -> None:
        while not stop.is_set():
            count = counts[number] + 1
            for half in ("a", "b"):
                await put(service, ada, f"{number}-{half}", str(count).encode() * (1 if count % 2 else 5000))
            counts[number] = count

    async def written(more: int) -> None:
        """Return when every writer has gone on."""
        wanted = [count + more for count in counts]
        while any(count < least for count, least in zip(counts, wanted, strict=True)):
            await asyncio.sleep(0)

    async def collect() -> None:
        while not stop.is_set():
            await collect_once(service.stores, service.stores.clock() + LATER)

    running = [asyncio.create_task(write(number)) for number in range(4)] + [asyncio.create_task(collect())]
    for name in ("one", "two", "three"):
        await written(5)
        assert (await backup(service.stores, tmp_path / "backup", name)).damaged == []
    stop.set()
    await asyncio.gather(*running)
    for name in ("one", "two", "three"):
        copy = settings(tmp_path / name)
        restored = await restore(tmp_path / "backup", copy, name)
        assert restored.clean, restored.document()
        again, owner = await opened_copy(copy, scratch)
        for number in range(4):
            halves = []
            for half in ("a", "b"):
                body = await get(again, owner, f"{number}-{half}")
                small = len(body) < 5000
                halves.append(int(body if small else body[: len(body) // 5000]))
            assert halves[0] - halves[1] in (0, 1)
        await again.close()


async def test_damage_is_reported_and_not_carried_into_a_backup(
    service: Service, ada: Caller, scratch: Settings, tmp_path: Path
) -> None:
    await put(service, ada, "k", os.urandom(SIZE))
    (path,) = blob_files(scratch)
    flip(path)
    done = await backup(service.stores, tmp_path / "backup")
    assert (done.damaged, done.copied_blobs) == ([f"{path.name} changed"], 0)
    assert blob_paths(tmp_path / "backup") == []


async def test_a_dead_blob_in_use_is_told_by_a_backup_until_it_is_repaired(
    service: Service, ada: Caller, scratch: Settings, tmp_path: Path
) -> None:
    await put(service, ada, "k", os.urandom(SIZE))
    await put(service, ada, "whole", os.urandom(SIZE + 1))
    (dead,) = [path.name for path in blob_files(scratch) if path.stat().st_size < stored_length(SIZE + 1)]
    sql(scratch, "UPDATE blobs SET state = 2, doomed_at = 1, doomed_in = 1 WHERE hex(id) = upper('" + dead + "')")
    done = await backup(service.stores, tmp_path / "backup", "one")
    assert (done.damaged, done.copied_blobs) == ([f"{dead} dead"], 1)
    assert not (await restore(tmp_path / "backup", settings(tmp_path / "one"), "one")).clean
    await check(service.stores, repair=True)
    done = await backup(service.stores, tmp_path / "backup", "two")
    assert (done.damaged, done.copied_blobs) == ([], 1)
    assert (await restore(tmp_path / "backup", settings(tmp_path / "two"), "two")).clean


async def test_a_damaged_backup_is_told_when_it_is_restored(service: Service, ada: Caller, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    await put(service, ada, "k", os.urandom(SIZE))
    await put(service, ada, "s", SMALL)
    await backup(service.stores, folder)
    (blob,) = blob_paths(folder)
    flip(blob)
    restored = await restore(folder, settings(tmp_path / "one"))
    assert (restored.clean, restored.damaged) == (False, [f"{blob.name} changed"])
    flip(blob)
    (pack,) = packs(folder / "bodies")
    flip(pack, 40)
    with pytest.raises(StartError, match="damaged"):
        await restore(folder, settings(tmp_path / "two"))
    assert not (settings(tmp_path / "two").origin_data / "catalog.sqlite").exists()
    flip(pack, 40)
    assert (await restore(folder, settings(tmp_path / "two"))).clean


async def test_a_restore_never_touches_a_store_that_is_there(
    service: Service, scratch: Settings, tmp_path: Path
) -> None:
    await backup(service.stores, tmp_path / "backup")
    with pytest.raises(StartError, match="in use"):
        await restore(tmp_path / "backup", scratch)
    other = settings(tmp_path / "other")
    await (await Service.open(other)).close()
    with pytest.raises(StartError, match="has a catalog already"):
        await restore(tmp_path / "backup", other)
    with pytest.raises(StartError, match="no backup"):
        await restore(tmp_path, settings(tmp_path / "copy"))
    with pytest.raises(StartError, match="no finished backup nope"):
        await restore(tmp_path / "backup", settings(tmp_path / "copy"), "nope")


async def test_an_interrupted_backup_is_no_backup_and_is_run_again(
    service: Service, ada: Caller, tmp_path: Path
) -> None:
    for number in range(9):
        await put(service, ada, f"k{number}", os.urandom(SIZE))
    begun = asyncio.Event()
    running = asyncio.create_task(
        backup(service.stores, tmp_path / "backup", "one", tell=lambda seen: begun.set() if seen.done else None)
    )
    await begun.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    with pytest.raises(StartError, match="no finished backup"):
        await restore(tmp_path / "backup", settings(tmp_path / "copy"))
    done = await backup(service.stores, tmp_path / "backup", "one")
    assert done.blobs == 9
    assert done.copied_blobs < 9
    assert (await restore(tmp_path / "backup", settings(tmp_path / "copy"))).clean


async def test_names_and_folders_are_not_mixed_up(service: Service, ada: Caller, tmp_path: Path) -> None:
    await backup(service.stores, tmp_path / "backup", "one")
    for folder, name in ((tmp_path / "backup", "one"), (tmp_path / "other", "one"), (tmp_path / "backup", "../x")):
        with pytest.raises(ServiceError):
            await backup(service.stores, folder, name)
    copy = settings(tmp_path / "copy")
    await restore(tmp_path / "backup", copy)
    copy.master_key.write_bytes(service.settings.master_key.read_bytes())
    again = await Service.open(copy)
    with pytest.raises(ServiceError, match="another store"):
        await backup(again.stores, tmp_path / "backup", "two")
    await again.close()
    with Archive(tmp_path / "backup"), pytest.raises(StartError, match="another backup"):
        await backup(service.stores, tmp_path / "backup", "three")


async def test_a_forgotten_backup_leaves_what_others_need(
    service: Service, ada: Caller, clock: Clock, tmp_path: Path
) -> None:
    folder = tmp_path / "backup"
    await put(service, ada, "stays", os.urandom(SIZE))
    await put(service, ada, "goes", os.urandom(SIZE))
    await backup(service.stores, folder, "one")
    await service.objects.delete(ada, BUCKET, "goes")
    clock.now += LATER
    await collect_once(service.stores, clock.now)
    await backup(service.stores, folder, "two")
    assert len(blob_paths(folder)) == 2
    assert (await forget(service.stores, "one"))["removed_blobs"] == 1
    assert (await restore(folder, settings(tmp_path / "copy"))).clean
    with pytest.raises(ServiceError):
        await forget(service.stores, "one")


async def test_forgetting_takes_small_bodies_out_of_the_packs(
    service: Service, ada: Caller, scratch: Settings, clock: Clock, tmp_path: Path
) -> None:
    folder = tmp_path / "backup"

    def packed() -> list[int]:
        return [number for number, _ in read_packs(folder / "bodies")]

    for name, keys in (("one", "ab"), ("two", "cd"), ("three", "ef")):
        for key in keys:
            await put(service, ada, key, key.encode())
        await backup(service.stores, folder, name)
        await service.objects.delete(ada, BUCKET, keys[0])
        clock.now += LATER
        await collect_once(service.stores, clock.now)
    assert packed() == [1, 2, 3, 4, 5, 6]
    # An interrupted backup stands in nobody's way, whatever it left.
    (folder / "snapshots" / "half").mkdir()
    (folder / "snapshots" / "half" / "catalog.sqlite").write_bytes(b"no catalog")
    assert (await forget(service.stores, "one"))["removed_bodies"] == 1
    assert packed() == [2, 3, 4, 5, 6]
    assert (await forget(service.stores, "two"))["removed_bodies"] == 1
    assert packed() == [2, 4, 5, 6]
    await backup(service.stores, folder, "four")
    assert (await forget(service.stores, "three"))["removed_bodies"] == 1
    mine = settings(tmp_path / "copy")
    assert (await restore(folder, mine)).clean
    again, owner = await opened_copy(mine, scratch)
    assert [await get(again, owner, key) for key in "bdf"] == [b"b", b"d", b"f"]
    await again.close()
    assert (await forget(service.stores, "four"))["removed_bodies"] == 3
    assert packs(folder / "bodies") == []
    assert (await backup(service.stores, folder, "five")).damaged == []
    assert len(packed()) == 3


async def test_a_damaged_pack_is_named_when_a_backup_is_forgotten(
    service: Service, ada: Caller, tmp_path: Path
) -> None:
    folder = tmp_path / "backup"
    await put(service, ada, "s", SMALL)
    await backup(service.stores, folder, "one")
    (pack,) = packs(folder / "bodies")
    flip(pack, 40)
    with pytest.raises(StartError, match="damaged"):
        await forget(service.stores, "one")
    assert packs(folder / "bodies") == [pack]
    pack.unlink()
    await forget(service.stores, "one")
    assert await service.stores.read(lambda tables: tables.backups.all()) == []


def blob_paths(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "blobs").rglob("*") if path.is_file())


def test_packs_tell_every_change(tmp_path: Path) -> None:
    with PackWriter(tmp_path, 0) as pack:
        pack.body(1, b"one")
        pack.body(7, b"seven" * 100)
        pack.finish(9)
    assert covered(tmp_path) == 9
    assert list(read_packs(tmp_path)) == [(1, b"one"), (7, b"seven" * 100)]
    (path,) = packs(tmp_path)
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(BadPack):
            list(read_packs(tmp_path))
        path.write_bytes(whole[:at])
        with pytest.raises(BadPack):
            list(read_packs(tmp_path))


def test_a_pack_that_was_not_finished_leaves_nothing(tmp_path: Path) -> None:
    with PackWriter(tmp_path, 0) as pack:
        pack.body(1, b"one")
    assert list(tmp_path.iterdir()) == []
