"""The master keys: rotated without a pause, retired only when nothing needs them, and refused when they do not fit."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterable
from pathlib import Path

import pytest

from conf.errors import StartError
from conf.schema import Settings
from origin.jobs.backup import backup, forget
from origin.jobs.collect import collect_once
from origin.jobs.progress import Progress
from origin.jobs.rewrap import rewrap, rewrap_store_key
from origin.seal.keyring import KeyRing
from origin.service.folder import export_master_keys
from origin.service.model import Caller, ServiceError
from origin.service.service import Service
from tests.origin.storage.support import BUCKET, blob_files, caller, get, put, settings

SIZE = 100_000


def keys_of(service: Service) -> list[str]:
    return list(service.stores.ring.ids)


async def test_a_rotation_rewraps_rows_and_leaves_every_blob_as_it_is(
    service: Service, ada: Caller, scratch: Settings
) -> None:
    bodies = {f"k{number}": os.urandom(SIZE) for number in range(5)} | {"s": b"small"}
    for key, body in bodies.items():
        await put(service, ada, key, body)
    files = {path: path.read_bytes() for path in blob_files(scratch)}
    (old,) = keys_of(service)
    await service.master_keys.add("new")
    await put(service, ada, "later", bodies["k0"][::-1])
    assert [one["blobs"] for one in await service.master_keys.list()] == [5, 1]
    with pytest.raises(ServiceError, match="5 blobs, the store key"):
        await service.master_keys.retire(old)
    seen: list[Progress] = []
    assert await rewrap(service.stores, tell=seen.append) == {"active": "new", "rewrapped": 5}
    assert (seen[-1].done, seen[-1].total) == (5, 5)
    assert await service.master_keys.retire(old) == {"retired": old}
    assert {path: path.read_bytes() for path in files} == files
    assert {key: await get(service, ada, key) for key in bodies} == bodies


async def test_the_store_opens_with_the_new_key_alone_after_the_old_one_retired(tmp_path: Path) -> None:
    mine = settings(tmp_path)
    service = await Service.open(mine)
    ada = await caller(service, access_key="ada-key", permissions=["admin"])
    await service.buckets.create(ada, BUCKET)
    body = os.urandom(SIZE)
    await put(service, ada, "k", body)
    (old,) = keys_of(service)
    await service.master_keys.add("new")
    await rewrap(service.stores)
    await service.master_keys.retire(old)
    await service.close()
    assert KeyRing.parse(mine.master_key.read_text()).ids == ("new",)
    assert stat.S_IMODE(mine.master_key.stat().st_mode) == 0o600
    service = await Service.open(mine)
    assert await get(service, ada, "k") == body
    await service.close()


async def test_a_rotation_among_writers_loses_nothing(service: Service, ada: Caller) -> None:
    bodies = {f"k{number}": os.urandom(SIZE) for number in range(30)}
    (old,) = keys_of(service)

    async def write(keys: list[str]) -> None:
        for key in keys:
            await put(service, ada, key, bodies[key])

    async def rotate() -> None:
        await service.master_keys.add("new")
        await rewrap(service.stores)

    names = list(bodies)
    await asyncio.gather(*(write(names[start::3]) for start in range(3)), rotate())
    await rewrap(service.stores)
    await service.master_keys.retire(old)
    assert {key: await get(service, ada, key) for key in bodies} == bodies


async def test_an_interrupted_rotation_is_resumed_by_running_it_again(
    service: Service, ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        await put(service, ada, f"k{number}", os.urandom(SIZE))
    await service.master_keys.add("new")
    monkeypatch.setattr("origin.jobs.rewrap.BATCH", 2)

    def stop(progress: Progress) -> None:
        if progress.done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await rewrap(service.stores, tell=stop)
    assert (await rewrap(service.stores))["rewrapped"] == 2
    assert (await rewrap(service.stores))["rewrapped"] == 0


async def test_a_write_under_a_key_that_retires_meanwhile_is_refused_and_leaves_nothing(
    service: Service, ada: Caller, scratch: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The body's key is wrapped under the old key before its names are durable, and the old key goes right then."""
    (old,) = keys_of(service)
    loop, settle = asyncio.get_running_loop(), service.stores.blobs.settle

    async def rotate() -> None:
        await service.master_keys.add("new")
        await rewrap(service.stores)
        await service.master_keys.retire(old)

    def rotated(ids: Iterable[bytes]) -> None:
        settle(ids)
        asyncio.run_coroutine_threadsafe(rotate(), loop).result(20)

    with monkeypatch.context() as patch:
        patch.setattr(service.stores.blobs, "settle", rotated)
        with pytest.raises(ServiceError) as refused:
            await put(service, ada, "k", os.urandom(SIZE))
    assert refused.value.code == "SlowDown"
    assert keys_of(service) == ["new"]
    body = os.urandom(SIZE)
    await put(service, ada, "k", body)
    assert await get(service, ada, "k") == body
    await collect_once(service.stores, service.stores.clock())
    assert len(blob_files(scratch)) == 1


