"""The feed follower against a scripted feed: nothing is skipped, repeats do no harm, gaps revalidate everything."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from edge.cache.epochs import HARD, Epochs
from edge.cache.records import RecordStore
from edge.cache.subjects import Subject, purge_subject
from edge.keeper.feed import Follower
from edge.keeper.metrics import Metrics
from edge.keeper.purge import Purger
from tests.edge.cache.samples import ASSETS, DEFAULT, asset
from wire.feed import FeedEvent, FeedPage, encode_page
from wire.sigv4 import read_claim, verify

NOW = 1_790_000_000.0
A = purge_subject(DEFAULT, "/photos/a")
B = purge_subject(DEFAULT, "/photos/b")
FILM = purge_subject(DEFAULT, "/films/a")
SCRIPT = purge_subject(ASSETS, "/a")


def event(position: int, bucket: str, key: str | None) -> FeedEvent:
    return FeedEvent(position=position, time=NOW - 2, kind="object.created", bucket=bucket, key=key)


class Feed:
    """A feed that answers as the test says: events kept from `oldest` on, cursors are positions."""

    def __init__(self) -> None:
        self.events: list[FeedEvent] = []
        self.oldest = 0
        self.failures = 0
        self.cursors: list[str | None] = []
        self.waits: list[str | None] = []
        self.refused: list[str] = []
        self.changed = asyncio.Condition()
        self.repeat = False
        self.endless = False

    async def tell(self, *events: FeedEvent) -> None:
        async with self.changed:
            self.events.extend(events)
            self.changed.notify_all()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        claim = read_claim("GET", request.path, request.query_string, list(request.headers.items()))
        if claim is None or claim.access_key != "EDGE":
            self.refused.append("unsigned")
            return web.Response(status=403)
        verify(claim, "edge-secret", now=NOW)
        if self.failures:
            self.failures -= 1
            return web.Response(status=500 if self.failures % 2 else 200, body=b"not a page")
        cursor = request.query.get("cursor")
        self.cursors.append(cursor)
        self.waits.append(request.query.get("wait"))
        if cursor is None:
            return web.Response(body=encode_page(FeedPage(events=(), cursor=str(len(self.events)))))
        if int(cursor) < self.oldest:
            return web.json_response({"cursor": str(len(self.events))}, status=410)
        async with self.changed:
            if request.query["wait"] != "0":
                await self.changed.wait_for(lambda: len(self.events) > int(cursor))
            events = tuple(self.events[int(cursor) :])
            if self.endless:
                self.events.append(event(len(self.events), "photos", "y"))
        if self.repeat:
            events = events * 2
        return web.Response(body=encode_page(FeedPage(events=events, cursor=str(int(cursor) + len(set(events))))))


class House:
    """A feed server, and a follower with everything it needs."""

    def __init__(self, folder: Path, origin: str, session: aiohttp.ClientSession, feed: Feed) -> None:
        self.feed = feed
        self.folder = folder
        self.synced: list[tuple[str | None, int]] = []
        self.epochs = Epochs.write(folder / "epochs", base=7, force=self._force)
        self.records = RecordStore(folder / "records", 1 << 20, writable=True)
        self.metrics = Metrics()
        self.pauses: list[float] = []
        self.at_pauses: list[tuple[dict[Subject, int], bool, float | None]] = []
        self.tasks: list[asyncio.Task[None]] = []
        self._origin = origin
        self._session = session

    def _force(self, descriptor: int) -> None:
        """Notes what was remembered and in force when the bumps were made durable."""
        self.synced.append((self.cursor, self.now()[A]))
        os.fdatasync(descriptor)

    @property
    def cursor(self) -> str | None:
        path = self.folder / "cursor"
        return path.read_text() if path.exists() else None

    def follow(self) -> None:
        async def pause(seconds: float) -> None:
            self.pauses.append(seconds)
            self.at_pauses.append((self.now(), self.epochs.settled, self.metric("feed_connected")))
            await asyncio.sleep(0)

        follower = Follower(
            origin=self._origin,
            access_key="EDGE",
            secret_key="edge-secret",
            session=self._session,
            purger=Purger(self.epochs, self.records, self.metrics),
            epochs=self.epochs,
            cursor_file=self.folder / "cursor",
            metrics=self.metrics,
            clock=lambda: NOW,
            jitter=lambda: 0.5,
            sleep=pause,
        )
        self.tasks.append(asyncio.create_task(follower.run()))

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks.clear()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not holds():
                for task in self.tasks:
                    assert not task.done(), task
                await asyncio.sleep(0.005)

    def now(self) -> dict[Subject, int]:
        return {subject: self.epochs.current(subject) for subject in (A, B, FILM, SCRIPT)}

    def metric(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"facet_edge_{name}")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    feed = Feed()
    app = web.Application()
    app.router.add_get("/-/feed", feed.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with aiohttp.ClientSession() as session:
        house = House(tmp_path, f"http://127.0.0.1:{runner.addresses[0][1]}", session, feed)
        yield house
        await house.stop()
    await runner.cleanup()


async def test_the_first_start_takes_the_newest_cursor_and_revalidates_everything(house: House) -> None:
    await house.feed.tell(event(1, "photos", "a"))
    before = house.now()
    house.follow()
    await house.until(lambda: house.epochs.settled)
    assert house.cursor == "1"
    assert house.feed.cursors[:2] == [None, "1"]
    assert all(value > before[subject] for subject, value in house.now().items())


async def test_an_event_purges_what_it_names_and_nothing_else(house: House) -> None:
    house.follow()
    await house.until(lambda: house.epochs.settled)
    before = house.now()
    await house.feed.tell(event(1, "photos", "a"))
    await house.until(lambda: house.cursor == "1")
    assert {subject for subject, value in house.now().items() if value > before[subject]} == {A}
    await house.feed.tell(event(2, "films", None))
    await house.until(lambda: house.cursor == "2")
    assert {subject for subject, value in house.now().items() if value > before[subject]} == {A, FILM}
    assert house.metric("feed_events_total") == 2
    assert house.metric("feed_lag_seconds") == 2
    assert house.feed.refused == []


async def test_events_of_the_time_it_was_down_are_applied_before_it_is_settled(house: House) -> None:
    (house.folder / "cursor").write_text("0")
    await house.feed.tell(event(1, "photos", "a"), event(2, "photos", "b"))
    before = house.now()
    house.follow()
    await house.until(lambda: house.epochs.settled)
    changed = {subject for subject, value in house.now().items() if value > before[subject]}
    assert changed == {A, B}
    assert house.feed.waits[:2] == ["0", "0"], "it does not wait before it has caught up"
    assert house.metric("feed_gaps_total") == 0


async def test_a_feed_that_never_pauses_is_caught_up_with_all_the_same(house: House) -> None:
    (house.folder / "cursor").write_text("0")
    house.feed.endless = True
    await house.feed.tell(*(event(number, "photos", "x") for number in range(3)))
    house.follow()
    await house.until(lambda: house.epochs.settled)
    assert house.cursor != "0"


async def test_repeated_events_do_no_harm(house: House) -> None:
    house.feed.repeat = True
    (house.folder / "cursor").write_text("0")
    await house.feed.tell(event(1, "photos", "a"))
    before = house.now()
    house.follow()
    await house.until(lambda: house.epochs.settled)
    assert house.now()[A] == before[A] + HARD, "one page bumps a path once"
    assert house.now()[B] == before[B]


async def test_a_lost_place_revalidates_everything_and_goes_on(house: House) -> None:
    (house.folder / "cursor").write_text("0")
    await house.feed.tell(*(event(number, "photos", "x") for number in range(5)))
    house.feed.oldest = 3
    before = house.now()
    house.follow()
    await house.until(lambda: house.epochs.settled)
    assert all(value > before[subject] for subject, value in house.now().items())
    assert house.cursor == "5"
    assert house.metric("feed_gaps_total") == 1
    await house.feed.tell(event(6, "photos", "a"))
    await house.until(lambda: house.cursor == "6")


async def test_while_the_feed_fails_nothing_is_purged_and_it_comes_back_slower_each_time(house: House) -> None:
    (house.folder / "cursor").write_text("0")
    await house.feed.tell(event(1, "photos", "a"))
    house.feed.failures = 8
    before = house.now()
    house.follow()
    await house.until(lambda: house.epochs.settled)
    assert house.at_pauses == [(before, False, 0)] * 8
    assert house.pauses == [pytest.approx(0.75 * pause) for pause in (0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0)]
    assert house.metric("feed_connected") == 1
    assert house.now()[A] > before[A]


async def test_the_cursor_is_remembered_only_after_the_purge_is_durable(house: House) -> None:
    (house.folder / "cursor").write_text("0")
    await house.feed.tell(event(1, "photos", "a"))
    before = house.now()
    house.follow()
    await house.until(lambda: house.cursor == "1")
    assert house.synced == [("0", house.now()[A])]
    assert house.now()[A] > before[A]


async def test_a_restart_goes_on_where_it_stopped(house: House) -> None:
    house.follow()
    await house.until(lambda: house.epochs.settled)
    await house.feed.tell(event(1, "photos", "a"))
    await house.until(lambda: house.cursor == "1")
    await house.stop()
    await house.feed.tell(event(2, "photos", "b"))
    before = house.now()
    house.follow()
    await house.until(lambda: house.cursor == "2")
    assert {subject for subject, value in house.now().items() if value > before[subject]} == {B}


async def test_the_records_of_what_changed_are_removed_before_the_cursor_moves(house: House) -> None:
    record = asset(DEFAULT, "/photos/a", epoch=house.epochs.current(A))
    house.records.put_asset(record)
    (house.folder / "cursor").write_text("0")
    await house.feed.tell(event(1, "photos", "a"))
    house.follow()
    await house.until(lambda: house.cursor == "1")
    assert house.records.get_asset(record.key) is None
