"""The ledger: the folder never takes more than its limit, whatever happens in it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from edge.cache.entry import BodyRef, name_hash
from edge.cache.epochs import Epochs
from edge.cache.files import BodyStore, BodyWriter, NoSpace
from edge.cache.layout import body_path
from edge.cache.records import RecordStore
from edge.keeper.ledger import UNIT, FolderInUse, Ledger, shares
from edge.keeper.metrics import Metrics
from tests.edge.cache.samples import DEFAULT, asset

PLENTY = 1 << 40
LIMIT = 64 * UNIT


def open_ledger(folder: Path, limit: int = LIMIT, *, free: int = PLENTY, floor: int = 0) -> Ledger:
    return Ledger.open(folder, limit=limit, floor=floor, free=lambda: free)


def on_disk(folder: Path) -> int:
    """What the files take, in whole units, as the ledger counts them."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return sum(-(-size // UNIT) * UNIT for size in sizes)


def keep(store: BodyStore, name: str, size: int) -> BodyRef:
    with store.create(size) as writer:
        writer.write(random.Random(name).randbytes(size))
        return writer.commit(name_hash(name))


class LedgerMachine(RuleBasedStateMachine):
    """Random writes, commits, aborts, reads, removals, unlinking by others and restarts."""

    limit = 3 << 20
    writers = Bundle("writers")
    names = st.integers(0, 20).map(lambda number: f"body {number}")
    sizes = st.one_of(st.integers(0, 5 * UNIT), st.integers(0, limit))

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="facet-ledger-"))
        self.ledger = open_ledger(self.folder, self.limit)
        self.store = BodyStore(self.folder, self.ledger)
        self.stored: dict[str, tuple[BodyRef, bytes]] = {}
        self.writing: set[BodyWriter] = set()

    def teardown(self) -> None:
        self.ledger.close()
        shutil.rmtree(self.folder)

    @rule(target=writers, size=st.one_of(st.none(), sizes))
    def begin(self, size: int | None) -> tuple[BodyWriter, int | None] | None:
        try:
            writer = self.store.create(size)
        except NoSpace:
            return None
        self.writing.add(writer)
        return writer, size

    @rule(writer=consumes(writers), name=names, length=sizes, seed=st.integers(0, 99))
    def finish(self, writer: tuple[BodyWriter, int | None] | None, name: str, length: int, seed: int) -> None:
        if writer is None or writer[0] not in self.writing:
            return
        body, expected = writer
        data = bytes([seed]) * (length if expected is None else expected)
        with body:
            try:
                body.write(data)
                self.stored[name] = body.commit(name_hash(name)), data
            except NoSpace:
                pass

    @rule(writer=consumes(writers))
    def abort(self, writer: tuple[BodyWriter, int | None] | None) -> None:
        if writer is not None and writer[0] in self.writing:
            writer[0].abort()

    @rule(name=names)
    def read(self, name: str) -> None:
        if name in self.stored:
            ref, data = self.stored[name]
            self.ledger.touch(ref.key)
            reader = self.store.open(ref)
            if reader is not None:
                with reader:
                    assert reader.read() == data

    @rule(name=names)
    def remove(self, name: str) -> None:
        self.store.discard(name_hash(name))
        if name in self.stored:
            assert self.store.open(self.stored.pop(name)[0]) is None

    @rule(name=names)
    def somebody_unlinks(self, name: str) -> None:
        body_path(self.folder, name_hash(name)).unlink(missing_ok=True)

    @rule()
    def restart(self) -> None:
        """What was being written dies with its keeper."""
        self.writing.clear()
        self.ledger.close()
        self.ledger = open_ledger(self.folder, self.limit)
        self.store = BodyStore(self.folder, self.ledger)
        assert self.ledger.used == on_disk(self.folder)

    @invariant()
    def the_disk_is_within_the_bound(self) -> None:
        assert on_disk(self.folder) <= self.limit
        assert self.ledger.used <= self.limit


LedgerMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
test_the_bound_holds_under_random_operations = LedgerMachine.TestCase


