"""Brief transactions: turns of an event loop, beside the writer's thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from origin.catalog.contract import Catalog, CatalogBroken, CatalogError, Tables
from origin.catalog.rows import OwnerRow
from origin.catalog.sqlite import store
from origin.catalog.sqlite.store import SqliteCatalog

OWNER = OwnerRow("0" * 64, "ada", "Ada")


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[Catalog]:
    opened = SqliteCatalog(tmp_path / "catalog.sqlite")
    opened.lend(asyncio.get_running_loop())
    yield opened
    await asyncio.to_thread(opened.close)


def brief(catalog: Catalog, function: Callable[[Tables], Any]) -> asyncio.Future[Any]:
    promise: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    catalog.write_brief(function, promise)
    return promise


async def test_brief_functions_run_in_the_loop_and_are_answered_after_their_commit(catalog: Catalog) -> None:
    commits: list[int] = []
    catalog.on_commit(lambda _position, mutation: commits.append(mutation))

    def work(tables: Tables) -> tuple[int, int]:
        return threading.get_ident(), tables.meta.mutation()

    thread, mutation = await brief(catalog, work)
    assert thread == threading.get_ident()
    assert commits == [mutation]
    answers = await asyncio.gather(*(brief(catalog, work) for _ in range(50)))
    assert [number for _, number in answers] == list(range(mutation + 1, mutation + 51))
    assert commits == [mutation, mutation + 50], "one commit for all of them"


async def test_a_refused_brief_function_leaves_nothing_and_its_events_are_not_told(catalog: Catalog) -> None:
    def refused(tables: Tables) -> None:
        tables.meta.set("refused", b"1")
        tables.events.add("object.created", "shelf", b"refused", None, tables.meta.mutation(), 1.0)
        raise ValueError("no")

    def told(tables: Tables) -> None:
        tables.events.add("object.created", "shelf", b"told", None, tables.meta.mutation(), 1.0)

    results = await asyncio.gather(*(brief(catalog, work) for work in (told, refused, told)), return_exceptions=True)
    assert [type(result) for result in results] == [type(None), ValueError, type(None)]
    assert catalog.read(lambda tables: tables.meta.get("refused")) is None
    events = catalog.read(lambda tables: tables.events.after(0, 10))
    assert [(event.position, event.key) for event in events] == [(1, b"told"), (2, b"told")]
    assert events[0].counter < events[1].counter == catalog.read(lambda tables: tables.meta.mutations())


async def test_turns_and_the_thread_wait_for_each_other_and_nobody_is_left_out(catalog: Catalog) -> None:
    began, hold = threading.Event(), threading.Event()

    def long(tables: Tables) -> None:
        began.set()
        hold.wait(10)
        tables.meta.mutation()

    first = asyncio.wrap_future(catalog.write(long))
    await asyncio.to_thread(began.wait, 10)
    gathered = [brief(catalog, lambda tables: tables.meta.mutation()) for _ in range(20)]
    queued = [asyncio.wrap_future(catalog.write(lambda tables: tables.meta.mutation())) for _ in range(20)]
    await asyncio.sleep(0)
    assert not any(promise.done() for promise in gathered)
    hold.set()
    await first
    numbers = await asyncio.wait_for(asyncio.gather(*gathered, *queued), 10)
    assert len(set(numbers)) == 40
    for _ in range(5):
        mixed = [brief(catalog, lambda tables: tables.meta.mutation()) for _ in range(3)]
        mixed += [asyncio.wrap_future(catalog.write(lambda tables: tables.meta.mutation())) for _ in range(3)]
        await asyncio.wait_for(asyncio.gather(*mixed), 10)
    assert catalog.read(lambda tables: tables.meta.mutations()) == 71


async def test_who_left_before_the_turn_is_left_out(catalog: Catalog) -> None:
    ran: list[str] = []
    gone = brief(catalog, lambda tables: ran.append("gone"))
    stays = brief(catalog, lambda tables: ran.append("stays"))
    gone.cancel()
    await stays
    assert ran == ["stays"]


async def test_what_has_gathered_is_finished_before_the_catalog_closes(tmp_path: Path) -> None:
    catalog = SqliteCatalog(tmp_path / "catalog.sqlite")
    catalog.lend(asyncio.get_running_loop())
    promises = [brief(catalog, lambda tables: tables.meta.set("last", b"1")) for _ in range(3)]
    catalog.close()
    await asyncio.wait_for(asyncio.gather(*promises), 10)
    with pytest.raises(CatalogError):
        await brief(catalog, lambda tables: None)
    again = SqliteCatalog(tmp_path / "catalog.sqlite")
    assert again.read(lambda tables: tables.meta.get("last")) == b"1"
    again.close()


async def test_after_a_failed_commit_brief_functions_are_refused_too(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(engine: object) -> None:
        raise CatalogBroken("the disk failed")

    with monkeypatch.context() as patch:
        patch.setattr(store._Engine, "commit", fail)
        with pytest.raises(CatalogBroken):
            await brief(catalog, lambda tables: tables.meta.set("lost", b"1"))
    with pytest.raises(CatalogBroken):
        await brief(catalog, lambda tables: tables.meta.set("later", b"1"))
    assert catalog.read(lambda tables: tables.meta.get("lost")) is None


async def test_a_bucket_is_known_until_a_commit_changes_it(catalog: Catalog) -> None:
    def make(tables: Tables) -> int:
        tables.owners.add(OWNER, 1.0)
        tables.buckets.add(name="shelf", owner=OWNER.id, created=1.0, acl="private", region="x")
        row = tables.buckets.get("shelf")
        assert row is not None
        return row.number

    number = await brief(catalog, make)
    assert catalog.known_bucket("shelf") is None
    assert catalog.bucket("shelf") == catalog.known_bucket("shelf")

    def undone(tables: Tables) -> None:
        tables.buckets.set_acl(number, "public-read")
        row = tables.buckets.get("shelf")
        assert row is not None
        assert row.acl == "public-read"
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await brief(catalog, undone)
    seen = await brief(catalog, lambda tables: tables.buckets.get("shelf"))
    assert seen is not None
    assert seen.acl == "private", "what was undone is not remembered"
    await brief(catalog, lambda tables: tables.buckets.set_setting(number, "policy", "{}"))
    assert catalog.known_bucket("shelf") is None
    changed = catalog.bucket("shelf")
    assert changed is not None
    assert changed.settings == {"policy": "{}"}
    await brief(catalog, lambda tables: tables.buckets.remove(number))
    assert catalog.known_bucket("shelf") is None
    assert catalog.bucket("shelf") is None
