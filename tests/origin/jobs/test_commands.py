"""The commands, beside a running server and on a folder where none runs, as people type them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from conf.schema import Settings
from origin.service.service import Service
from tests.origin.jobs.damage import flip
from tests.origin.storage.support import BUCKET, blob_files, caller, put, settings

ROOT = Path(__file__).parents[3]
SIZE = 100_000


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A data folder with a few objects in it."""
    data = tmp_path / "data"
    service = await Service.open(settings(data))
    ada = await caller(service, permissions=["admin"])
    await service.buckets.create(ada, BUCKET)
    for number in range(3):
        await put(service, ada, f"k{number}", os.urandom(SIZE))
    await put(service, ada, "s", b"small")
    await service.close()
    return data


def environment(data: Path) -> dict[str, str]:
    return {**os.environ, "FACET_DATA": str(data), "FACET_ORIGIN_RESERVE": "0", "FACET_ORIGIN_LISTEN": "127.0.0.1:0"}


def facet(data: Path, *words: str, code: int = 0) -> Any:
    """The command's JSON, or its text; `code` is the exit status that it must have."""
    done = subprocess.run(
        [sys.executable, "-m", "facet", *words], env=environment(data), cwd=ROOT, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    try:
        return json.loads(done.stdout)
    except ValueError:
        return done.stdout or done.stderr


@contextmanager
def serving(data: Path) -> Iterator[None]:
    """A running origin."""
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "facet", "origin", "serve"],
        env={**environment(data), "FACET_READY_FD": str(writing)}, cwd=ROOT, pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(writing)
    with os.fdopen(reading) as ready:
        assert json.loads(ready.readline())["ready"] == "origin"
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """No origin."""
    yield


MODES = pytest.mark.parametrize("mode", [serving, alone])


@MODES
def test_upkeep_says_whether_all_is_well_by_its_exit_status(folder: Path, mode: Any) -> None:
    mine = Settings(data=folder)
    with mode(folder):
        assert facet(folder, "fsck", "--json")["clean"]
        assert facet(folder, "scrub", "--json")["blobs"] == 3
        assert "3 blobs, 3 files: clean" in facet(folder, "fsck")
        assert facet(folder, "gc", "--json")["blobs"] == 0
        flip(blob_files(mine)[0])
        (mine.origin_data / "blobs" / "stranger").write_text("?")
        report = facet(folder, "scrub", code=1)
        assert "1 damaged blobs" in report
        assert f"{BUCKET}/k" in report
        assert facet(folder, "fsck", "--json", code=1)["foreign"] == ["stranger"]
        facet(folder, "fsck", "--repair", code=1)
        found = facet(folder, "fsck", "--json", code=1)
        assert (found["foreign"], found["flagged"]) == ([], 1)


def test_the_key_ring_is_turned_from_the_command_line(folder: Path, tmp_path: Path) -> None:
    with serving(folder):
        (old,) = [one["id"] for one in facet(folder, "keyring", "list")]
        facet(folder, "keyring", "add", "--id", "new")
        assert "KeyInUse" in facet(folder, "keyring", "retire", old, code=2)
        assert facet(folder, "keyring", "rotate") == {"active": "new", "rewrapped": 3}
        facet(folder, "keyring", "retire", old)
        (shown,) = facet(folder, "keyring", "list")
        assert (shown["id"], shown["blobs"], shown["store_key"]) == ("new", 3, True)
        for number, words in enumerate((["keyring", "export"], ["key", "export"])):
            (copied,) = facet(folder, *words, str(tmp_path / f"copy-{number}"))
            assert copied == {"id": "new", "fingerprint": shown["fingerprint"]}
    assert facet(folder, "scrub", "--json")["clean"]


@MODES
def test_a_backup_goes_there_and_back(folder: Path, mode: Any, tmp_path: Path) -> None:
    with mode(folder):
        done = facet(folder, "backup", str(tmp_path / "backup"), "--name", "monday", "--json")
        assert (done["blobs"], done["copied_blobs"]) == (3, 3)
        assert "copied 0" in facet(folder, "backup", str(tmp_path / "backup"), "--name", "tuesday")
        assert [one["name"] for one in facet(folder, "backups", "list")] == ["monday", "tuesday"]
        copy = tmp_path / "copy"
        report = facet(folder, "restore", str(tmp_path / "backup"), "--data", str(copy))
        assert "restored tuesday: 3 blobs, 3 files, clean" in report
        assert "has a catalog already" in facet(
            folder, "restore", str(tmp_path / "backup"), "--data", str(copy), code=2
        )
        facet(folder, "backups", "forget", "monday")
    (copy / "master.key").write_bytes((folder / "master.key").read_bytes())
    with serving(copy):
        assert facet(copy, "fsck", "--json")["clean"]
        assert {one["owner"] for one in facet(copy, "key", "list")} == {"ada", "edge", "root"}


def test_a_quota_is_set_and_shown(folder: Path) -> None:
    with serving(folder):
        shown = facet(folder, "bucket", "quota", BUCKET, "--bytes", "1GiB", "--objects", "10")
        assert (shown["max_bytes"], shown["max_objects"]) == (1 << 30, 10)
        shown = facet(folder, "bucket", "quota", BUCKET, "--objects", "0")
        assert (shown["max_bytes"], shown["max_objects"]) == (1 << 30, None)
        assert facet(folder, "bucket", "quota", BUCKET)["bytes"] == 3 * SIZE + 5
        assert "NoSuchBucket" in facet(folder, "bucket", "quota", "nowhere", code=2)


def test_without_the_master_key_a_scrub_runs_and_a_server_does_not(folder: Path) -> None:
    (folder / "master.key").unlink()
    assert facet(folder, "scrub", "--json")["clean"]
    assert facet(folder, "fsck", "--json")["clean"]
    assert "master.key (master_key_file) is missing" in facet(folder, "keyring", "list", code=2)


def test_an_errand_of_nobody_ends_with_its_connection(folder: Path) -> None:
    """A slow scrub is asked for and its command killed; the server forgets it, and another one resumes."""
    with serving(folder):
        command = [sys.executable, "-m", "facet", "scrub", "--rate", str(SIZE)]
        with subprocess.Popen(command, env=environment(folder), cwd=ROOT, stderr=subprocess.PIPE, text=True) as slow:
            assert slow.stderr is not None
            assert "scrub" in slow.stderr.readline()
            slow.kill()
        report = facet(folder, "scrub", "--json")
        assert report["resumed"]
        assert report["clean"]


def test_there_is_nothing_to_keep_up_where_there_is_no_catalog(tmp_path: Path) -> None:
    for words in (["fsck"], ["scrub"], ["gc"], ["backup", str(tmp_path / "b")], ["bucket", "quota", "b"]):
        assert "there is no catalog" in facet(tmp_path / "nothing", *words, code=2)
    assert not (tmp_path / "nothing").exists()
