"""The lock gate: on every path there is, by a clock that the test moves."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import pytest

from origin.catalog.rows import Lock
from origin.jobs.lifecycle import sweep_once
from origin.service.locks import DefaultRetention, LockConfiguration
from origin.service.model import Caller, CopyRequest, Expected, PutRequest, ServiceError, Setting, Target
from origin.service.multipart import CompletedPart, CreateUploadRequest
from origin.service.rules import Expire, Noncurrent, Rule
from origin.service.service import Service
from origin.service.version_ids import Versioning
from tests.origin.storage.support import Clock, caller, stream

BUCKET = "vault"
DAY = 86400.0
GIVEN = Expected(algorithms=("SHA1",))


async def put(service: Service, who: Caller, key: str = "k", lock: Lock | None = None) -> str:
    """Put an object; returns the id of its version."""
    request = PutRequest(bucket=BUCKET, key=key, expected=GIVEN, lock=lock or Lock())
    return str((await service.objects.put(who, request, stream(b"body"))).version_id)


async def code(work: Awaitable[object]) -> str:
    """The code of a refusal, "" where there is none."""
    try:
        await work
    except ServiceError as error:
        return error.code
    return ""


async def null_version(service: Service, ada: Caller) -> None:
    """A locked null version in a bucket that may overwrite it: lock came after it, and versioning was suspended.

    The service refuses to suspend versioning under a lock, so the state is set beneath it.
    """

    async def set_state(state: Versioning) -> None:
        bucket = await service.stores.read(lambda tables: tables.buckets.get(BUCKET))
        assert bucket is not None
        await service.stores.write(lambda tables: tables.buckets.set_versioning(bucket.number, state))

    await set_state(Versioning.SUSPENDED)
    assert await put(service, ada) == "null"
    await set_state(Versioning.ENABLED)
    await service.locks.set_hold(ada, BUCKET, "k", True, "null")
    await set_state(Versioning.SUSPENDED)


Path = Callable[[Service, Caller], Awaitable[object]]


async def _put(service: Service, ada: Caller) -> object:
    return await put(service, ada)


async def _copy(service: Service, ada: Caller) -> object:
    await put(service, ada, "source")
    request = CopyRequest(source_bucket=BUCKET, source_key="source", bucket=BUCKET, key="k")
    return await service.objects.copy(ada, request)


async def _complete(service: Service, ada: Caller) -> object:
    upload = await service.uploads.create(ada, CreateUploadRequest(bucket=BUCKET, key="k"))
    part = await service.uploads.put_part(ada, BUCKET, "k", upload.upload_id, 1, Expected(), stream(b"part"))
    return await service.uploads.complete(ada, BUCKET, "k", upload.upload_id, [CompletedPart(number=1, etag=part.etag)])


async def _delete(service: Service, ada: Caller) -> object:
    return await service.objects.delete(ada, BUCKET, "k", bypass=True)


async def _delete_version(service: Service, ada: Caller) -> object:
    return await service.objects.delete(ada, BUCKET, "k", "null", bypass=True)


async def _delete_many(service: Service, ada: Caller) -> object:
    (done,) = await service.objects.delete_many(ada, BUCKET, [Target("k", "null")], bypass=True)
    if done.error is not None:
        raise done.error
    return done


@pytest.mark.parametrize("path", [_put, _copy, _complete, _delete, _delete_version, _delete_many])
async def test_no_path_removes_or_overwrites_what_is_locked(service: Service, ada: Caller, path: Path) -> None:
    await null_version(service, ada)
    assert await code(path(service, ada)) == "AccessDenied"
    async with await service.objects.open(ada, BUCKET, "k", "null") as reading:
        assert b"".join([bytes(chunk) async for chunk in reading.chunks()]) == b"body"


async def test_the_lifecycle_removes_nothing_that_is_locked(service: Service, ada: Caller, clock: Clock) -> None:
    locked = await put(service, ada, lock=Lock(mode="COMPLIANCE", until=clock.now + 100 * DAY))
    free = await put(service, ada)
    await put(service, ada)
    rule = Rule(id="r", enabled=True, prefix="", expiration=Expire(days=1), noncurrent=Noncurrent(days=1))
    await service.lifecycle.set_rules(ada, BUCKET, [rule])
    clock.now += 10 * DAY
    swept = await sweep_once(service)
    assert (swept.removed, swept.locked) == (2, 1)
    left = [info.version_id for info in (await service.listing.versions(ada, BUCKET)).versions]
    assert (locked in left, free in left) == (True, False)
    clock.now += 100 * DAY
    await sweep_once(service)
    assert locked not in [info.version_id for info in (await service.listing.versions(ada, BUCKET)).versions]


async def test_a_retention_ends_by_the_services_clock(service: Service, ada: Caller, clock: Clock) -> None:
    version = await put(service, ada, lock=Lock(mode="COMPLIANCE", until=clock.now + 10))
    assert await code(service.objects.delete(ada, BUCKET, "k", version)) == "AccessDenied"
    clock.now += 11
    assert await code(service.objects.delete(ada, BUCKET, "k", version)) == ""


async def test_a_retention_that_ended_may_be_set_anew(service: Service, ada: Caller, clock: Clock) -> None:
    await put(service, ada, lock=Lock(mode="COMPLIANCE", until=clock.now + 10))
    weaker = service.locks.set_retention(ada, BUCKET, "k", "GOVERNANCE", clock.now + 20)
    assert await code(weaker) == "AccessDenied"
    clock.now += 11
    again = service.locks.set_retention(ada, BUCKET, "k", "GOVERNANCE", clock.now + 20)
    assert await code(again) == ""


async def test_a_short_lifecycle_day_does_not_shorten_a_default_retention(
    service: Service, ada: Caller, clock: Clock
) -> None:
    configuration = LockConfiguration(DefaultRetention("COMPLIANCE", days=1))
    await service.locks.set_configuration(ada, BUCKET, configuration)
    await put(service, ada)
    lock = await service.locks.get(ada, "GetObjectRetention", BUCKET, "k")
    assert lock.until == clock.now + DAY


async def test_only_an_administrator_bypasses_governance(service: Service, ada: Caller, clock: Clock) -> None:
    version = await put(service, ada, lock=Lock(mode="GOVERNANCE", until=clock.now + 10))
    writer = await caller(service, permissions=["read", "write", "delete"])
    assert await code(service.objects.delete(writer, BUCKET, "k", version, bypass=True)) == "AccessDenied"
    shorter = service.locks.set_retention(writer, BUCKET, "k", "GOVERNANCE", clock.now + 5, bypass=True)
    assert await code(shorter) == "AccessDenied"
    assert await code(service.locks.set_hold(writer, BUCKET, "k", False)) == "AccessDenied"
    assert await code(service.objects.delete(ada, BUCKET, "k", version)) == "AccessDenied"
    assert await code(service.objects.delete(ada, BUCKET, "k", version, bypass=True)) == ""


async def test_a_lock_in_a_write_needs_the_right_to_set_it(service: Service, ada: Caller, clock: Clock) -> None:
    writer = await caller(service, permissions=["write"])
    assert await code(put(service, writer, lock=Lock(mode="GOVERNANCE", until=clock.now + 5))) == ""
    assert await code(put(service, writer, lock=Lock(hold=True))) == "AccessDenied"
    held = CreateUploadRequest(bucket=BUCKET, key="k", lock=Lock(hold=True))
    assert await code(service.uploads.create(writer, held)) == "AccessDenied"


async def test_a_policy_gives_and_takes_the_right_to_bypass(service: Service, ada: Caller, clock: Clock) -> None:
    eve = await caller(service, "eve", permissions=["admin"])
    lock = Lock(mode="GOVERNANCE", until=clock.now + DAY)
    first, second = await put(service, ada, lock=lock), await put(service, ada, lock=lock)

    async def state(effect: str, actions: list[str]) -> None:
        statement = {"Effect": effect, "Principal": "*", "Action": actions, "Resource": f"arn:aws:s3:::{BUCKET}/*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        await service.bucket_settings.put(ada, "PutBucketPolicy", BUCKET, Setting.POLICY, document)

    await state("Allow", ["s3:DeleteObjectVersion"])
    assert await code(service.objects.delete(eve, BUCKET, "k", first, bypass=True)) == "AccessDenied"
    await state("Allow", ["s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"])
    (done,) = await service.objects.delete_many(eve, BUCKET, [Target("k", first)], bypass=True)
    assert done.error is None
    await state("Deny", ["s3:BypassGovernanceRetention"])
    assert await code(service.objects.delete(ada, BUCKET, "k", second, bypass=True)) == "AccessDenied"


async def test_a_locked_bucket_cannot_be_removed(service: Service, ada: Caller) -> None:
    await put(service, ada, lock=Lock(hold=True))
    assert await code(service.buckets.delete(ada, BUCKET)) == "BucketNotEmpty"
