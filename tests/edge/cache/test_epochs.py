"""Epochs: every process sees a bump at once, and no restart or damage makes an old record usable."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cache import epochs as module
from edge.cache.epochs import HARD, Epochs, slots
from edge.cache.subjects import bucket_group, bucket_path, purge_subject
from tests.edge.cache.samples import ASSETS, DEFAULT, PHOTOS

A = purge_subject(DEFAULT, "/photos/a.jpg")
B = purge_subject(DEFAULT, "/photos/b.jpg")
NAMED = purge_subject(PHOTOS, "/a.jpg")
SCRIPT = purge_subject(ASSETS, "/app.js")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "epochs"


def test_a_bumped_path_changes_on_every_site_and_no_other_path_does(path: Path) -> None:
    epochs = Epochs.write(path, base=7)
    before = {subject: epochs.current(subject) for subject in (A, B, NAMED, SCRIPT)}
    epochs.bump_path(bucket_path("photos", "a.jpg"))
    assert epochs.current(A) == before[A] + HARD
    assert epochs.current(NAMED) == before[NAMED] + HARD
    assert epochs.current(B) == before[B]
    assert epochs.current(SCRIPT) == before[SCRIPT]


def test_a_bumped_bucket_a_bumped_site_and_everything_reach_what_they_name(path: Path) -> None:
    epochs = Epochs.write(path, base=7)
    subjects = (A, B, NAMED, SCRIPT)

    def changed(bump: Callable[[], None]) -> list[bool]:
        before = [epochs.current(subject) for subject in subjects]
        bump()
        return [epochs.current(subject) > old for subject, old in zip(subjects, before, strict=True)]

    assert changed(lambda: epochs.bump_group(bucket_group("photos"))) == [True, True, True, False]
    assert changed(lambda: epochs.bump_group(NAMED.site)) == [False, False, True, False]
    assert changed(lambda: epochs.bump_group(SCRIPT.site)) == [False, False, False, True]
    assert changed(epochs.bump_all) == [True] * 4


def test_a_reader_in_another_process_sees_a_bump_at_its_next_lookup(path: Path) -> None:
    epochs = Epochs.write(path, base=2**63 - 1)
    reader = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from edge.cache.epochs import Epochs\n"
            "from edge.cache.subjects import Subject\n"
            "epochs = Epochs.read(Path(sys.argv[1]))\n"
            "for line in sys.stdin:\n"
            "    print(epochs.current(Subject(*map(bytes.fromhex, line.split()))), flush=True)",
            str(path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        for _ in range(100):
            epochs.bump_path(A.path)
            reader.stdin.write(" ".join(part.hex() for part in A[:3]) + "\n")
            reader.stdin.flush()
            assert int(reader.stdout.readline()) == epochs.current(A)
        reader.stdin.close()


def test_bumps_survive_a_restart(path: Path) -> None:
    epochs = Epochs.write(path, base=7)
    epochs.bump_path(A.path)
    epochs.bump_all()
    epochs.sync()
    value = epochs.current(A)
    epochs.close()
    again = Epochs.write(path, base=1_000_000)
    assert again.current(A) == value


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"\0" * module.SIZE, b"x" * module.SIZE, None])
def test_a_file_that_is_lost_or_not_ours_counts_as_everything_purged(path: Path, content: bytes | None) -> None:
    epochs = Epochs.write(path, base=7)
    value = epochs.current(A)
    reader = Epochs.read(path)
    assert not reader.replaced
    if content is None:
        path.unlink()
    else:
        path.with_name("foreign").write_bytes(content)
        path.with_name("foreign").replace(path)
        with pytest.raises(ValueError, match="not an epoch file"):
            Epochs.read(path)
    again = Epochs.write(path, base=123_456_789)
    assert again.current(A) != value
    assert again.current(B) != value
    assert reader.replaced
    assert Epochs.read(path).current(A) == again.current(A)


def test_a_reader_cannot_bump(path: Path) -> None:
    Epochs.write(path, base=7)
    with pytest.raises(TypeError):
        Epochs.read(path).bump_all()


def test_it_is_settled_only_after_this_start(path: Path) -> None:
    epochs = Epochs.write(path, base=7)
    reader = Epochs.read(path)
    assert not reader.settled
    epochs.settle()
    assert reader.settled
    epochs.close()
    Epochs.write(path, base=7)
    assert not reader.settled


def test_where_counters_lie_never_changes_between_versions_of_this_program() -> None:
    assert slots(A) == (8, 686, 50, 52985)


@given(st.lists(st.sampled_from(["a", "b", "group", "all", "other"]), max_size=30))
def test_an_epoch_never_falls_and_any_bump_that_names_it_raises_it(
    tmp_path_factory: pytest.TempPathFactory, bumps: list[str]
) -> None:
    epochs = Epochs.write(tmp_path_factory.mktemp("epochs") / "epochs", base=2**63 - 1)
    last = epochs.current(A)
    for bump in bumps:
        match bump:
            case "a" | "b" | "other":
                epochs.bump_path(bucket_path("photos", f"{bump}.jpg"))
            case "group":
                epochs.bump_group(A.group)
            case _:
                epochs.bump_all()
        now = epochs.current(A)
        assert now == last + HARD * (bump in ("a", "group", "all"))
        last = now
    epochs.close()
