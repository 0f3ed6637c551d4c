"""With blobs in a bucket, too, upkeep finds every kind of damage, and backups go there and back."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from conf.schema import Blobs, Settings
from origin.catalog.contract import Tables
from origin.catalog.rows import BlobRow
from origin.jobs.backup import backup, forget
from origin.jobs.check import check
from origin.jobs.collect import collect_once
from origin.jobs.restore import restore
from origin.jobs.scrub import scrub
from origin.service.ingest import SEGMENT
from origin.service.model import PutRequest, ServiceError
from tests.origin.storage.services import NewBucket, client, opened, stored, with_blobs
from tests.origin.storage.support import BUCKET, get, put, settings

LATER = 10_000.0
SIZE = 100_000
PLACE = "facet/blobs/"


async def test_the_check_finds_and_repairs_what_is_wrong_in_a_bucket(tmp_path: Path, remote: Blobs) -> None:
    outside, bodies = client(remote), [os.urandom(SIZE + number) for number in range(4)]
    async with opened(with_blobs(tmp_path, remote)) as (service, ada):
        for number, body in enumerate(bodies):
            await put(service, ada, str(number), body)
        named = {blob.size: f"{PLACE}{blob.id.hex()}" for blob in await service.stores.read(_blobs)}
        missing, short, flipped, _ = (named[len(body)] for body in bodies)
        outside.delete_object(Bucket=remote.bucket, Key=missing)
        outside.put_object(Bucket=remote.bucket, Key=short, Body=b"short")
        data = bytearray(outside.get_object(Bucket=remote.bucket, Key=flipped)["Body"].read())
        data[-1] ^= 1
        outside.put_object(Bucket=remote.bucket, Key=flipped, Body=bytes(data))
        orphan, foreign, pending = f"{PLACE}{'ab' * 16}", f"{PLACE}notes/today.txt", f"{PLACE}{'cd' * 16}"
        for key in (orphan, foreign, pending, "elsewhere/mine"):
            outside.put_object(Bucket=remote.bucket, Key=key, Body=key.encode())
        epoch = service.stores.epoch
        await service.stores.write(lambda tables: tables.blobs.add_pending([bytes.fromhex("cd" * 16)], epoch, 0))
        found = await check(service.stores)
        assert [f"{PLACE}{name}" for name in found.missing] == [missing]
        assert [f"{PLACE}{name}" for name in found.wrong_length] == [short]
        assert (found.orphaned, found.foreign) == (["ab" * 16], ["notes/today.txt"])
        before = stored(remote)
        repaired = await check(service.stores, repair=True)
        assert (repaired.lost, repaired.flagged) == (True, 2)
        after = stored(remote)
        assert set(before) - set(after) == {orphan, foreign}
        assert sorted(key.rpartition(".")[0] for key in set(after) - set(before)) == [
            f"facet/quarantine/{'ab' * 16}", "facet/quarantine/notes/today.txt"
        ]  # fmt: skip
        assert [blob for blob, _ in (await scrub(service.stores, rate=0)).damaged] != []
        for number, body in enumerate(bodies):
            await put(service, ada, f"again {number}", body)
            assert await get(service, ada, str(number)) == body
        assert not (await check(service.stores)).lost
    # The pending one was of a process that is gone; the healed ones' old objects are abandoned.
    async with opened(with_blobs(tmp_path, remote)) as (service, ada):
        await collect_once(service.stores, service.stores.clock() + LATER)
        assert (await check(service.stores)).clean
        assert pending not in stored(remote)
        assert sum(key.startswith(PLACE) for key in stored(remote)) == len(bodies)
        assert "elsewhere/mine" in stored(remote)


def _blobs(tables: Tables) -> list[BlobRow]:
    return tables.upkeep.blobs(0, 99)


async def test_what_a_crashed_writer_left_in_a_bucket_is_collected(tmp_path: Path, remote: Blobs) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield os.urandom(SEGMENT)
        yield os.urandom(SEGMENT)
        raise ConnectionResetError

    async with opened(with_blobs(tmp_path, remote)) as (service, ada):
        with pytest.raises(ConnectionResetError):
            await service.objects.put(ada, PutRequest(bucket=BUCKET, key="k"), body())
        assert (await check(service.stores)).clean
        await collect_once(service.stores, service.stores.clock())
        assert stored(remote) == {}


@pytest.mark.parametrize("there", [True, False])
async def test_a_backup_goes_from_a_bucket_and_into_one(
    tmp_path: Path, remote: Blobs, moto: NewBucket, there: bool
) -> None:
    bodies = {"large": os.urandom(SEGMENT + 5), "middle": os.urandom(SIZE), "small": b"small"}
    mine = with_blobs(tmp_path / "data", remote)
    async with opened(mine) as (service, ada):
        for key, data in bodies.items():
            await put(service, ada, key, data)
        done = await backup(service.stores, tmp_path / "backup", "one")
        assert (done.blobs, done.copied_blobs, done.damaged) == (3, 3, [])
        assert (await backup(service.stores, tmp_path / "backup", "two")).copied_blobs == 0
        await forget(service.stores, "one")
    copy: Settings = with_blobs(tmp_path / "copy", moto()) if there else settings(tmp_path / "copy")
    restored = await restore(tmp_path / "backup", copy)
    assert restored.clean, restored.document()
    copy.master_key.write_bytes(mine.master_key.read_bytes())
    async with opened(copy) as (service, ada):
        assert {key: await get(service, ada, key) for key in bodies} == bodies
        assert (await scrub(service.stores, rate=0)).clean


async def test_a_service_that_is_gone_is_a_refusal_and_goes_on_when_it_is_back(tmp_path: Path, moto: NewBucket) -> None:
    remote = moto()
    async with opened(with_blobs(tmp_path, remote)) as (service, ada):
        await put(service, ada, "k", os.urandom(SIZE))
        client(remote).delete_object(Bucket=remote.bucket, Key=next(iter(stored(remote))))
        client(remote).delete_bucket(Bucket=remote.bucket)
        with pytest.raises(ServiceError):
            await put(service, ada, "new", os.urandom(SIZE))
        await put(service, ada, "small", b"small")
        client(remote).create_bucket(Bucket=remote.bucket)
        await put(service, ada, "new", os.urandom(SIZE))
        await collect_once(service.stores, service.stores.clock() + LATER)
        assert len(stored(remote)) == 1
