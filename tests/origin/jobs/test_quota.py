"""Quotas: counted in logical bytes, enforced in the transaction, and never in the way of what shrinks a bucket."""

from __future__ import annotations

import asyncio
import os

import pytest

from origin.jobs.check import check
from origin.jobs.collect import collect_once
from origin.service.model import Caller, CopyRequest, Expected, ServiceError
from origin.service.multipart import CompletedPart, CreateUploadRequest
from origin.service.quota import Quotas
from origin.service.service import Service
from tests.origin.storage.support import BUCKET, Clock, get, put, stream

SIZE = 100_000


async def limit(service: Service, *, objects: int | None = None, size: int | None = None) -> None:
    await Quotas(service.stores).set(BUCKET, objects=objects, size=size)


async def used(service: Service) -> tuple[int, int, int]:
    now = await Quotas(service.stores).get(BUCKET)
    return now["objects"], now["bytes"], now["uploading"]


async def test_equal_bytes_are_charged_each_time(service: Service, ada: Caller) -> None:
    body = os.urandom(SIZE)
    for key in ("one", "two"):
        await put(service, ada, key, body)
    await service.objects.copy(ada, CopyRequest(source_bucket=BUCKET, source_key="one", bucket=BUCKET, key="three"))
    assert await used(service) == (3, 3 * SIZE, 0)
    await put(service, ada, "one", b"less")
    await service.objects.delete(ada, BUCKET, "two")
    assert await used(service) == (2, SIZE + 4, 0)


async def test_a_write_over_the_quota_is_refused_and_leaves_nothing(service: Service, ada: Caller) -> None:
    await limit(service, size=2 * SIZE)
    await put(service, ada, "one", os.urandom(SIZE))
    await put(service, ada, "two", os.urandom(SIZE))
    for body in (b"x", os.urandom(SIZE)):
        with pytest.raises(ServiceError) as refused:
            await put(service, ada, "three", body)
        assert refused.value.code == "QuotaExceeded"
    with pytest.raises(ServiceError, match="QuotaExceeded"):
        await service.objects.copy(ada, CopyRequest(source_bucket=BUCKET, source_key="one", bucket=BUCKET, key="x"))
    assert await used(service) == (2, 2 * SIZE, 0)
    found = await check(service.stores)
    assert found.clean, found.document()


async def test_the_number_of_objects_is_bounded_too(service: Service, ada: Caller) -> None:
    await limit(service, objects=1)
    await put(service, ada, "one", b"1")
    with pytest.raises(ServiceError, match="quota of 1 objects"):
        await put(service, ada, "two", b"2")
    await put(service, ada, "one", b"another")
    await service.objects.delete(ada, BUCKET, "one")
    await put(service, ada, "two", b"2")


async def test_what_shrinks_a_full_bucket_is_let_through(service: Service, ada: Caller) -> None:
    await put(service, ada, "one", os.urandom(SIZE))
    await put(service, ada, "two", os.urandom(SIZE))
    await limit(service, size=SIZE, objects=1)
    await put(service, ada, "one", os.urandom(SIZE - 1))
    with pytest.raises(ServiceError, match="QuotaExceeded"):
        await put(service, ada, "one", os.urandom(SIZE))
    await service.objects.delete(ada, BUCKET, "two")
    assert await used(service) == (1, SIZE - 1, 0)


async def test_parts_of_open_uploads_count_and_completing_counts_nothing_twice(
    service: Service, ada: Caller, clock: Clock
) -> None:
    await limit(service, size=3 * SIZE)
    upload = await service.uploads.create(ada, CreateUploadRequest(bucket=BUCKET, key="k"))

    async def part(number: int, size: int = SIZE) -> CompletedPart:
        body = stream(os.urandom(size))
        made = await service.uploads.put_part(ada, BUCKET, "k", upload.upload_id, number, Expected(), body)
        return CompletedPart(number=number, etag=made.etag)

    parts = [await part(number) for number in (1, 2, 3)]
    assert await used(service) == (0, 0, 3 * SIZE)
    with pytest.raises(ServiceError, match="QuotaExceeded"):
        await part(4, 1)
    with pytest.raises(ServiceError, match="QuotaExceeded"):
        await put(service, ada, "other", b"x")
    parts[2] = await part(3)
    await service.uploads.complete(ada, BUCKET, "k", upload.upload_id, parts)
    assert await used(service) == (1, 3 * SIZE, 0)
    again = await service.uploads.create(ada, CreateUploadRequest(bucket=BUCKET, key="k2"))
    await limit(service, size=4 * SIZE)
    await service.uploads.put_part(ada, BUCKET, "k2", again.upload_id, 1, Expected(), stream(os.urandom(SIZE)))
    await service.uploads.abort(ada, BUCKET, "k2", again.upload_id)
    assert await used(service) == (1, 3 * SIZE, 0)
    clock.now += 10_000
    await collect_once(service.stores, clock.now)
    assert await used(service) == (1, 3 * SIZE, 0)
    assert (await check(service.stores)).clean


async def test_writers_at_once_cannot_exceed_it_together(service: Service, ada: Caller) -> None:
    await limit(service, size=5 * SIZE)
    bodies = {f"k{number}": os.urandom(SIZE) for number in range(12)}
    answers = await asyncio.gather(
        *(put(service, ada, key, body) for key, body in bodies.items()), return_exceptions=True
    )
    kept = [key for key, answer in zip(bodies, answers, strict=True) if not isinstance(answer, Exception)]
    assert len(kept) == 5
    assert await used(service) == (5, 5 * SIZE, 0)
    for key in kept:
        assert await get(service, ada, key) == bodies[key]


async def test_no_quota_is_no_limit_and_a_bucket_that_is_missing_has_none(service: Service, ada: Caller) -> None:
    await limit(service, size=0, objects=0)
    with pytest.raises(ServiceError, match="QuotaExceeded"):
        await put(service, ada, "k", b"x")
    await limit(service)
    await put(service, ada, "k", b"x")
    with pytest.raises(ServiceError, match="NoSuchBucket"):
        await Quotas(service.stores).get("nowhere")
