"""Promises of the feed about versions: what happened, to which version, in the order in which it did."""

from __future__ import annotations

from origin.catalog.rows import Lock
from origin.service.model import Caller, CopyRequest, Expected, PutRequest
from origin.service.service import Service
from origin.service.version_ids import Versioning
from tests.origin.storage.support import BUCKET, stream


async def put(service: Service, who: Caller, bucket: str = BUCKET, lock: Lock | None = None) -> str | None:
    request = PutRequest(bucket=bucket, key="k", expected=Expected(algorithms=("SHA1",)), lock=lock or Lock())
    return (await service.objects.put(who, request, stream(b"x"))).version_id


async def test_every_change_of_a_version_is_told_with_its_id(service: Service, ada: Caller) -> None:
    cursor = (await service.feed.read(ada)).cursor
    await put(service, ada)
    await service.versions.set_state(ada, BUCKET, Versioning.ENABLED)
    first = await put(service, ada)
    request = CopyRequest(source_bucket=BUCKET, source_key="k", bucket=BUCKET, key="k", replace=True)
    second = (await service.objects.copy(ada, request)).info.version_id
    marker = (await service.objects.delete(ada, BUCKET, "k")).marker
    await service.tags.set_of_object(ada, BUCKET, "k", {"a": "b"}, first)
    await service.objects.delete(ada, BUCKET, "k", marker)
    await service.versions.set_state(ada, BUCKET, Versioning.SUSPENDED)
    await service.objects.delete(ada, BUCKET, "k")
    events = (await service.feed.read(ada, cursor)).events
    assert [(event.kind, event.key, event.version) for event in events] == [
        ("object.created", "k", None),
        ("bucket.changed", None, None),
        ("object.created", "k", first),
        ("object.created", "k", second),
        ("object.hidden", "k", marker),
        ("object.tags", "k", first),
        ("object.removed", "k", marker),
        ("bucket.changed", None, None),
        ("object.hidden", "k", "null"),
    ]
    counters = [event.counter for event in events]
    assert counters == sorted(set(counters))


async def test_locks_are_told(service: Service, ada: Caller) -> None:
    version = await put(service, ada, "vault")
    cursor = (await service.feed.read(ada)).cursor
    await service.locks.set_hold(ada, "vault", "k", True)
    await service.locks.set_hold(ada, "vault", "k", False, version)
    events = (await service.feed.read(ada, cursor)).events
    assert [(event.kind, event.key, event.version) for event in events] == [("object.lock", "k", version)] * 2


async def test_a_delete_that_finds_nothing_tells_nothing(service: Service, ada: Caller) -> None:
    cursor = (await service.feed.read(ada)).cursor
    await service.objects.delete(ada, BUCKET, "never")
    await service.objects.delete(ada, "vault", "k", "0" * 32)
    assert (await service.feed.read(ada, cursor)).events == ()
