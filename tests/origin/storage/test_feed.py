"""The feed: every change once, in order, at once, or a gap."""

from __future__ import annotations

import asyncio

import pytest

from conf.schema import Settings
from origin.service.model import Caller, CopyRequest, ServiceError, WriteConditions
from origin.service.service import Service
from tests.origin.storage.support import BUCKET, Clock, caller, put
from wire.feed import FeedPage, Gap, decode_page, encode_page


async def start(service: Service, who: Caller) -> str:
    page = await service.feed.read(who)
    assert page.events == ()
    return page.cursor


async def test_every_change_is_told_in_order(service: Service, ada: Caller) -> None:
    cursor = await start(service, ada)
    await put(service, ada, "k", b"one")
    await put(service, ada, "k", b"two")
    await service.acls.set_object(ada, BUCKET, "k", "public-read")
    await service.objects.copy(ada, CopyRequest(source_bucket=BUCKET, source_key="k", bucket=BUCKET, key="\u00e4/c"))
    await service.objects.delete(ada, BUCKET, "k")
    await service.objects.delete(ada, BUCKET, "never")
    await service.acls.set_bucket(ada, BUCKET, "public-read")
    page = await service.feed.read(ada, cursor)
    assert [(event.kind, event.bucket, event.key) for event in page.events] == [
        ("object.created", BUCKET, "k"),
        ("object.created", BUCKET, "k"),
        ("object.acl", BUCKET, "k"),
        ("object.created", BUCKET, "\u00e4/c"),
        ("object.removed", BUCKET, "k"),
        ("bucket.acl", BUCKET, None),
    ]
    positions = [event.position for event in page.events]
    assert positions == list(range(positions[0], positions[0] + 6))
    counters = [event.counter for event in page.events if event.key == "k"]
    assert counters == sorted(set(counters))
    assert (await service.feed.read(ada, page.cursor)).events == ()
    assert decode_page(encode_page(page)) == page


async def test_pages_follow_one_another(service: Service, ada: Caller) -> None:
    cursor = await start(service, ada)
    for number in range(5):
        await put(service, ada, f"k{number}", b"")
    keys = []
    for _ in range(3):
        page = await service.feed.read(ada, cursor, limit=2)
        keys += [event.key for event in page.events]
        cursor = page.cursor
    assert keys == [f"k{number}" for number in range(5)]


async def test_a_refused_write_tells_nothing(service: Service, ada: Caller) -> None:
    cursor = await start(service, ada)
    with pytest.raises(ServiceError):
        await put(service, ada, "k", b"x", conditions=WriteConditions(if_match="0" * 32))
    assert (await service.feed.read(ada, cursor)).events == ()


async def test_a_waiting_reader_is_woken_by_the_commit(service: Service, ada: Caller) -> None:
    cursor = await start(service, ada)
    waiting = asyncio.create_task(service.feed.read(ada, cursor, wait=30))
    for _ in range(5):
        await asyncio.sleep(0)
    await put(service, ada, "k", b"x")
    async with asyncio.timeout(10):
        page: FeedPage = await waiting
    assert [event.key for event in page.events] == ["k"]


async def test_many_waiting_readers_are_all_woken(service: Service, ada: Caller) -> None:
    cursor = await start(service, ada)
    waiting = [asyncio.create_task(service.feed.read(ada, cursor, wait=30)) for _ in range(20)]
    await put(service, ada, "k", b"x")
    async with asyncio.timeout(10):
        pages = await asyncio.gather(*waiting)
    assert all(len(page.events) == 1 for page in pages)


async def test_closing_lets_waiting_readers_go(scratch: Settings) -> None:
    service = await Service.open(scratch)
    who = await caller(service, permissions=["feed"])
    cursor = await start(service, who)
    waiting = asyncio.create_task(service.feed.read(who, cursor, wait=60))
    for _ in range(5):
        await asyncio.sleep(0)
    service.feed.close()
    async with asyncio.timeout(10):
        assert (await waiting).events == ()
    await service.close()


async def test_a_cursor_that_is_too_old_or_from_elsewhere_is_a_gap(service: Service, ada: Caller, clock: Clock) -> None:
    cursor = await start(service, ada)
    for number in range(3):
        await put(service, ada, f"k{number}", b"")
    newest = await start(service, ada)
    await service.stores.write(lambda tables: tables.events.trim(clock.now + 1, keep=1))
    log, _, position = newest.rpartition("-")
    for bad in (cursor, f"{log}-{int(position) + 1}", f"other-{position}", "junk", ""):
        with pytest.raises(Gap) as gap:
            await service.feed.read(ada, bad)
        assert gap.value.cursor == newest
    assert (await service.feed.read(ada, newest)).events == ()


async def test_the_feed_needs_its_permission(service: Service) -> None:
    for who in (Caller(), await caller(service, "bob", permissions=["read", "write", "delete", "admin"])):
        with pytest.raises(ServiceError, match="AccessDenied"):
            await service.feed.read(who)