def test_room_is_made_before_a_byte_is_written(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    store = BodyStore(tmp_path, ledger)
    for number in range(16):
        keep(store, str(number), 3 * UNIT)
    assert ledger.used == LIMIT
    with store.create(8 * UNIT) as writer:
        assert on_disk(tmp_path) <= LIMIT - 8 * UNIT
        assert ledger.used <= LIMIT
        writer.abort()
    assert ledger.used == on_disk(tmp_path) < LIMIT


def test_a_body_of_unknown_length_stops_growing_where_there_is_no_room(tmp_path: Path) -> None:
    limit = 4 << 20
    ledger = open_ledger(tmp_path, limit)
    store = BodyStore(tmp_path, ledger)
    with store.create(None) as writer:
        for _ in range(30):
            writer.write(bytes(100_000))
            assert on_disk(tmp_path) <= ledger.used <= limit
        with pytest.raises(NoSpace):
            writer.write(bytes(2 << 20))
    assert ledger.used == on_disk(tmp_path) == 0


def test_what_is_larger_than_the_tier_evicts_nothing(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    store = BodyStore(tmp_path, ledger)
    ref = keep(store, "a", 100)
    with pytest.raises(NoSpace):
        store.create(LIMIT)
    assert ref.key in ledger


def test_what_is_used_outlives_what_is_not(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    store = BodyStore(tmp_path, ledger)
    hot = [keep(store, f"hot {number}", 100) for number in range(10)]
    for number in range(1000):
        for ref in hot if number % 10 == 0 else ():
            ledger.touch(ref.key)
        keep(store, str(number), 100)
    assert all(ref.key in ledger for ref in hot)


def test_below_the_floor_nothing_is_stored_and_what_is_stored_gives_way(tmp_path: Path) -> None:
    free = PLENTY
    metrics = Metrics()
    ledger = Ledger.open(tmp_path, limit=LIMIT, floor=100 * UNIT, free=lambda: free, metrics=metrics)
    store = BodyStore(tmp_path, ledger)
    for number in range(10):
        keep(store, str(number), 100)
    free = 99 * UNIT
    with pytest.raises(NoSpace):
        store.create(100)
    assert ledger.used == on_disk(tmp_path) == 9 * UNIT
    assert metrics.registry.get_sample_value("facet_edge_evictions_total") == 1
    free = 101 * UNIT
    keep(store, "new", 100)


def test_a_start_removes_what_is_not_sound_and_counts_the_rest(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    store = BodyStore(tmp_path, ledger)
    sound = [keep(store, f"sound {number}", 5000) for number in range(5)]
    cut, foreign, misplaced, orphan = (keep(store, name, 5000) for name in ("cut", "foreign", "misplaced", "orphan"))
    growing = store.create(100)
    ledger.close()
    path = body_path(tmp_path, cut.key)
    path.write_bytes(path.read_bytes()[:-1])
    body_path(tmp_path, foreign.key).write_bytes(b"not a body")
    (tmp_path / "bodies" / "zz").mkdir()
    body_path(tmp_path, misplaced.key).rename(tmp_path / "bodies" / "zz" / misplaced.key)
    (tmp_path / "bodies" / "core").write_bytes(b"dump")
    known = {ref.key for ref in (*sound, cut, foreign, misplaced)}
    again = Ledger.open(tmp_path, limit=LIMIT, known=known)
    files = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {ref.key for ref in sound}
    assert orphan.key not in again
    assert not growing.path.exists()
    assert again.used == on_disk(tmp_path) == 5 * 2 * UNIT


def test_a_lowered_limit_is_met_at_the_start(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    store = BodyStore(tmp_path, ledger)
    for number in range(30):
        keep(store, str(number), 5000)
    ledger.close()
    again = open_ledger(tmp_path, LIMIT // 4)
    assert again.used == on_disk(tmp_path) == LIMIT // 4


def test_a_folder_has_one_keeper(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    with pytest.raises(FolderInUse):
        open_ledger(tmp_path)
    ledger.close()
    open_ledger(tmp_path).close()


def test_everything_the_edge_stores_is_within_the_disk_it_was_given(tmp_path: Path) -> None:
    disk = 8 << 20
    share = shares(disk)
    Epochs.write(tmp_path / "epochs", base=7).close()
    ledger = open_ledger(tmp_path, share.bodies)
    store = BodyStore(tmp_path, ledger)
    records = RecordStore(tmp_path / "records", share.records, writable=True, on_drop=ledger.discard)
    for number in range(2500):
        body = keep(store, str(number), number * 37 % 20_000)
        records.put_asset(asset(DEFAULT, f"/photos/{number}", source=body, headers={"x": "y" * 200}))
        if number % 100 == 99:
            taken = sum(path.stat().st_blocks * 512 for path in tmp_path.rglob("*"))
            assert taken <= disk
    assert taken > disk // 2


KILLED_KEEPER = """
import random, sys
from pathlib import Path
from edge.cache.entry import name_hash
from edge.cache.epochs import Epochs
from edge.cache.files import BodyStore, NoSpace
from edge.keeper.ledger import Ledger
folder, limit, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
store = BodyStore(folder, Ledger.open(folder, limit=limit, floor=0))
draw = random.Random(seed)
while True:
    name = str(draw.randrange(100))
    size = draw.randrange(200_000)
    with store.create(draw.choice([None, size])) as writer:
        try:
            writer.write(random.Random(name).randbytes(size))
            ref = writer.commit(name_hash(name))
        except NoSpace:
            continue
    print(name, ref.length, ref.digest, flush=True)
"""


def test_after_kill_minus_nine_no_byte_is_wrong_and_the_bound_is_kept(tmp_path: Path) -> None:
    limit = 2 << 20
    seen: dict[str, BodyRef] = {}
    read = 0
    for seed in range(6):
        child = subprocess.Popen(
            [sys.executable, "-c", KILLED_KEEPER, str(tmp_path), str(limit), str(seed)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        with child:
            lines = [child.stdout.readline() for _ in range(20 + seed * 5)]
            os.kill(child.pid, signal.SIGKILL)
            lines += child.stdout.read().splitlines()
        assert on_disk(tmp_path) <= limit
        for line in lines:
            if line.count(" ") == 2:
                name, length, digest = line.split()
                seen[name] = BodyRef(name_hash(name), int(length), digest)
        ledger = open_ledger(tmp_path, limit)
        assert list((tmp_path / "tmp").iterdir()) == []
        assert ledger.used == on_disk(tmp_path) <= limit
        ledger.close()
        store = BodyStore(tmp_path)
        for name, ref in seen.items():
            if (reader := store.open(ref)) is not None:
                with reader:
                    assert reader.read() == random.Random(name).randbytes(ref.length)
                    read += 1
    assert read > 10
