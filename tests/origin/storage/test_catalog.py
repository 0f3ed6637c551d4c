"""The catalog's contract: groups, savepoints, snapshots, order, and what survives."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import apsw
import pytest

from origin.catalog.contract import Catalog, CatalogBroken, CatalogError, Tables, UnknownSchema
from origin.catalog.rows import Described, Lock, NewBlob, NewVersion, OwnerRow
from origin.catalog.sqlite import store
from origin.catalog.sqlite.store import SqliteCatalog

OWNER = OwnerRow("0" * 64, "ada", "Ada")
ABOUT = Described(content_type="text/plain", headers={}, metadata={"a": "b"}, acl="private", storage_class="STANDARD")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = SqliteCatalog(tmp_path / "catalog.sqlite")
    yield opened
    opened.close()


def version(key: bytes, marker: bool = False, version_id: str = "") -> NewVersion:
    return NewVersion(
        bucket=1, key=key, version_id=version_id, owner=OWNER.id, created=1.0, described=ABOUT, manifest=None, size=0,
        seal_id=b"s", digests=b"d", marker=marker,
    )  # fmt: skip


def blob(number: int) -> NewBlob:
    return NewBlob(
        id=bytes([number]) * 16, fingerprint=bytes([number]) * 32, size=1, stored=1, checksum=b"c", key_id=None,
        wrapped=None,
    )  # fmt: skip


def test_a_refused_function_leaves_nothing_and_the_others_of_its_group_stand(catalog: Catalog) -> None:
    hold = threading.Event()
    catalog.write(lambda tables: hold.wait(10))

    def refused(tables: Tables) -> None:
        tables.meta.set("refused", b"1")
        raise ValueError("no")

    good = catalog.write(lambda tables: tables.meta.set("good", b"1"))
    bad = catalog.write(refused)
    after = catalog.write(lambda tables: tables.meta.get("refused"))
    hold.set()
    good.result(10)
    with pytest.raises(ValueError, match="no"):
        bad.result(10)
    assert after.result(10) is None
    assert catalog.read(lambda tables: tables.meta.get("good")) == b"1"


def test_an_answer_is_given_only_after_its_commit_is_durable(catalog: Catalog, tmp_path: Path) -> None:
    catalog.write(lambda tables: tables.meta.set("name", b"value")).result(10)
    with apsw.Connection(str(tmp_path / "catalog.sqlite")) as other:
        assert other.execute("SELECT value FROM meta WHERE name = 'name'").get == b"value"


def test_a_group_is_one_commit(catalog: Catalog) -> None:
    commits: list[int] = []
    catalog.on_commit(lambda position, mutation: commits.append(mutation))
    entered, hold = threading.Event(), threading.Event()

    def first(tables: Tables) -> None:
        entered.set()
        hold.wait(10)

    catalog.write(first)
    assert entered.wait(10)
    futures = [catalog.write(lambda tables: tables.meta.mutation()) for _ in range(50)]
    hold.set()
    assert [future.result(10) for future in futures] == list(range(1, 51))
    assert len(commits) == 2


def test_a_snapshot_does_not_see_later_changes_and_changes_nothing(catalog: Catalog) -> None:
    def look(tables: Tables) -> tuple[bytes | None, bytes | None]:
        before = tables.meta.get("x")
        catalog.write(lambda writing: writing.meta.set("x", b"1")).result(10)
        return before, tables.meta.get("x")

    assert catalog.read(look) == (None, None)
    with pytest.raises(CatalogError):
        catalog.read(lambda tables: tables.meta.set("x", b"2"))


def test_keys_order_as_bytes_and_markers_are_not_listed(catalog: Catalog) -> None:
    keys = [b"a", b"B", b"\xc3\xa4", b"a/", b"a0", b"", b"a\x00"]

    def fill(tables: Tables) -> None:
        tables.owners.add(OWNER, 1.0)
        for sequence, key in enumerate(keys, start=1):
            tables.versions.insert(sequence, version(key))
        tables.versions.insert(100, version(b"a/", marker=True, version_id="m"))

    catalog.write(fill).result(10)
    listed = catalog.read(lambda tables: [row.key for row in tables.versions.live(1, b"", None)])
    assert listed == sorted(set(keys) - {b"a/"})
    assert catalog.read(lambda tables: [row.key for row in tables.versions.live(1, b"a", b"a1")]) == [
        b"a",
        b"a\x00",
        b"a0",
    ]


def test_a_listing_costs_what_it_returns_however_many_markers_and_versions_lie_between(catalog: SqliteCatalog) -> None:
    def work(tables: Tables, between: int) -> int:
        for number in range(between):
            key = b"k%06d" % number
            tables.versions.insert(10 * number + 20, version(key, version_id="v"))
            tables.versions.insert(10 * number + 21, version(key, marker=True, version_id="m"))
        steps = 0

        def count() -> bool:
            nonlocal steps
            steps += 1
            return False

        connection = tables.versions._connection  # type: ignore[attr-defined]
        connection.set_progress_handler(count, 1)
        assert [row.key for row in tables.versions.live(1, b"", None)] == [b"a", b"z"]
        connection.set_progress_handler(None)
        return steps

    def fill(tables: Tables) -> None:
        tables.owners.add(OWNER, 1.0)
        tables.versions.insert(1, version(b"a"))
        tables.versions.insert(2, version(b"z"))

    catalog.write(fill).result(10)
    few = catalog.write(lambda tables: work(tables, 0)).result(10)
    many = catalog.write(lambda tables: work(tables, 2000)).result(60)
    assert many == few


def test_removing_the_latest_version_brings_back_the_one_before(catalog: Catalog) -> None:
    def work(tables: Tables) -> list[int]:
        tables.owners.add(OWNER, 1.0)
        for sequence in (1, 2, 3):
            tables.versions.insert(sequence, version(b"k", version_id=str(sequence)))
        latest = tables.versions.latest(1, b"k")
        assert latest is not None
        tables.versions.remove(latest)
        return [row.sequence for row in tables.versions.live(1, b"", None)]

    assert catalog.write(work).result(10) == [2]


def test_a_history_is_by_key_and_the_newest_first_from_anywhere(catalog: Catalog) -> None:
    def work(tables: Tables) -> list[list[tuple[bytes, int]]]:
        tables.owners.add(OWNER, 1.0)
        for sequence in range(1, 7):
            tables.versions.insert(sequence, version(b"ab"[sequence % 2 :][:1], version_id=str(sequence)))
        ranges = ((b"", None, None), (b"a", b"b", None), (b"a", None, 5), (b"b", None, 1))
        return [[(row.key, row.sequence) for row in tables.versions.history(1, *span)] for span in ranges]

    a, b = [(b"a", 6), (b"a", 4), (b"a", 2)], [(b"b", 5), (b"b", 3), (b"b", 1)]
    assert catalog.write(work).result(10) == [a + b, a, a[1:] + b, []]


def test_tags_and_locks_are_kept_with_their_version(catalog: Catalog) -> None:
    locks = [Lock(), Lock(hold=False), Lock(mode="COMPLIANCE", until=9.5, hold=True)]

    def work(tables: Tables) -> list[tuple[Mapping[str, str], Lock]]:
        tables.owners.add(OWNER, 1.0)
        for sequence, lock in enumerate(locks, start=1):
            tables.versions.insert(sequence, version(b"k", version_id=str(sequence)))
            tables.versions.set_lock(sequence, lock)
            tables.versions.set_tags(sequence, {"n": str(sequence)} if lock.hold else {})
        return [(row.tags, row.lock) for row in tables.versions.history(1, b"", None)]

    assert catalog.write(work).result(10) == [({"n": "3"}, locks[2]), ({}, locks[1]), ({}, locks[0])]


def test_a_blob_without_references_is_doomed_and_lives_again_when_joined(catalog: Catalog) -> None:
    def work(tables: Tables) -> None:
        number = tables.blobs.insert(blob(1))
        tables.blobs.acquire(number)
        tables.blobs.acquire(number)
        tables.blobs.release(number, 10.0, 5)
        assert tables.blobs.doomed(99, 99, 9) == []
        tables.blobs.release(number, 20.0, 6)
        assert tables.blobs.doomed(19, 99, 9) == []
        assert tables.blobs.doomed(99, 5, 9) == []
        assert [row.number for row in tables.blobs.doomed(20, 6, 9)] == [number]
        tables.blobs.acquire(number)
        assert tables.blobs.doomed(99, 99, 9) == []
        assert not tables.blobs.kill(number)
        tables.blobs.release(number, 30.0, 7)
        assert tables.blobs.kill(number)
        assert tables.blobs.find(blob(1).fingerprint) is None
        assert [row.id for row in tables.blobs.dead(0, 9)] == [blob(1).id]

    catalog.write(work).result(10)


def test_abandoning_leaves_ids_alone_that_became_blobs(catalog: Catalog) -> None:
    def work(tables: Tables) -> list[bytes]:
        tables.blobs.add_pending([b"a", b"b"], 3, 1.0)
        tables.blobs.drop_pending([b"a"])
        tables.blobs.abandon([b"a", b"b"])
        assert tables.blobs.abandoned(1, b"", 9) == [b"b"]
        tables.blobs.add_pending([b"c"], 3, 1.0)
        return tables.blobs.abandoned(3, b"", 9)

    assert catalog.write(work).result(10) == [b"b"]


def test_events_are_numbered_in_the_order_of_their_commits(catalog: Catalog) -> None:
    def add(name: str, tables: Tables) -> None:
        tables.events.add("object.created", name, b"k", None, 1, 1.0)
        assert tables.events.after(0, 99) == [] or name != "one"

    catalog.write(lambda tables: add("one", tables)).result(10)
    catalog.write(lambda tables: add("two", tables)).result(10)
    rows = catalog.read(lambda tables: tables.events.after(0, 99))
    assert [(row.position, row.bucket) for row in rows] == [(1, "one"), (2, "two")]
    catalog.write(lambda tables: tables.events.trim(before=2.0, keep=1)).result(10)
    assert catalog.read(lambda tables: (tables.events.floor(), len(tables.events.after(0, 9)))) == (1, 1)


def test_a_catalog_opens_again_with_what_it_held(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    first = SqliteCatalog(path)
    first.write(lambda tables: tables.meta.set("x", b"1")).result(10)
    first.close()
    again = SqliteCatalog(path)
    assert again.read(lambda tables: tables.meta.get("x")) == b"1"
    again.close()
    with pytest.raises(CatalogError):
        again.write(lambda tables: None).result(10)


def test_a_catalog_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    with apsw.Connection(str(path)) as connection:
        connection.pragma("user_version", 99)
    with pytest.raises(UnknownSchema):
        SqliteCatalog(path)


def test_a_file_that_is_no_catalog_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    path.write_bytes(b"hello" * 1000)
    with pytest.raises(CatalogError):
        SqliteCatalog(path)


def test_after_a_failed_commit_nothing_is_written_until_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "catalog.sqlite"
    catalog = SqliteCatalog(path)
    catalog.write(lambda tables: tables.meta.set("kept", b"1")).result(10)

    def fail(engine: object) -> None:
        raise CatalogBroken("the disk failed")

    with monkeypatch.context() as patch:
        patch.setattr(store._Engine, "commit", fail)
        with pytest.raises(CatalogBroken):
            catalog.write(lambda tables: tables.meta.set("lost", b"1")).result(10)
    with pytest.raises(CatalogBroken):
        catalog.write(lambda tables: tables.meta.set("later", b"1")).result(10)
    assert catalog.read(lambda tables: tables.meta.get("kept")) == b"1"
    catalog.close()
    again = SqliteCatalog(path)
    again.write(lambda tables: tables.meta.set("later", b"1")).result(10)
    assert again.read(lambda tables: (tables.meta.get("kept"), tables.meta.get("lost"))) == (b"1", None)
    again.close()