async def test_a_key_that_a_backup_needs_is_not_retired(service: Service, ada: Caller, tmp_path: Path) -> None:
    await put(service, ada, "k", os.urandom(SIZE))
    (old,) = keys_of(service)
    assert (await backup(service.stores, tmp_path / "backup", "monday")).key_ids == [old]
    await service.master_keys.add("new")
    await rewrap(service.stores)
    with pytest.raises(ServiceError, match="the backup monday"):
        await service.master_keys.retire(old)
    await forget(service.stores, "monday")
    await service.master_keys.retire(old)


async def test_an_active_or_unknown_key_is_not_retired_and_no_id_is_taken_twice(service: Service) -> None:
    (only,) = keys_of(service)
    with pytest.raises(ServiceError, match="KeyInUse"):
        await service.master_keys.retire(only)
    with pytest.raises(ServiceError, match="NoSuchKey"):
        await service.master_keys.retire("nobody")
    for taken in (only, "with spaces", "x" * 65):
        with pytest.raises(ServiceError, match="InvalidArgument"):
            await service.master_keys.add(taken)
    assert keys_of(service) == [only]


async def test_a_missing_old_key_is_refused_at_the_start_by_name(tmp_path: Path) -> None:
    mine = settings(tmp_path)
    service = await Service.open(mine)
    ada = await caller(service, permissions=["admin"])
    await service.buckets.create(ada, BUCKET)
    await put(service, ada, "k", os.urandom(SIZE))
    (old,) = keys_of(service)
    await service.master_keys.add("new")
    # Only the store key is under the new key: an interrupted rotation, in the other order.
    await service.stores.write(lambda tables: rewrap_store_key(tables, service.stores))
    await service.close()
    ring = KeyRing.parse(mine.master_key.read_text())
    for wrong in (ring.without(old), KeyRing({old: bytes(32)} | {"new": ring._keys["new"]})):
        mine.master_key.write_text(wrong.render())
        with pytest.raises(StartError, match=old):
            await Service.open(mine)
    mine.master_key.write_text(ring.render())
    await (await Service.open(mine)).close()


async def test_a_key_file_that_cannot_be_replaced_changes_nothing(service: Service, scratch: Settings) -> None:
    before = scratch.master_key.read_text()
    blocked = scratch.master_key.with_name("master.key.new")
    blocked.mkdir()
    with pytest.raises(ServiceError, match="cannot be replaced"):
        await service.master_keys.add("new")
    assert scratch.master_key.read_text() == before
    assert len(keys_of(service)) == 1


async def test_an_export_is_a_whole_copy_with_fingerprints(service: Service, scratch: Settings, tmp_path: Path) -> None:
    await service.master_keys.add("new")
    target = tmp_path / "copy.key"
    shown = export_master_keys(scratch, target)
    assert [one["fingerprint"] for one in shown] == [one["fingerprint"] for one in await service.master_keys.list()]
    assert KeyRing.parse(target.read_text()).ids == KeyRing.parse(scratch.master_key.read_text()).ids
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with pytest.raises(StartError):
        export_master_keys(scratch, target)
    secret = scratch.master_key.read_text().split()[-1]
    assert not any(secret in str(one) for one in shown)
