"""The lifecycle sweep, through the service and by a clock that the test moves."""

from __future__ import annotations

from typing import Any

import pytest

from origin.jobs import lifecycle
from origin.jobs.lifecycle import sweep_once
from origin.service.model import Caller, PutRequest
from origin.service.multipart import CreateUploadRequest
from origin.service.rules import Expire, Filter, Move, Noncurrent, Rule
from origin.service.service import Service
from origin.service.version_ids import Versioning
from tests.origin.storage.support import BUCKET, Clock, stream
from wire.feed import OBJECT_CLASS

DAY = 86400.0


async def put(service: Service, who: Caller, key: str, **more: Any) -> str | None:
    request = PutRequest(bucket=BUCKET, key=key, **more)
    return (await service.objects.put(who, request, stream(b"body"))).version_id


async def keys(service: Service, who: Caller) -> list[str]:
    return [info.key for info in (await service.listing.v2(who, BUCKET)).objects]


async def history(service: Service, who: Caller) -> list[tuple[str, str | None, bool]]:
    page = await service.listing.versions(who, BUCKET)
    return [(info.key, info.version_id, info.delete_marker) for info in page.versions]


async def rules(service: Service, who: Caller, *more: dict[str, Any]) -> None:
    made = [Rule(**({"id": str(number), "enabled": True} | one)) for number, one in enumerate(more)]
    await service.lifecycle.set_rules(who, BUCKET, made)


async def test_objects_of_a_prefix_go_after_their_days(service: Service, ada: Caller, clock: Clock) -> None:
    for key in ("logs/1", "logs/2", "photos/1"):
        await put(service, ada, key)
    await rules(service, ada, {"prefix": "logs/", "expiration": Expire(days=3)})
    clock.now += DAY
    await put(service, ada, "logs/3")
    assert (await sweep_once(service)).removed == 0
    clock.now += 3 * DAY
    assert (await sweep_once(service)).removed == 2
    assert await keys(service, ada) == ["logs/3", "photos/1"]
    clock.now += DAY
    await sweep_once(service)
    assert await keys(service, ada) == ["photos/1"]


async def test_a_disabled_rule_does_nothing(service: Service, ada: Caller, clock: Clock) -> None:
    await put(service, ada, "k")
    await rules(service, ada, {"enabled": False, "prefix": "", "expiration": Expire(days=1)})
    clock.now += 9 * DAY
    assert (await sweep_once(service)).removed == 0


async def test_tags_that_are_set_later_bring_a_rule_later(service: Service, ada: Caller, clock: Clock) -> None:
    for key in ("a", "b"):
        await put(service, ada, key, tags={"keep": "no" if key == "a" else "yes"})
    await rules(service, ada, {"filter": Filter(tags={"keep": "no"}), "expiration": Expire(days=1)})
    clock.now += 2 * DAY
    await sweep_once(service)
    assert await keys(service, ada) == ["b"]
    await service.tags.set_of_object(ada, BUCKET, "b", {"keep": "no"})
    await sweep_once(service)
    assert await keys(service, ada) == []


async def test_a_versioned_object_is_hidden_then_its_versions_go_then_its_marker(
    service: Service, ada: Caller, clock: Clock
) -> None:
    await service.versions.set_state(ada, BUCKET, Versioning.ENABLED)
    first = await put(service, ada, "k")
    await rules(service, ada, {"prefix": "", "expiration": Expire(days=1), "noncurrent": Noncurrent(days=2)})
    clock.now += 2 * DAY
    await sweep_once(service)
    (marker, version) = await history(service, ada)
    assert (marker[2], version) == (True, ("k", first, False))
    clock.now += 3 * DAY
    await sweep_once(service)
    assert await history(service, ada) == [marker]
    await sweep_once(service)
    assert await history(service, ada) == []


async def test_a_marker_with_versions_behind_it_stays(service: Service, ada: Caller, clock: Clock) -> None:
    await service.versions.set_state(ada, BUCKET, Versioning.ENABLED)
    await put(service, ada, "k")
    await service.objects.delete(ada, BUCKET, "k")
    await service.objects.delete(ada, BUCKET, "alone")
    await rules(service, ada, {"prefix": "", "expiration": Expire(markers=True)})
    assert (await sweep_once(service)).removed == 1
    assert [entry[0] for entry in await history(service, ada)] == ["k", "k"]


async def test_in_a_suspended_bucket_a_null_marker_takes_the_objects_place(
    service: Service, ada: Caller, clock: Clock
) -> None:
    await put(service, ada, "k")
    await service.versions.set_state(ada, BUCKET, Versioning.ENABLED)
    await service.versions.set_state(ada, BUCKET, Versioning.SUSPENDED)
    await rules(service, ada, {"prefix": "", "expiration": Expire(days=1)})
    clock.now += 2 * DAY
    await sweep_once(service)
    assert await history(service, ada) == [("k", "null", True)]


