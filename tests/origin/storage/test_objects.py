"""Objects end to end: what was acknowledged reads back, equal bytes are kept once, and nothing false is returned."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from conf.schema import Settings
from origin.jobs.collect import collect_once
from origin.seal.frames import FRAME, HEADER, TAG, Damaged
from origin.service.ingest import PIECE, SEGMENT
from origin.service.model import (
    ANONYMOUS,
    Caller,
    CopyRequest,
    Expected,
    NotModified,
    PutRequest,
    ReadConditions,
    ServiceError,
    Target,
    WriteConditions,
)
from origin.service.service import Service
from tests.origin.storage.support import BUCKET, MIB, Clock, blob_files, get, put, settings, stream

LATER = 10_000.0


@pytest.mark.parametrize(
    "size", [0, 1, 16 * 1024, 16 * 1024 + 1, FRAME, PIECE, PIECE + 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT + 5]
)
async def test_a_body_of_any_size_reads_back_with_its_md5(service: Service, ada: Caller, size: int) -> None:
    data = os.urandom(size)
    info = await put(service, ada, "k", data)
    assert (info.size, info.etag) == (size, hashlib.md5(data).hexdigest())
    assert await get(service, ada, "k") == data
    assert await service.objects.head(ada, BUCKET, "k") == info


async def test_a_range_over_segments_reads_exactly_its_bytes(service: Service, ada: Caller) -> None:
    data = os.urandom(2 * SEGMENT + 100_000)
    await put(service, ada, "k", data)
    for start, end in ((0, 0), (SEGMENT - 1, SEGMENT), (FRAME - 1, FRAME + 5), (5, 2 * SEGMENT + 7)):
        assert await get(service, ada, "k", f"bytes={start}-{end}") == data[start : end + 1]
    assert await get(service, ada, "k", "bytes=-5") == data[-5:]
    assert await get(service, ada, "k", f"bytes=100-{10**12}") == data[100:]
    with pytest.raises(ServiceError) as refused:
        await get(service, ada, "k", f"bytes={len(data)}-")
    assert refused.value.code == "InvalidRange"


async def test_equal_bytes_are_kept_once_whatever_the_key(service: Service, ada: Caller, scratch: Settings) -> None:
    data = os.urandom(SEGMENT + MIB)
    first = await put(service, ada, "one", data)
    second = await put(service, ada, "two", data)
    await service._duplicates.idle()
    assert len(blob_files(scratch)) == 2
    assert first.identity == second.identity
    assert await get(service, ada, "two") == data


async def test_equal_small_bodies_have_one_identity_and_no_file(
    service: Service, ada: Caller, scratch: Settings
) -> None:
    first, second = await put(service, ada, "one", b"small"), await put(service, ada, "two", b"small")
    assert first.identity == second.identity
    assert blob_files(scratch) == []


async def test_bytes_nobody_refers_to_are_collected_after_the_grace(
    service: Service, ada: Caller, scratch: Settings, clock: Clock
) -> None:
    data = os.urandom(SEGMENT + MIB)
    await put(service, ada, "one", data)
    await put(service, ada, "two", data)
    await put(service, ada, "two", b"overwritten")
    await collect_once(service.stores, clock.now + LATER)
    assert await get(service, ada, "one") == data
    await service.objects.delete(ada, BUCKET, "one")
    await collect_once(service.stores, clock.now + scratch.origin.grace - 1)
    assert len(blob_files(scratch)) == 2
    await collect_once(service.stores, clock.now + LATER)
    assert blob_files(scratch) == []
    assert service.stores.catalog.read(lambda tables: tables.blobs.dead(0, 9)) == []


async def test_a_doomed_blob_is_joined_and_lives_again(
    service: Service, ada: Caller, scratch: Settings, clock: Clock
) -> None:
    data = os.urandom(100_000)
    await put(service, ada, "k", data)
    await service.objects.delete(ada, BUCKET, "k")
    files = blob_files(scratch)
    await put(service, ada, "k", data)
    await service._duplicates.idle()
    await collect_once(service.stores, clock.now + LATER)
    assert blob_files(scratch) == files
    assert await get(service, ada, "k") == data


async def test_a_running_read_keeps_its_bytes(service: Service, ada: Caller, scratch: Settings, clock: Clock) -> None:
    data = os.urandom(3 * SEGMENT)
    await put(service, ada, "k", data)
    async with await service.objects.open(ada, BUCKET, "k") as reading:
        chunks = reading.chunks()
        got = bytearray(await anext(chunks))
        await service.objects.delete(ada, BUCKET, "k")
        await collect_once(service.stores, clock.now + LATER)
        assert len(blob_files(scratch)) == 3
        async for chunk in chunks:
            got += chunk
        assert got == data
    await collect_once(service.stores, clock.now + LATER)
    assert blob_files(scratch) == []


@pytest.mark.parametrize("turns", [1, 2, 3])
async def test_a_read_cancelled_while_it_begins_keeps_nothing(
    service: Service, ada: Caller, scratch: Settings, clock: Clock, turns: int
) -> None:
    await put(service, ada, "k", os.urandom(MIB))
    task = asyncio.create_task(service.objects.open(ada, BUCKET, "k"))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await service.objects.delete(ada, BUCKET, "k")
    await collect_once(service.stores, clock.now + LATER)
    assert blob_files(scratch) == []


async def test_an_upload_that_breaks_off_leaves_nothing(
    service: Service, ada: Caller, scratch: Settings, clock: Clock
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield os.urandom(2 * SEGMENT + 5)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await service.objects.put(ada, PutRequest(bucket=BUCKET, key="k"), broken())
    await collect_once(service.stores, clock.now)
    assert blob_files(scratch) == []
    with pytest.raises(ServiceError, match="NoSuchKey"):
        await get(service, ada, "k")


async def test_a_cancelled_upload_leaves_nothing(
    service: Service, ada: Caller, scratch: Settings, clock: Clock
) -> None:
    entered = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield os.urandom(SEGMENT + 2 * PIECE)
        entered.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(service.objects.put(ada, PutRequest(bucket=BUCKET, key="k"), endless()))
    await entered.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    await collect_once(service.stores, clock.now)
    assert blob_files(scratch) == []


DATA = b"0123456789" * 5000
BAD = {
    "length": (Expected(length=len(DATA) + 1), "IncompleteBody"),
    "md5": (Expected(md5=bytes(16)), "BadDigest"),
    "sha256": (Expected(sha256="0" * 64), "XAmzContentSHA256Mismatch"),
    "checksum": (Expected(checksums={"CRC32C": "AAAAAA=="}), "BadDigest"),
    "trailer": (Expected(algorithms=("CRC64NVME",), late=lambda: {"CRC64NVME": "AAAAAAAAAAA="}), "BadDigest"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("size", [10, len(DATA)])
async def test_a_wrong_digest_or_length_stores_nothing(
    service: Service, ada: Caller, scratch: Settings, clock: Clock, name: str, size: int
) -> None:
    expected, code = BAD[name]
    with pytest.raises(ServiceError) as refused:
        await put(service, ada, "k", DATA[:size], expected=expected)
    assert refused.value.code == code
    await collect_once(service.stores, clock.now)
    assert blob_files(scratch) == []
    with pytest.raises(ServiceError, match="NoSuchKey"):
        await service.objects.head(ada, BUCKET, "k")


async def test_right_digests_are_kept(service: Service, ada: Caller) -> None:
    sha1 = base64.b64encode(hashlib.sha1(DATA).digest()).decode()
    expected = Expected(
        length=len(DATA),
        md5=hashlib.md5(DATA).digest(),
        sha256=hashlib.sha256(DATA).hexdigest(),
        algorithms=("SHA1",),
        late=lambda: {"SHA1": sha1},
    )
    info = await put(service, ada, "k", DATA, expected=expected)
    assert info.checksums == {"SHA1": sha1}
    assert (await service.objects.head(ada, BUCKET, "k")).checksums == {"SHA1": sha1}


async def test_a_body_over_the_limit_is_refused(tmp_path: Path) -> None:
    small = settings(tmp_path, max_put=MIB)
    service = await Service.open(small)
    ada = Caller((await service.keys.add(owner="ada")).key)
    await service.buckets.create(ada, BUCKET)
    for expected in (Expected(), Expected(length=MIB + 1)):
        with pytest.raises(ServiceError) as refused:
            await put(service, ada, "k", bytes(MIB + 1), expected=expected)
        assert refused.value.code == "EntityTooLarge"
    await service.close()


@pytest.mark.parametrize("at", [3, HEADER + 100, HEADER + FRAME + TAG + 9, -1])
async def test_a_flipped_bit_on_disk_is_never_returned(
    service: Service, ada: Caller, scratch: Settings, at: int
) -> None:
    data = os.urandom(3 * PIECE)
    await put(service, ada, "k", data)
    (file,) = blob_files(scratch)
    body = bytearray(file.read_bytes())
    body[at] ^= 4
    file.write_bytes(body)
    got = bytearray()
    try:
        async with await service.objects.open(ada, BUCKET, "k") as reading:
            async for chunk in reading.chunks():
                got += chunk
    except (ServiceError, Damaged):
        pass
    assert len(got) < len(data)
    assert data.startswith(got)


@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
async def test_a_fresh_copy_of_the_same_bytes_heals_a_bad_blob(
    service: Service, ada: Caller, scratch: Settings, clock: Clock, damage: str
) -> None:
    data = os.urandom(100_000)
    await put(service, ada, "old", data)
    (file,) = blob_files(scratch)
    body = bytearray(file.read_bytes())
    body[HEADER] ^= 1
    match damage:
        case "flip":
            file.write_bytes(body)
        case "cut":
            os.truncate(file, 1000)
        case _:
            file.unlink()
    with pytest.raises(ServiceError, match="InternalError"):
        await get(service, ada, "old")
    await put(service, ada, "new", data)
    assert await get(service, ada, "old") == data
    await collect_once(service.stores, clock.now)
    assert len(blob_files(scratch)) == 1


async def test_the_disk_shows_neither_plaintext_nor_its_hashes(
    service: Service, ada: Caller, scratch: Settings
) -> None:
    data = b"the quick brown fox " * 20_000
    await put(service, ada, "large", data)
    await put(service, ada, "small", data[:1000])
    everything = b"".join(path.read_bytes() for path in scratch.origin_data.rglob("*") if path.is_file())
    names = " ".join(str(path) for path in scratch.origin_data.rglob("*"))
    assert b"quick brown" not in everything
    for digest in (hashlib.md5(data), hashlib.sha256(data), hashlib.md5(data[:1000])):
        assert digest.digest() not in everything
        assert digest.hexdigest().encode() not in everything
        assert digest.hexdigest() not in names


async def test_plain_and_sealed_blobs_live_side_by_side(tmp_path: Path) -> None:
    one, two = os.urandom(50_000), os.urandom(50_000)
    service = await Service.open(settings(tmp_path, seal=False))
    ada = Caller((await service.keys.add(owner="ada", access_key="ada-key")).key)
    await service.buckets.create(ada, BUCKET)
    await put(service, ada, "plain", one)
    assert any(one[:1000] in path.read_bytes() for path in blob_files(service.settings))
    await service.close()
    service = await Service.open(settings(tmp_path))
    await put(service, ada, "sealed", two)
    assert await get(service, ada, "plain") == one
    assert await get(service, ada, "sealed") == two
    await service.close()


async def test_conditions_of_a_write_hold_inside_its_commit(service: Service, ada: Caller) -> None:
    writes = [
        put(service, ada, "once", b"%d" % number, conditions=WriteConditions(if_none_match="*")) for number in range(20)
    ]
    answers = await asyncio.gather(*writes, return_exceptions=True)
    refusals = [answer.code for answer in answers if isinstance(answer, ServiceError)]
    assert refusals == ["PreconditionFailed"] * 19
    (winner,) = [number for number, answer in enumerate(answers) if not isinstance(answer, BaseException)]
    assert await get(service, ada, "once") == b"%d" % winner

    etag = (await service.objects.head(ada, BUCKET, "once")).etag
    await put(service, ada, "once", b"next", conditions=WriteConditions(if_match=f'"{etag}"'))
    with pytest.raises(ServiceError, match="PreconditionFailed"):
        await put(service, ada, "once", b"late", conditions=WriteConditions(if_match=etag))
    with pytest.raises(ServiceError, match="NoSuchKey"):
        await put(service, ada, "none", b"x", conditions=WriteConditions(if_match=etag))


async def test_conditions_of_a_read_are_judged(service: Service, ada: Caller) -> None:
    etag = (await put(service, ada, "k", b"x")).etag
    with pytest.raises(NotModified) as same:
        await service.objects.open(ada, BUCKET, "k", conditions=ReadConditions(if_none_match=f'"{etag}"'))
    assert same.value.info.etag == etag
    with pytest.raises(ServiceError, match="PreconditionFailed"):
        await service.objects.head(ada, BUCKET, "k", conditions=ReadConditions(if_match='"other"'))


async def test_many_puts_at_once_share_commits(service: Service, ada: Caller) -> None:
    commits: list[int] = []
    service.stores.catalog.on_commit(lambda position, mutation: commits.append(position))
    await asyncio.gather(*(put(service, ada, f"k{number}", b"%d" % number) for number in range(200)))
    assert len(commits) < 100
    for number in (0, 99, 199):
        assert await get(service, ada, f"k{number}") == b"%d" % number


async def test_equal_bodies_at_once_are_kept_once(service: Service, ada: Caller, scratch: Settings) -> None:
    data = os.urandom(200_000)
    await asyncio.gather(*(put(service, ada, f"k{number}", data) for number in range(8)))
    await service._duplicates.idle()
    assert len(blob_files(scratch)) == 1


async def test_a_copy_moves_no_byte_and_outlives_its_source(
    service: Service, ada: Caller, scratch: Settings, clock: Clock
) -> None:
    data = os.urandom(SEGMENT + 5)
    info = await put(service, ada, "from", data, content_type="image/png", metadata={"a": "b"})
    request = CopyRequest(source_bucket=BUCKET, source_key="from", bucket=BUCKET, key="to", acl="public-read")
    copy = (await service.objects.copy(ada, request)).info
    assert (copy.etag, copy.identity, copy.metadata, copy.content_type) == (
        info.etag,
        info.identity,
        {"a": "b"},
        "image/png",
    )
    assert (await service.objects.head(ANONYMOUS, BUCKET, "to")).size
    assert len(blob_files(scratch)) == 2
    await service.objects.delete(ada, BUCKET, "from")
    await collect_once(service.stores, clock.now + LATER)
    assert await get(service, ada, "to") == data


async def test_a_copy_onto_itself_needs_a_change(service: Service, ada: Caller) -> None:
    await put(service, ada, "k", b"x", content_type="text/plain")
    with pytest.raises(ServiceError, match="InvalidRequest"):
        await service.objects.copy(ada, CopyRequest(source_bucket=BUCKET, source_key="k", bucket=BUCKET, key="k"))
    await service.objects.copy(
        ada,
        CopyRequest(
            source_bucket=BUCKET, source_key="k", bucket=BUCKET, key="k", replace=True, content_type="text/css"
        ),
    )
    assert (await service.objects.head(ada, BUCKET, "k")).content_type == "text/css"
    assert await get(service, ada, "k") == b"x"


async def test_deleting_many_answers_for_each(service: Service, ada: Caller) -> None:
    await put(service, ada, "a", b"x")
    done = await service.objects.delete_many(ada, BUCKET, [Target("a"), Target("never"), Target("a", "made-up")])
    assert [None if one.error is None else one.error.code for one in done] == [None, None, "InvalidArgument"]
    with pytest.raises(ServiceError, match="NoSuchKey"):
        await get(service, ada, "a")


async def test_a_full_disk_refuses_writes_and_still_deletes(tmp_path: Path) -> None:
    service = await Service.open(settings(tmp_path))
    ada = Caller((await service.keys.add(owner="ada", access_key="ada-key")).key)
    await service.buckets.create(ada, BUCKET)
    await put(service, ada, "k", os.urandom(50_000))
    await service.close()
    service = await Service.open(settings(tmp_path, reserve=1 << 60))
    for size in (10, 50_000):
        with pytest.raises(ServiceError, match="InsufficientStorage"):
            await put(service, ada, "more", bytes(size))
    await service.objects.delete(ada, BUCKET, "k")
    await collect_once(service.stores, service.stores.clock() + LATER)
    assert blob_files(service.settings) == []
    await service.close()


async def test_unknown_keys_and_names_are_refused(service: Service, ada: Caller) -> None:
    for key, code in (("k" * 1025, "KeyTooLongError"), ("", "InvalidURI")):
        with pytest.raises(ServiceError, match=code):
            await put(service, ada, key, b"x")
    with pytest.raises(ServiceError, match="MetadataTooLarge"):
        await put(service, ada, "k", b"x", metadata={"a": "b" * 3000})
    with pytest.raises(ServiceError, match="NoSuchBucket"):
        await service.objects.put(ada, PutRequest(bucket="nowhere", key="k"), stream(b""))
