"""Multipart uploads: parts join without a byte moved, and what is not used is collected."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import zlib

import pytest

from conf.schema import Settings
from origin.jobs import collect
from origin.jobs.collect import collect_once
from origin.service.ingest import SEGMENT
from origin.service.model import Caller, Expected, ServiceError
from origin.service.multipart import CompletedPart, CreateUploadRequest, PartInfo, UploadInfo
from origin.service.service import Service
from tests.faults.examine import recount
from tests.origin.storage.support import BUCKET, MIB, Clock, blob_files, get, put, stream

LATER = 10_000.0


async def begin(service: Service, who: Caller, key: str = "k", algorithm: str | None = None) -> UploadInfo:
    request = CreateUploadRequest(
        bucket=BUCKET, key=key, content_type="video/mp4", acl="private", checksum_algorithm=algorithm
    )
    return await service.uploads.create(who, request)


async def part(
    service: Service, who: Caller, upload: UploadInfo, number: int, data: bytes, expected: Expected | None = None
) -> PartInfo:
    return await service.uploads.put_part(
        who, BUCKET, upload.key, upload.upload_id, number, expected or Expected(), stream(data)
    )


def named(*parts: PartInfo) -> list[CompletedPart]:
    return [CompletedPart(number=one.number, etag=f'"{one.etag}"') for one in parts]


async def test_parts_become_one_object(service: Service, ada: Caller) -> None:
    bodies = [os.urandom(SEGMENT + 7), os.urandom(MIB), b"tail"]
    upload = await begin(service, ada)
    parts = [await part(service, ada, upload, 2 * number + 1, body) for number, body in enumerate(bodies)]
    info = await service.uploads.complete(ada, BUCKET, "k", upload.upload_id, named(*parts))
    whole = b"".join(bodies)
    digest = hashlib.md5(b"".join(hashlib.md5(body).digest() for body in bodies)).hexdigest()
    assert (info.etag, info.size, info.parts_count, info.content_type) == (f"{digest}-3", len(whole), 3, "video/mp4")
    assert await get(service, ada, "k") == whole
    start = SEGMENT + 3
    assert await get(service, ada, "k", f"bytes={start}-{start + MIB + 5}") == whole[start : start + MIB + 6]
    assert await get(service, ada, "k", "bytes=-6") == whole[-6:]


async def test_parts_of_one_segment_have_the_identity_of_one_put(
    service: Service, ada: Caller, scratch: Settings
) -> None:
    data = os.urandom(2 * SEGMENT + 100)
    single = await put(service, ada, "single", data)
    upload = await begin(service, ada)
    parts = [
        await part(service, ada, upload, number + 1, data[number * SEGMENT : (number + 1) * SEGMENT])
        for number in range(3)
    ]
    joined = await service.uploads.complete(ada, BUCKET, "k", upload.upload_id, named(*parts))
    await service._duplicates.idle()
    assert joined.identity != ""
    # The tail is a blob of the PUT and an inline body of the part; the segments are shared.
    assert joined.identity == single.identity
    assert len(blob_files(scratch)) == 3


async def test_completing_again_answers_the_same_object(service: Service, ada: Caller) -> None:
    upload = await begin(service, ada)
    one = await part(service, ada, upload, 1, b"body")
    first = await service.uploads.complete(ada, BUCKET, "k", upload.upload_id, named(one))
    assert await service.uploads.complete(ada, BUCKET, "k", upload.upload_id, named(one)) == first
    await put(service, ada, "k", b"newer")
    with pytest.raises(ServiceError, match="NoSuchUpload"):
        await service.uploads.complete(ada, BUCKET, "k", upload.upload_id, named(one))


async def test_clients_that_complete_an_upload_at_once_get_the_same_object(service: Service, ada: Caller) -> None:
    for number in range(5):
        upload = await begin(service, ada, f"k{number}")
        one = await part(service, ada, upload, 1, b"body")
        completes = (service.uploads.complete(ada, BUCKET, upload.key, upload.upload_id, named(one)) for _ in range(8))
        first, *others = await asyncio.gather(*completes)
        assert all(other == first for other in others)


async def test_replaced_and_unnamed_parts_are_collected(
    service: Service, ada: Caller, scratch: Settings, clock: Clock
) -> None:
    upload = await begin(service, ada)
    await part(service, ada, upload, 1, os.urandom(MIB))
    kept = os.urandom(MIB)
    one = await part(service, ada, upload, 1, kept)
    await part(service, ada, upload, 2, os.urandom(MIB))
    await service.uploads.complete(ada, BUCKET, "k", upload.upload_id, named(one))
    for _ in range(2):
        await collect_once(service.stores, clock.now + LATER)
        clock.now += LATER
    assert len(blob_files(scratch)) == 1
    assert await get(service, ada, "k") == kept
    await service.objects.delete(ada, BUCKET, "k")
    await collect_once(service.stores, clock.now + LATER)
    assert blob_files(scratch) == []


async def test_an_object_deleted_before_its_upload_is_collected_loses_nothing_twice(
    service: Service, ada: Caller, scratch: Settings, clock: Clock
) -> None:
    data = os.urandom(MIB)
    await put(service, ada, "other", data)
    upload = await begin(service, ada)
    one = await part(service, ada, upload, 1, data)
    await service.uploads.complete(ada, BUCKET, "k", upload.upload_id, named(one))
    await service.objects.delete(ada, BUCKET, "k")
    for _ in range(3):
        clock.now += LATER
        await collect_once(service.stores, clock.now)
    assert await get(service, ada, "other") == data
    assert len(blob_files(scratch)) == 1


async def test_an_object_of_many_parts_is_collected_in_batches(
    service: Service, ada: Caller, scratch: Settings, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "BATCH", 2)
    upload = await begin(service, ada)
    parts = [await part(service, ada, upload, number, os.urandom(50_000)) for number in range(1, 8)]
    await service.uploads.complete(ada, BUCKET, "k", upload.upload_id, named(*parts))
    await service.objects.delete(ada, BUCKET, "k")
    for _ in range(3):
        clock.now += LATER
        await collect_once(service.stores, clock.now)
    assert blob_files(scratch) == []
    assert list(recount(scratch)) == []


async def test_an_aborted_upload_leaves_nothing(service: Service, ada: Caller, scratch: Settings, clock: Clock) -> None:
    upload = await begin(service, ada)
    await part(service, ada, upload, 1, os.urandom(SEGMENT + MIB))
    await service.uploads.abort(ada, BUCKET, "k", upload.upload_id)
    with pytest.raises(ServiceError, match="NoSuchUpload"):
        await part(service, ada, upload, 2, b"late")
    for _ in range(2):
        clock.now += LATER
        await collect_once(service.stores, clock.now)
    assert blob_files(scratch) == []


async def test_parts_that_do_not_fit_are_refused(service: Service, ada: Caller) -> None:
    upload = await begin(service, ada)
    one, two = await part(service, ada, upload, 1, b"one"), await part(service, ada, upload, 2, b"two")
    refusals = {
        "InvalidPartOrder": named(two, one),
        "InvalidPart": [CompletedPart(number=1, etag="0" * 32)],
        "MalformedXML": [],
    }
    for code, parts in refusals.items():
        with pytest.raises(ServiceError, match=code):
            await service.uploads.complete(ada, BUCKET, "k", upload.upload_id, parts)
    with pytest.raises(ServiceError, match="InvalidArgument"):
        await part(service, ada, upload, 10_001, b"x")
    for bucket_key, upload_id in (("other", upload.upload_id), ("k", "made-up")):
        with pytest.raises(ServiceError, match="NoSuchUpload"):
            await service.uploads.complete(ada, BUCKET, bucket_key, upload_id, named(one))


async def test_a_small_part_is_too_small_unless_it_is_the_last(
    service: Service, ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = service.settings.origin.model_copy(update={"min_part": MIB})
    monkeypatch.setattr(service.stores, "settings", service.settings.model_copy(update={"origin": strict}))
    upload = await begin(service, ada)
    one, two = await part(service, ada, upload, 1, b"one"), await part(service, ada, upload, 2, b"two")
    with pytest.raises(ServiceError, match="EntityTooSmall"):
        await service.uploads.complete(ada, BUCKET, "k", upload.upload_id, named(one, two))
    await service.uploads.complete(ada, BUCKET, "k", upload.upload_id, named(two))
    assert await get(service, ada, "k") == b"two"


async def test_parts_and_uploads_are_listed_in_pages(service: Service, ada: Caller, clock: Clock) -> None:
    uploads = []
    for key in ("a", "a", "b/1", "b/2", "c"):
        clock.now += 1
        uploads.append(await begin(service, ada, key))
    for number in (1, 5, 9):
        await part(service, ada, uploads[0], number, b"x")
    page = await service.uploads.list_parts(ada, BUCKET, "a", uploads[0].upload_id, max_parts=2)
    assert ([one.number for one in page.parts], page.truncated, page.next_marker) == ([1, 5], True, 5)
    page = await service.uploads.list_parts(ada, BUCKET, "a", uploads[0].upload_id, marker=5)
    assert ([one.number for one in page.parts], page.truncated) == ([9], False)

    seen, markers = [], ("", "")
    while True:
        listed = await service.uploads.list_uploads(
            ada, BUCKET, key_marker=markers[0], upload_marker=markers[1], max_uploads=1
        )
        seen += [one.upload_id for one in listed.uploads]
        if not listed.truncated:
            break
        markers = (listed.next_key_marker or "", listed.next_upload_marker or "")
    assert seen == [one.upload_id for one in uploads]
    listed = await service.uploads.list_uploads(ada, BUCKET, delimiter="/")
    assert ([one.key for one in listed.uploads], listed.prefixes) == (["a", "a", "c"], ("b/",))


async def test_part_checksums_make_the_objects(service: Service, ada: Caller) -> None:
    bodies = [b"one" * 1000, b"two"]
    crcs = [zlib.crc32(body).to_bytes(4, "big") for body in bodies]
    for kind, value in (
        ("COMPOSITE", base64.b64encode(zlib.crc32(b"".join(crcs)).to_bytes(4, "big")).decode() + "-2"),
        ("FULL_OBJECT", base64.b64encode(zlib.crc32(b"".join(bodies)).to_bytes(4, "big")).decode()),
    ):
        upload = await service.uploads.create(
            ada, CreateUploadRequest(bucket=BUCKET, key="k", checksum_algorithm="CRC32", checksum_type=kind)
        )
        parts = [
            await part(service, ada, upload, number, body, Expected(algorithms=("CRC32",)))
            for number, body in enumerate(bodies, start=1)
        ]
        said = [CompletedPart(number=done.number, etag=done.etag, checksums=done.checksums) for done in parts]
        info = await service.uploads.complete(ada, BUCKET, "k", upload.upload_id, said)
        assert (info.checksums, info.checksum_type) == ({"CRC32": value}, kind)
