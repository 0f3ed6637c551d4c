"""Bodies on disk: exactly what was written, or a miss; readable while they grow; gone when not committed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.cache.entry import BodyRef, name_hash
from edge.cache.files import BodyReader, BodyStore, Damaged, GrowingReader, WrongLength
from edge.cache.layout import BLOCK, BODY_OFFSET, body_path, file_size, sound_size
from tests.edge.cache.samples import Unbounded

KEY = name_hash("body")
BODY = random.Random(1).randbytes(3 * BLOCK + 1234)


@pytest.fixture
def store(tmp_path: Path) -> BodyStore:
    return BodyStore(tmp_path, Unbounded(tmp_path))


def keep(store: BodyStore, body: bytes, key: str = KEY, *, announced: bool = True) -> BodyRef:
    with store.create(len(body) if announced else None) as writer:
        for start in range(0, len(body), 10_007):
            writer.write(body[start : start + 10_007])
        return writer.commit(key)


def opened(store: BodyStore, ref: BodyRef) -> BodyReader:
    reader = store.open(ref)
    assert reader is not None
    return reader


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("length", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 5 * BLOCK + 7])
@pytest.mark.parametrize("announced", [True, False])
def test_a_body_comes_back_as_it_was_written(store: BodyStore, length: int, announced: bool) -> None:
    body = random.Random(length).randbytes(length)
    ref = keep(store, body, announced=announced)
    assert ref == BodyRef(KEY, length, blake3(body).hexdigest())
    with opened(store, ref) as reader:
        assert reader.read() == body
        assert b"".join(reader.blocks()) == body
        reader.verify()
        assert reader.path.stat().st_size == file_size(length) == sound_size(reader.path)
        assert reader.path.read_bytes()[BODY_OFFSET : BODY_OFFSET + length] == body


def test_any_range_of_a_body_is_that_range(store: BodyStore) -> None:
    ref = keep(store, BODY)
    draw = random.Random(2)
    with opened(store, ref) as reader:
        for _ in range(300):
            start = draw.randint(0, len(BODY))
            length = draw.randint(0, len(BODY) - start)
            assert reader.read(start, length) == BODY[start : start + length]
            assert b"".join(reader.blocks(start, length)) == BODY[start : start + length]
        for start, length in ((-1, 5), (0, len(BODY) + 1), (len(BODY), 1)):
            with pytest.raises(ValueError, match="of a body of"):
                reader.read(start, length)


def test_flipped_bits_never_leave_and_remove_the_file(store: BodyStore, tmp_path: Path) -> None:
    draw = random.Random(3)
    ref = keep(store, BODY)
    path = body_path(tmp_path, KEY)
    sound = path.read_bytes()
    found = 0
    for _ in range(400):
        bit = draw.randrange(len(sound) * 8)
        damaged = bytearray(sound)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        reader = store.open(ref)
        if reader is None:
            found += 1
        else:
            with reader:
                try:
                    assert reader.read() == BODY
                except Damaged:
                    found += 1
                else:
                    continue
        assert not path.exists(), "what is damaged is removed"
    assert found >= 395, "all but the few bits of the header's padding matter"


def test_a_flipped_bit_hides_only_the_block_it_is_in(store: BodyStore, tmp_path: Path) -> None:
    ref = keep(store, BODY)
    path = body_path(tmp_path, KEY)
    damaged = bytearray(path.read_bytes())
    damaged[BODY_OFFSET + BLOCK + 5] ^= 1
    path.write_bytes(damaged)
    with opened(store, ref) as reader:
        assert reader.read(0, BLOCK) == BODY[:BLOCK]
        assert reader.read(2 * BLOCK) == BODY[2 * BLOCK :]
        with pytest.raises(Damaged):
            reader.read(BLOCK - 1, 2)


def test_sound_blocks_in_the_wrong_place_never_leave(store: BodyStore, tmp_path: Path) -> None:
    ref = keep(store, BODY)
    other = name_hash("other")
    keep(store, BODY, other)
    path = body_path(tmp_path, KEY)
    data = bytearray(path.read_bytes())
    table = BODY_OFFSET + len(BODY)
    first, second = slice(BODY_OFFSET, BODY_OFFSET + BLOCK), slice(BODY_OFFSET + BLOCK, BODY_OFFSET + 2 * BLOCK)
    data[first], data[second] = data[second], data[first]
    data[table : table + 8] = data[table + 4 : table + 8] + data[table : table + 4]
    path.write_bytes(data)
    with opened(store, ref) as reader, pytest.raises(Damaged):
        reader.read(0, 1)


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"x" * 500, b"\0" * file_size(len(BODY)), "short", "long", "other version", "other name"],
)
def test_a_file_that_is_not_that_body_is_a_miss_and_removed(
    store: BodyStore, tmp_path: Path, content: bytes | str
) -> None:
    ref = keep(store, BODY)
    path = body_path(tmp_path, KEY)
    sound = path.read_bytes()
    match content:
        case "short":
            path.write_bytes(sound[:-1])
        case "long":
            path.write_bytes(sound + b"x")
        case "other version":
            path.write_bytes(sound[:8] + b"\x02" + sound[9:])
        case "other name":
            keep(store, BODY, name_hash("other"))
            body_path(tmp_path, name_hash("other")).rename(path)
        case bytes():
            path.write_bytes(content)
    assert sound_size(path) is None
    assert store.open(ref) is None
    assert not path.exists()


def test_a_body_made_again_is_a_miss_for_who_wants_the_old_one_and_stays(store: BodyStore) -> None:
    ref = keep(store, BODY)
    again = keep(store, BODY[::-1])
    assert store.open(ref) is None
    with opened(store, again) as reader:
        assert reader.read() == BODY[::-1]


def test_a_body_shorter_or_longer_than_announced_is_never_kept(store: BodyStore, tmp_path: Path) -> None:
    with store.create(100) as writer:
        writer.write(b"x" * 99)
        with pytest.raises(WrongLength):
            writer.commit(KEY)
    with store.create(100) as writer, pytest.raises(WrongLength):
        writer.write(b"x" * 101)
    assert files(tmp_path) == []


def test_what_is_not_committed_leaves_nothing(store: BodyStore, tmp_path: Path) -> None:
    with store.create(None) as writer:
        writer.write(BODY)
    with store.create(None) as writer:
        writer.write(BODY)
        with pytest.raises(ValueError, match="not a body key"):
            writer.commit("../../../etc/passwd")
    assert files(tmp_path) == []


def test_an_open_reader_outlives_replacement_and_removal(store: BodyStore) -> None:
    ref = keep(store, BODY)
    with opened(store, ref) as reader:
        keep(store, b"new")
        store.discard(KEY)
        assert reader.read() == BODY
    assert store.open(ref) is None


GROWING_READER = """
import sys
from pathlib import Path
from edge.cache.files import GrowingReader
from blake3 import blake3
reader, position, digest = GrowingReader(Path(sys.argv[1])), 0, blake3()
print("open", flush=True)
for line in sys.stdin:
    announced = int(line)
    digest.update(reader.read(position, announced - position))
    position = announced
    print(digest.hexdigest(), flush=True)
