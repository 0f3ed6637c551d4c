"""Records on disk: exact, bounded, shared between processes, and never unpickled."""

from __future__ import annotations

import pickle
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import diskcache
import pytest

from edge.cache.entry import ChoiceRecord
from edge.cache.records import LEAST_LIMIT, RecordStore
from edge.cache.subjects import asset_key, bucket_group, bucket_path
from tests.edge.cache.samples import ASSETS, DEFAULT, PHOTOS, asset, ref, rendering

LIMIT = 4 * 1024 * 1024


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "records"


@pytest.fixture
def dropped() -> list[str]:
    return []


@pytest.fixture
def store(folder: Path, dropped: list[str]) -> RecordStore:
    return RecordStore(folder, LIMIT, writable=True, on_drop=dropped.append)


def test_records_come_back_as_they_were_put(store: RecordStore) -> None:
    record = asset(DEFAULT, "/photos/a", source=ref("a"), headers={"cache-control": "no-cache"})
    choice = ChoiceRecord(source_id="s", wanted="w=1", accept="webp", plan="p")
    store.put_asset(record)
    store.put_representation(rendering("s", "p"))
    store.put_choice(choice)
    assert store.get_asset(record.key) == record
    assert store.get_asset(asset_key(DEFAULT, "/photos/%61")) == record
    assert store.get_representation("s", "p") == rendering("s", "p")
    assert store.get_choice("s", "w=1", "webp") == choice
    assert store.get_asset(asset_key(DEFAULT, "/photos/b")) is None
    assert store.get_representation("s", "q") is None
    assert store.get_choice("s", "w=1", "avif") is None


def test_records_survive_a_restart(store: RecordStore, folder: Path) -> None:
    record = asset(DEFAULT, "/photos/a")
    store.put_asset(record)
    store.close()
    assert RecordStore(folder, LIMIT, writable=True).get_asset(record.key) == record


def test_assets_are_found_by_bucket_and_by_object(store: RecordStore) -> None:
    records = [asset(DEFAULT, f"/photos/{number}") for number in range(600)]
    twin = asset(PHOTOS, "/7")
    for record in [*records, twin, asset(ASSETS, "/photos/7"), asset(DEFAULT, "/photos2/7")]:
        store.put_asset(record)
    group = list(store.assets(bucket_group("photos")))
    assert sorted(record.key for record in group) == sorted(record.key for record in [*records, twin])
    same = list(store.assets(bucket_path("photos", "7") + b"\0"))
    assert {(record.site, record.path) for record in same} == {("default", "/photos/7"), ("photos-host", "/7")}
    assert len(list(store.assets())) == 603


def test_discarding_an_asset_drops_its_source_and_all_that_was_made_of_it(
    store: RecordStore, dropped: list[str]
) -> None:
    record = asset(DEFAULT, "/photos/a", source=ref("a"), source_id="s")
    store.put_asset(record)
    for plan in ("p", "q"):
        store.put_representation(rendering("s", plan))
    store.put_representation(rendering("other", "p"))
    store.put_choice(ChoiceRecord(source_id="s", wanted="", accept="", plan="p"))
    store.discard_asset(record.key)
    assert store.get_asset(record.key) is None
    assert store.representations("s") == []
    assert store.get_choice("s", "", "") is None
    assert set(dropped) == {ref("a").key, rendering("s", "p").body.key, rendering("s", "q").body.key}
    assert store.body_keys() == {rendering("other", "p").body.key}


def test_a_replaced_source_is_dropped_and_a_confirmed_one_stays(store: RecordStore, dropped: list[str]) -> None:
    store.put_asset(asset(DEFAULT, "/photos/a", source=ref("old")))
    store.put_asset(asset(DEFAULT, "/photos/a", source=ref("old"), epoch=1))
    assert dropped == []
    store.put_asset(asset(DEFAULT, "/photos/a", source=ref("new")))
    assert dropped == [ref("old").key]
    store.put_asset(asset(DEFAULT, "/photos/a"))
    assert dropped == [ref("old").key, ref("new").key]


def test_it_stays_within_its_limit_and_drops_the_bodies_of_what_it_forgets(folder: Path, dropped: list[str]) -> None:
    store = RecordStore(folder, LEAST_LIMIT, writable=True, on_drop=dropped.append)
    largest = 0
    for number in range(2000):
        store.put_asset(asset(DEFAULT, f"/photos/{number}", source=ref(str(number)), headers={"x": "y" * 300}))
        largest = max(largest, sum(file.stat().st_size for file in folder.iterdir()))
    assert largest <= 3 * LEAST_LIMIT, "the database, its log and the log's index"
    kept = {record.path for record in store.assets()}
    assert "/photos/1999" in kept
    assert "/photos/0" not in kept
    assert store.body_keys() | set(dropped) == {ref(str(number)).key for number in range(2000)}
    assert not store.body_keys() & set(dropped)


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('unpickled')",)