@pytest.mark.parametrize("window", [1, 2, 3, 2000])
async def test_the_newest_past_versions_stay_wherever_a_window_ends(
    service: Service, ada: Caller, clock: Clock, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    monkeypatch.setattr(lifecycle, "WINDOW", window)
    await service.versions.set_state(ada, BUCKET, Versioning.ENABLED)
    made = {key: [await put(service, ada, key) for _ in range(5)] for key in ("a", "b")}
    await rules(service, ada, {"filter": Filter(), "noncurrent": Noncurrent(days=1, newer=2)})
    clock.now += 2 * DAY
    assert (await sweep_once(service)).removed == 4
    kept = [(key, version, False) for key, ids in made.items() for version in reversed(ids[2:])]
    assert await history(service, ada) == kept


async def test_an_upload_nobody_finishes_is_aborted(service: Service, ada: Caller, clock: Clock) -> None:
    for key in ("logs/k", "other"):
        await service.uploads.create(ada, CreateUploadRequest(bucket=BUCKET, key=key))
    await rules(service, ada, {"prefix": "logs/", "abort_days": 2})
    clock.now += 2 * DAY - 1
    assert (await sweep_once(service)).aborted == 0
    clock.now += DAY
    assert (await sweep_once(service)).aborted == 1
    assert [upload.key for upload in (await service.uploads.list_uploads(ada, BUCKET)).uploads] == ["other"]


async def test_what_is_due_is_asked_again_before_it_is_removed(service: Service, ada: Caller, clock: Clock) -> None:
    await put(service, ada, "k")
    await rules(service, ada, {"prefix": "", "expiration": Expire(days=1)})
    clock.now += 2 * DAY
    (bucket,) = await service.lifecycle.buckets()
    due, _ = await service.stores.read(
        lambda tables: lifecycle._window(tables, bucket, lifecycle.rules_of(bucket), lifecycle._Place(), clock.now, DAY)
    )
    await put(service, ada, "k")
    assert (await service.lifecycle.remove(bucket, due, DAY)).removed == 0
    assert await keys(service, ada) == ["k"]


async def test_a_removal_is_told_in_the_feed(service: Service, ada: Caller, clock: Clock) -> None:
    await put(service, ada, "k")
    await rules(service, ada, {"prefix": "", "expiration": Expire(days=1)})
    cursor = (await service.feed.read(ada)).cursor
    clock.now += 2 * DAY
    await sweep_once(service)
    events = (await service.feed.read(ada, cursor)).events
    assert [(event.kind, event.key) for event in events] == [("object.removed", "k")]


async def storage(service: Service, who: Caller, key: str) -> str:
    return (await service.objects.head(who, BUCKET, key)).storage_class


async def test_objects_move_to_colder_classes_and_never_back(service: Service, ada: Caller, clock: Clock) -> None:
    await put(service, ada, "k")
    await put(service, ada, "archived", storage_class="DEEP_ARCHIVE")
    moves = (Move(to="STANDARD_IA", days=30), Move(to="GLACIER", days=90))
    await rules(service, ada, {"filter": Filter(greater=1), "moves": moves})
    clock.now += 20 * DAY
    assert (await sweep_once(service)).moved == 0
    clock.now += 11 * DAY
    assert (await sweep_once(service)).moved == 1
    assert await storage(service, ada, "k") == "STANDARD_IA"
    clock.now += 60 * DAY
    assert (await sweep_once(service)).moved == 1
    assert await storage(service, ada, "k") == "GLACIER"
    assert await storage(service, ada, "archived") == "DEEP_ARCHIVE"
    assert (await sweep_once(service)).moved == 0
    assert (await service.objects.open(ada, BUCKET, "k")).info.size == 4  # as readable as before


async def test_small_objects_do_not_move_unless_the_filter_speaks_of_sizes(
    service: Service, ada: Caller, clock: Clock
) -> None:
    await put(service, ada, "k")
    await rules(service, ada, {"prefix": "", "moves": (Move(to="GLACIER_IR", days=1),)})
    clock.now += 3 * DAY
    assert (await sweep_once(service)).moved == 0
    await rules(service, ada, {"filter": Filter(greater=1), "moves": (Move(to="GLACIER_IR", days=1),)})
    assert (await sweep_once(service)).moved == 1


async def test_past_versions_move_but_for_the_newest(service: Service, ada: Caller, clock: Clock) -> None:
    await service.versions.set_state(ada, BUCKET, Versioning.ENABLED)
    versions = [await put(service, ada, "k") for _ in range(3)]
    moves = (Move(to="GLACIER", days=1, newer=1),)
    await rules(service, ada, {"filter": Filter(greater=1), "noncurrent_moves": moves})
    clock.now += 3 * DAY
    assert (await sweep_once(service)).moved == 1
    classes = [(await service.objects.head(ada, BUCKET, "k", one)).storage_class for one in versions]
    assert classes == ["GLACIER", "STANDARD", "STANDARD"]


async def test_a_move_is_told_in_the_feed(service: Service, ada: Caller, clock: Clock) -> None:
    await put(service, ada, "k")
    await rules(service, ada, {"filter": Filter(greater=1), "moves": (Move(to="GLACIER", days=0),)})
    clock.now += DAY
    await sweep_once(service)
    events = service.stores.catalog.read(lambda tables: tables.events.after(0, 100))
    assert [event.key for event in events if event.kind == OBJECT_CLASS] == [b"k"]