"""


def test_another_process_reads_a_body_while_it_grows_and_past_its_commit(store: BodyStore) -> None:
    with store.create(None) as writer:
        child = subprocess.Popen(
            [sys.executable, "-c", GROWING_READER, str(writer.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdin is not None
        assert child.stdout is not None
        with child:
            assert child.stdout.readline() == "open\n"
            for start in range(0, len(BODY), 50_000):
                writer.write(BODY[start : start + 50_000])
                if writer.written == len(BODY):
                    writer.commit(KEY)
                child.stdin.write(f"{writer.written}\n")
                child.stdin.flush()
                assert child.stdout.readline().strip() == blake3(BODY[: writer.written]).hexdigest()
            child.stdin.close()


def test_a_growing_body_gives_no_byte_that_was_not_written(store: BodyStore, tmp_path: Path) -> None:
    with store.create(1000) as writer:
        writer.write(b"x" * 10)
        with GrowingReader(writer.path) as reader:
            assert reader.read(0, 10) == b"x" * 10
            with pytest.raises(Damaged):
                reader.read(5, 10)
    with pytest.raises(FileNotFoundError):
        GrowingReader(writer.path)
    (tmp_path / "foreign").write_bytes(b"x" * 100)
    with pytest.raises(Damaged):
        GrowingReader(tmp_path / "foreign")


KILLED_WRITER = """
import os, random, sys
from pathlib import Path
from edge.cache.entry import name_hash
from edge.cache.files import BodyStore
from tests.edge.cache.samples import Unbounded
folder = Path(sys.argv[1])
store = BodyStore(folder, Unbounded(folder))
print("ready", flush=True)
number = 0
while True:
    body = random.Random(number).randbytes(1 + number * 7919 % 300_000)
    with store.create(None) as writer:
        writer.write(body)
        ref = writer.commit(name_hash(str(number)))
    print(number, ref.length, ref.digest, flush=True)
    number += 1
"""


def test_kill_minus_nine_leaves_whole_bodies_or_none(tmp_path: Path) -> None:
    store = BodyStore(tmp_path)
    for round_ in range(5):
        child = subprocess.Popen(
            [sys.executable, "-c", KILLED_WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        with child:
            lines = [child.stdout.readline() for _ in range(3 + 7 * round_)]
            os.kill(child.pid, signal.SIGKILL)
            lines += child.stdout.read().splitlines()
        committed = [line.split() for line in lines[1:] if line.count(" ") == 2]
        assert len(committed) >= 2
        for number, length, digest in committed:
            ref = BodyRef(name_hash(number), int(length), digest)
            with opened(store, ref) as reader:
                assert reader.read() == random.Random(int(number)).randbytes(int(length))
        assert all(sound_size(path) is not None for path in files(tmp_path / "bodies"))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(max_size=3), max_size=8), st.integers(0, 3 * BLOCK))
def test_how_a_body_is_cut_into_writes_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, ends: list[bytes], middle: int
) -> None:
    folder = tmp_path_factory.mktemp("bodies")
    store = BodyStore(folder, Unbounded(folder))
    with store.create(None) as writer:
        for part in ends:
            writer.write(part)
        writer.write(bytes(middle))
        for part in ends:
            writer.write(memoryview(part))
        ref = writer.commit(KEY)
    with opened(store, ref) as reader:
        assert reader.read() == b"".join(ends) + bytes(middle) + b"".join(ends)


FULL_DISK = """
import resource, sys
from pathlib import Path
from edge.cache.files import BodyStore
from edge.keeper.ledger import Ledger
folder = Path(sys.argv[1])
ledger = Ledger.open(folder, limit=10 << 20)
store = BodyStore(folder, ledger)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    with store.create(200_000) as writer:
        writer.write(bytes(200_000))
except OSError as error:
    print("refused", ledger.used, len(list((folder / "tmp").iterdir())))
"""


def test_a_disk_that_takes_no_more_bytes_fails_the_body_and_keeps_nothing_of_it(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "refused 0 0"
