"""Purging: nothing that was named is used again, and its bytes leave the disk."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.cache.entry import AssetRecord, BodyRef, name_hash, rendering_key
from edge.cache.epochs import Epochs, Force
from edge.cache.files import BodyStore
from edge.cache.records import RecordStore
from edge.cache.subjects import bucket_group, bucket_path, purge_subject
from edge.keeper.ledger import Ledger
from edge.keeper.purge import Purger
from tests.edge.cache.samples import ASSETS, DEFAULT, PHOTOS, PlainSite, asset, rendering


class Node:
    """The stores of one node, with what a fill would have put into them."""

    def __init__(self, folder: Path, force: Force = os.fdatasync) -> None:
        self.epochs = Epochs.write(folder / "epochs", base=7, force=force)
        self.ledger = Ledger.open(folder, limit=1 << 24)
        self.bodies = BodyStore(folder, self.ledger)
        self.records = RecordStore(folder / "records", 1 << 20, writable=True, on_drop=self.ledger.discard)
        self.purger = Purger(self.epochs, self.records)

    def close(self) -> None:
        self.epochs.close()
        self.ledger.close()
        self.records.close()

    def body(self, key: str) -> BodyRef:
        with self.bodies.create(5) as writer:
            writer.write(b"bytes")
            return writer.commit(key)

    def fill(self, site: PlainSite, path: str, *, identity: str = "") -> AssetRecord:
        """A record, its source and one rendering, under the epoch of now."""
        source = identity or f"{site.name} {path}"
        record = asset(
            site,
            path,
            epoch=self.epochs.current(purge_subject(site, path)),
            source=self.body(name_hash("source", source)),
            source_id=source,
        )
        self.records.put_asset(record)
        self.records.put_representation(rendering(source, "p", self.body(rendering_key(source, "p"))))
        return record

    def bytes_left(self, record: AssetRecord) -> int:
        assert record.source is not None
        return (record.source.key in self.ledger) + (rendering_key(record.source_id, "p") in self.ledger)

    async def swept(self) -> None:
        """Run the sweeper until it has nothing to do."""
        sweeper = asyncio.create_task(self.purger.run())
        async with asyncio.timeout(10):
            while self.epochs.unswept:
                await asyncio.sleep(0)
        sweeper.cancel()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path)
    yield node
    node.close()


async def test_a_purged_url_is_gone_in_every_spelling_on_every_site_and_no_other_is(node: Node) -> None:
    gone = [node.fill(DEFAULT, "/photos/caf%C3%A9"), node.fill(PHOTOS, "/café")]
    stays = node.fill(DEFAULT, "/photos/other")
    await node.purger.purge_url(DEFAULT, "/photos/caf%c3%a9?w=100")
    for record in gone:
        assert not node.purger.stands(record)
        assert node.records.get_asset(record.key) is None
        assert node.bytes_left(record) == 0
    assert node.purger.stands(stays)
    assert node.bytes_left(stays) == 2


async def test_a_purged_url_takes_all_its_queries_along(node: Node) -> None:
    records = [node.fill(ASSETS, f"/app.js?v={number}") for number in range(3)]
    await node.purger.purge_url(ASSETS, "/app.js")
    assert [node.bytes_left(record) for record in records] == [0, 0, 0]


async def test_a_purge_leaves_nothing_of_content_that_other_urls_share(node: Node) -> None:
    first, second = (node.fill(DEFAULT, f"/photos/{n}", identity="same") for n in range(2))
    await node.purger.purge_url(DEFAULT, "/photos/0")
    assert node.bytes_left(first) == 0
    assert node.purger.stands(second), "the other URL is still known, and fetched anew when asked for"


async def test_a_purged_site_is_gone_and_other_sites_of_its_bucket_stay(node: Node) -> None:
    gone, stays = node.fill(PHOTOS, "/a"), node.fill(DEFAULT, "/photos/a")
    await node.purger.purge_site(PHOTOS)
    assert not node.purger.stands(gone)
    assert node.purger.stands(stays)
    await node.swept()
    assert (node.bytes_left(gone), node.bytes_left(stays)) == (0, 2)


async def test_everything_can_be_purged(node: Node) -> None:
    records = [node.fill(DEFAULT, f"/photos/{number}") for number in range(300)]
    await node.purger.purge_all()
    assert not any(map(node.purger.stands, records))
    await node.swept()
    assert not any(map(node.bytes_left, records))
    assert node.ledger.used == 0


async def test_what_the_feed_names_is_purged(node: Node) -> None:
    changed, stays = node.fill(DEFAULT, "/photos/a"), node.fill(DEFAULT, "/photos/b")
    other = node.fill(DEFAULT, "/films/a")
    await node.purger.purge_changed([bucket_path("photos", "a")], [bucket_group("films")])
    assert [node.purger.stands(record) for record in (changed, stays, other)] == [False, True, False]
    await node.swept()
    assert [node.bytes_left(record) for record in (changed, stays, other)] == [0, 2, 0]


async def test_a_lost_feed_makes_everything_revalidated_and_removes_nothing(node: Node) -> None:
    record = node.fill(DEFAULT, "/photos/a")
    await node.purger.revalidate_all()
    assert not node.purger.stands(record)
    await node.swept()
    assert node.bytes_left(record) == 2


async def test_a_fill_that_a_purge_overtook_is_not_usable(node: Node) -> None:
    before = asset(DEFAULT, "/photos/a", epoch=node.epochs.current(purge_subject(DEFAULT, "/photos/a")))
    assert node.purger.stands(before)
    await node.purger.purge_url(DEFAULT, "/photos/a")
    assert not node.purger.stands(before)


async def test_a_purge_that_was_not_swept_is_swept_after_a_restart(tmp_path: Path) -> None:
    killed = Node(tmp_path)
    record = killed.fill(DEFAULT, "/photos/a")
    await killed.purger.purge_all()
    killed.close()
    node = Node(tmp_path)
    assert node.bytes_left(record) == 2
    assert not node.purger.stands(record)
    await node.swept()
    assert node.bytes_left(record) == 0
    node.close()


async def test_a_purge_is_acknowledged_only_once_it_is_durable(tmp_path: Path) -> None:
    synced = []

    def failing(_: int) -> None:
        synced.append(node.purger.stands(record))
        raise OSError("no disk")

    node = Node(tmp_path, force=failing)
    record = node.fill(DEFAULT, "/photos/a")
    with pytest.raises(OSError, match="no disk"):
        await node.purger.purge_url(DEFAULT, "/photos/a")
    assert synced == [False], "in force before it is durable"
    node.close()
