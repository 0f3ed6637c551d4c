"""The service with its blobs in a bucket, and moving blobs between stores while it serves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from conf.errors import StartError
from conf.schema import Blobs
from origin.jobs.check import check
from origin.jobs.collect import collect_once
from origin.jobs.move import move
from origin.jobs.scrub import scrub
from origin.service.ingest import SEGMENT
from origin.service.model import ServiceError
from origin.service.service import Service
from tests.origin.storage.services import NewBucket, client, opened, stored, with_blobs
from tests.origin.storage.support import BUCKET, MIB, blob_files, copy, get, put, settings

LATER = 10_000.0


async def test_objects_live_in_a_bucket_sealed_shared_and_collected(tmp_path: Path, remote: Blobs) -> None:
    async with opened(with_blobs(tmp_path, remote)) as (service, ada):
        body = os.urandom(SEGMENT + MIB)
        await put(service, ada, "one", body)
        await put(service, ada, "two", body)
        await copy(service, ada, "one", "three")
        await service._duplicates.idle()
        assert await get(service, ada, "two") == body
        assert await get(service, ada, "three", f"bytes={SEGMENT - 5}-{SEGMENT + 4}") == body[SEGMENT - 5 : SEGMENT + 5]
        kept = stored(remote)
        assert len(kept) == 2
        assert all(key.startswith("facet/blobs/") for key in kept)
        assert blob_files(service.settings) == []
        assert (await check(service.stores)).clean
        assert (await scrub(service.stores, rate=0)).clean
        for key in ("one", "two", "three"):
            await service.objects.delete(ada, BUCKET, key)
        await collect_once(service.stores, service.stores.clock() + LATER)
        await collect_once(service.stores, service.stores.clock() + 2 * LATER)
        assert stored(remote) == {}


async def test_damage_in_a_bucket_is_never_returned_and_healed_by_the_same_bytes(tmp_path: Path, remote: Blobs) -> None:
    async with opened(with_blobs(tmp_path, remote)) as (service, ada):
        body = os.urandom(300_000)
        await put(service, ada, "k", body)
        (name,) = stored(remote)
        outside = client(remote)
        bytes_there = bytearray(outside.get_object(Bucket=remote.bucket, Key=name)["Body"].read())
        bytes_there[1000] ^= 1
        outside.put_object(Bucket=remote.bucket, Key=name, Body=bytes(bytes_there))
        with pytest.raises(ServiceError, match="damaged"):
            await get(service, ada, "k")
        assert not (await check(service.stores)).clean
        await put(service, ada, "again", body)
        assert await get(service, ada, "k") == body


async def test_blobs_move_there_and_back_while_they_are_read_and_written(tmp_path: Path, remote: Blobs) -> None:
    bodies = {f"k{number}": os.urandom(100_000 + number) for number in range(9)}
    async with opened(settings(tmp_path)) as (service, ada):
        for key, body in bodies.items():
            await put(service, ada, key, body)
        with pytest.raises(ServiceError, match="move_from"):
            await move(service.stores)
    async with opened(with_blobs(tmp_path, remote, move_from="disk")) as (service, ada):
        late = os.urandom(50_000)
        assert await get(service, ada, "k3") == bodies["k3"]
        async with await service.objects.open(ada, BUCKET, "k4") as reading:
            moved = await move(service.stores)
            assert b"".join([bytes(piece) async for piece in reading.chunks()]) == bodies["k4"]
        await put(service, ada, "late", late)
        assert (moved.blobs, moved.damaged) == (9, 0)
        assert blob_files(service.settings) == []
        assert len(stored(remote)) == 10
        assert (await move(service.stores)).blobs == 0
        bodies["late"] = late
    async with opened(with_blobs(tmp_path, remote)) as (service, ada):
        assert {key: await get(service, ada, key) for key in bodies} == bodies
    async with opened(with_blobs(tmp_path, remote, store="disk", move_from="s3")) as (service, ada):
        await move(service.stores)
        assert stored(remote) == {}
        assert {key: await get(service, ada, key) for key in bodies} == bodies
        assert (await check(service.stores)).clean


async def test_a_move_leaves_damaged_blobs_where_they_are_and_goes_on_after_an_interruption(
    tmp_path: Path, moto: NewBucket
) -> None:
    remote = moto()
    async with opened(settings(tmp_path)) as (service, ada):
        for number in range(4):
            await put(service, ada, f"k{number}", os.urandom(50_000))
    bad, half, *_ = blob_files(settings(tmp_path))
    bad.write_bytes(bad.read_bytes()[:-1] + b"?")
    # Copied and not yet removed: where an interruption may have left it.
    client(remote).put_object(Bucket=remote.bucket, Key=f"facet/blobs/{half.name}", Body=half.read_bytes())
    async with opened(with_blobs(tmp_path, remote, move_from="disk")) as (service, ada):
        moved = await move(service.stores)
        assert (moved.blobs, moved.already, moved.damaged) == (2, 1, 1)
        assert [path.name for path in blob_files(service.settings)] == [bad.name]


async def test_a_bucket_that_is_not_there_is_refused_by_name(tmp_path: Path, moto: NewBucket) -> None:
    with pytest.raises(StartError, match=r"nowhere \(blobs.bucket\)"):
        await Service.open(with_blobs(tmp_path, moto(), bucket="nowhere"))
    with pytest.raises(StartError, match=r"blobs\.bucket"):
        await Service.open(with_blobs(tmp_path, moto(), endpoint="http://127.0.0.1:9"))


def test_the_buckets_secret_is_not_shown() -> None:
    assert "hidden" not in repr(Blobs(bucket="b", access_key="key", secret_key="hidden-secret"))