def plant(folder: Path, row: bytes, value: bytes, *, raw: int = 1, mode: int = 4) -> None:
    with sqlite3.connect(folder / "cache.db") as database:
        database.execute(
            "INSERT OR REPLACE INTO Cache (key, raw, mode, value, store_time, size) VALUES (?, ?, ?, ?, 0, 0)",
            (row, raw, mode, value),
        )


def test_nothing_is_unpickled(store: RecordStore, folder: Path) -> None:
    bomb = pickle.dumps(Bomb())
    record = asset(DEFAULT, "/photos/a")
    plant(folder, b"a" + record.key, bomb)
    assert store.get_asset(record.key) is None
    plant(folder, bomb, bomb, raw=0)
    assert list(store.assets()) == []
    store.put_asset(record)
    assert store.get_asset(record.key) == record


def test_nothing_is_pickled(store: RecordStore) -> None:
    for key, value in ((("a", "tuple"), b"x"), (b"x", {"a": "dict"}), ("text", b"x"), (b"x", 5)):
        with pytest.raises(ValueError, match="bytes"):
            store._cache.set(key, value)


def test_another_process_reads_while_the_keeper_writes(store: RecordStore, folder: Path) -> None:
    keys = [asset_key(DEFAULT, f"/photos/{number}") for number in range(50)]
    reader = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from edge.cache.records import RecordStore\n"
            "store = RecordStore(Path(sys.argv[1]), 4 << 20)\n"
            "for line in sys.stdin:\n"
            "    record = store.get_asset(bytes.fromhex(line))\n"
            "    print(record and record.epoch, flush=True)",
            str(folder),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reader.stdin is not None
    assert reader.stdout is not None
    with reader:
        for epoch in range(4):
            for number, key in enumerate(keys):
                store.put_asset(asset(DEFAULT, f"/photos/{number}", epoch=epoch))
                reader.stdin.write(key.hex() + "\n")
                reader.stdin.flush()
                assert reader.stdout.readline().strip() == str(epoch)
        reader.stdin.close()


@pytest.mark.parametrize("damage", ["noise", "emptied", "settings"])
def test_a_damaged_database_starts_empty(store: RecordStore, folder: Path, damage: str) -> None:
    record = asset(DEFAULT, "/photos/a")
    store.put_asset(record)
    store.close()
    database = folder / "cache.db"
    match damage:
        case "noise":
            database.write_bytes(random.Random(1).randbytes(100_000))
        case "emptied":
            database.write_bytes(b"")
        case "settings":
            with sqlite3.connect(database) as connection:
                connection.execute("INSERT INTO Settings VALUES ('disk_unknown', 1)")
    again = RecordStore(folder, LIMIT, writable=True)
    assert again.get_asset(record.key) is None
    again.put_asset(record)
    assert again.get_asset(record.key) == record


def test_flipped_bits_in_the_database_never_make_another_record(store: RecordStore, folder: Path) -> None:
    records = {record.key: record for record in (asset(DEFAULT, f"/photos/{n}", source=ref(str(n))) for n in range(40))}
    for record in records.values():
        store.put_asset(record)
    store.close()
    database = folder / "cache.db"
    sound = database.read_bytes()
    draw = random.Random(4)
    for _ in range(60):
        damaged = bytearray(sound)
        for _ in range(20):
            bit = draw.randrange(len(sound) * 8)
            damaged[bit // 8] ^= 1 << bit % 8
        for file in folder.iterdir():
            file.unlink()
        database.write_bytes(damaged)
        store = RecordStore(folder, LIMIT, writable=True)
        for key, record in records.items():
            assert store.get_asset(key) in (None, record)
        assert all(records[record.key] == record for record in store.assets())
        fresh = asset(DEFAULT, "/photos/fresh")
        store.put_asset(fresh)
        assert store.get_asset(fresh.key) in (None, fresh)
        store.close()


def test_a_reader_follows_the_keeper_to_a_new_database(store: RecordStore, folder: Path) -> None:
    reader = RecordStore(folder, LIMIT)
    store.close()
    (folder / "cache.db").unlink()
    for log in folder.glob("cache.db-*"):
        log.unlink()
    store = RecordStore(folder, LIMIT, writable=True)
    record = asset(DEFAULT, "/photos/a")
    store.put_asset(record)
    reader.reopen_if_replaced()
    assert reader.get_asset(record.key) == record


def test_a_get_does_not_write(store: RecordStore, folder: Path) -> None:
    record = asset(DEFAULT, "/photos/a")
    store.put_asset(record)
    with diskcache.Cache(str(folder)) as cache:
        before = cache._sql("PRAGMA data_version").fetchall()
        for _ in range(10):
            store.get_asset(record.key)
        assert cache._sql("PRAGMA data_version").fetchall() == before


def test_a_row_under_another_records_key_is_a_miss(store: RecordStore, folder: Path) -> None:
    record = asset(DEFAULT, "/photos/a")
    store.put_asset(record)
    other = asset_key(DEFAULT, "/photos/b")
    with sqlite3.connect(folder / "cache.db") as database:
        database.execute("UPDATE Cache SET key = ?", (b"a" + other,))
    assert store.get_asset(other) is None
