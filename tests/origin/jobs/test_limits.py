"""Full, read-only and short of handles: a clear refusal, nothing half-written, and on again when it has passed."""

from __future__ import annotations

import asyncio
import os
import random
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from conf.errors import StartError
from origin.blobs.contract import StoreBusy, StoreFull
from origin.blobs.disk import DiskBlobs
from origin.jobs.check import check
from origin.jobs.collect import collect_once
from origin.service.model import Caller, CopyRequest, ServiceError
from origin.service.service import Service
from tests.origin.jobs.disks import MIB, failing_disk, small_disk
from tests.origin.storage.support import BUCKET, caller, get, put, settings

SIZE = 100_000


@asynccontextmanager
async def opened(folder: Path, **origin: object) -> AsyncIterator[tuple[Service, Caller]]:
    service = await Service.open(settings(folder, sync=True, grace=0, **origin))
    try:
        ada = await caller(service, permissions=["admin"])
        await service.buckets.create(ada, BUCKET)
        yield service, ada
    finally:
        await service.close()


async def collected(service: Service) -> None:
    for _ in range(3):
        await collect_once(service.stores, service.stores.clock() + 10)


async def fill(service: Service, ada: Caller, sizes: list[int]) -> dict[str, bytes]:
    """Put bodies until one is refused for want of space; returns those that were acknowledged."""
    kept: dict[str, bytes] = {}
    for number in range(10_000):
        body = os.urandom(sizes[number % len(sizes)])
        try:
            await put(service, ada, f"k{number}", body)
        except ServiceError as error:
            if error.code != "InsufficientStorage":
                raise
            return kept
        kept[f"k{number}"] = body
    raise AssertionError("the disk is never full")


async def test_on_a_full_disk_deletes_and_collection_go_on(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 24 * MIB) as disk:
        async with opened(disk, reserve=4 * MIB) as (service, ada):
            kept = await fill(service, ada, [SIZE, 5000, 3 * MIB])
            for refused in (b"small", os.urandom(SIZE)):
                with pytest.raises(ServiceError, match="InsufficientStorage"):
                    await put(service, ada, "more", refused)
            with pytest.raises(ServiceError, match="InsufficientStorage"):
                await service.objects.copy(
                    ada, CopyRequest(source_bucket=BUCKET, source_key="k0", bucket=BUCKET, key="c")
                )
            await collected(service)
            found = await check(service.stores)
            assert found.clean, found.document()
            assert [await get(service, ada, key) for key in kept] == list(kept.values())
            for key in kept:
                await service.objects.delete(ada, BUCKET, key)
            await collected(service)
            assert await fill(service, ada, [SIZE]) != {}


@pytest.mark.parametrize("seed", range(4))
async def test_a_disk_that_fills_up_at_any_step_keeps_what_was_acknowledged(tmp_path: Path, seed: int) -> None:
    """Without a reserve, so that each of the writes to blobs, log and catalog meets the end of the disk."""
    chance = random.Random(seed)
    with small_disk(tmp_path / "disk", 12 * MIB) as disk:
        async with opened(disk) as (service, ada):
            ballast = disk / "ballast"
            kept: dict[str, bytes] = {}
            for _ in range(6):
                room = os.statvfs(disk)
                ballast.write_bytes(bytes(max(0, room.f_bavail * room.f_frsize - chance.randrange(2 * SIZE))))
                bodies = {f"k{chance.randrange(30)}": os.urandom(chance.choice([100, 9000, SIZE])) for _ in range(12)}
                answers = await asyncio.gather(
                    *(put(service, ada, key, body) for key, body in bodies.items()), return_exceptions=True
                )
                for (key, body), answer in zip(bodies.items(), answers, strict=True):
                    if isinstance(answer, BaseException):
                        assert isinstance(answer, ServiceError), answer
                        assert answer.code == "InsufficientStorage"
                    else:
                        kept[key] = body
                ballast.unlink()
                await collected(service)
                assert {key: await get(service, ada, key) for key in kept} == kept
                found = await check(service.stores)
                assert found.clean, found.document()
            await put(service, ada, "after", b"all is well")
        service = await Service.open(service.settings)
        assert {key: await get(service, ada, key) for key in kept} == kept
        await service.close()


async def test_a_disk_that_turns_read_only_refuses_writes_and_goes_on_reading(tmp_path: Path) -> None:
    with failing_disk(tmp_path / "disk", 64 * MIB) as (disk, trigger):
        async with opened(disk / "data") as (service, ada):
            bodies = {"large": os.urandom(SIZE), "small": b"small"}
            for key, body in bodies.items():
                await put(service, ada, key, body)
            trigger.write_text("test")
            for body in (os.urandom(SIZE), b"small"):
                with pytest.raises(ServiceError) as refused:
                    await put(service, ada, "more", body)
                assert refused.value.code == "InsufficientStorage"
                assert "read-only" in refused.value.message
            with pytest.raises(ServiceError):
                await service.objects.delete(ada, BUCKET, "large")
            assert {key: await get(service, ada, key) for key in bodies} == bodies
        with pytest.raises(StartError):
            await Service.open(service.settings)


@contextmanager
def no_handles_left(spare: int = 0) -> Iterator[None]:
    """Take every file handle of this process but `spare`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1024), hard))
    try:
        while True:
            try:
                taken.append(os.open("/", os.O_RDONLY))
            except OSError:
                break
        for _ in range(spare):
            os.close(taken.pop())
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("spare", [0, 1, 2, 3])
async def test_without_file_handles_a_client_is_told_to_come_again(tmp_path: Path, spare: int) -> None:
    async with opened(tmp_path) as (service, ada):
        body = os.urandom(SIZE)
        await put(service, ada, "k", body)
        with no_handles_left(spare):
            for number in range(8):
                for work in (put(service, ada, f"k{number}", os.urandom(SIZE)), get(service, ada, "k")):
                    try:
                        await work
                    except ServiceError as error:
                        if error.code != "SlowDown":
                            raise
        assert await get(service, ada, "k") == body
        await put(service, ada, "k2", body)
        await collected(service)
        found = await check(service.stores)
        assert found.clean, found.document()


async def test_a_service_needs_few_handles(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    async with opened(tmp_path) as (service, ada):
        for number in range(20):
            await put(service, ada, f"k{number}", os.urandom(SIZE))
            await get(service, ada, f"k{number}")
        assert len(os.listdir("/proc/self/fd")) - before < 40


def test_a_folder_that_cannot_be_opened_for_syncing_promises_nothing_and_recovers(tmp_path: Path) -> None:
    store = DiskBlobs(tmp_path, reserve=0)
    with no_handles_left(), pytest.raises(StoreBusy):
        store.settle([bytes(16)])
    store.settle([bytes(16)])
    store.close()


def test_a_file_over_the_process_limit_is_a_full_store(tmp_path: Path) -> None:
    store = DiskBlobs(tmp_path, reserve=0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = store.create(bytes(16))
    resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE, hard))
    try:
        with pytest.raises(StoreFull):
            writer.write(bytes(2 * SIZE))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        writer.close()
    assert store.length(bytes(16)) is None
    store.close()
