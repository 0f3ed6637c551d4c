"""A sync that fails is never tried again: what it was for is given up, or nothing is written until a restart."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.client import BUCKET
from tests.origin.api.conftest import Origin, running
from tests.programs import need

LARGE = 300_000


class Disk:
    """What the preloaded library is told, and what it did."""

    def __init__(self, folder: Path) -> None:
        self._order, self._log = folder / "order", folder / "log"

    def fails(self, path: str) -> None:
        """Syncs of files whose path contains this fail from now on."""
        draft = self._order.with_suffix(".new")
        draft.write_text(path)
        draft.replace(self._order)

    def works(self) -> None:
        self._order.unlink()

    def failed(self) -> list[str]:
        """The paths whose syncs failed since the last call."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        self._log.unlink(missing_ok=True)
        return lines


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    library = tmp_path / "failing.so"
    source = Path(__file__).with_name("failing.c")
    subprocess.run([need("gcc"), "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
    for name, value in (
        ("LD_PRELOAD", library),
        ("FAILING_ORDER", tmp_path / "order"),
        ("FAILING_LOG", tmp_path / "log"),
    ):
        monkeypatch.setenv(name, str(value))
    return Disk(tmp_path)


@pytest.fixture
def origin(disk: Disk, tmp_path: Path) -> Iterator[Origin]:
    with running(tmp_path / "data", ORIGIN_GRACE="0") as one:
        assert one.ask("PUT", f"/{BUCKET}").status == 200
        yield one


def put(origin: Origin, key: str, body: bytes) -> int:
    return origin.ask("PUT", f"/{BUCKET}/{key}", body=body).status


def get(origin: Origin, key: str) -> tuple[int, bytes]:
    answer = origin.ask("GET", f"/{BUCKET}/{key}")
    return answer.status, answer.body if answer.status == 200 else b""


def check(origin: Origin) -> None:
    """Collected and checked, by the running server."""
    for command in ("gc", "fsck"):
        done = subprocess.run(
            [sys.executable, "-m", "facet", command, "--data", str(origin.data)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("place", ["/origin/tmp/", "/origin/blobs/"])
def test_a_blob_whose_sync_failed_is_given_up(origin: Origin, disk: Disk, place: str) -> None:
    """Its bytes (a nameless file in tmp/), or its name (a folder of blobs/)."""
    body = os.urandom(LARGE)
    assert put(origin, "before", body) == 200
    disk.fails(place)
    assert put(origin, "lost", os.urandom(LARGE)) == 500
    assert len(disk.failed()) == 1
    assert get(origin, "lost") == (404, b"")
    assert put(origin, "small", b"lives in the catalog") == 200
    disk.works()
    while put(origin, "after", body) != 200:
        # Names in that one folder are not promised any more; another blob's folder is well.
        assert place == "/origin/blobs/"
    assert [get(origin, key) for key in ("before", "after")] == [(200, body)] * 2
    check(origin)


def test_after_a_failed_sync_of_the_catalog_nothing_is_written_until_a_restart(
    origin: Origin, disk: Disk, tmp_path: Path
) -> None:
    bodies = {"small": b"small", "large": os.urandom(LARGE)}
    for key, body in bodies.items():
        assert put(origin, key, body) == 200
    disk.fails("catalog.sqlite")
    refused = origin.ask("PUT", f"/{BUCKET}/lost", body=b"lost")
    assert (refused.status, b"<Code>ServiceUnavailable</Code>" in refused.body) == (503, True)
    assert b"restart" in refused.body
    failed = disk.failed()
    disk.works()
    assert len(failed) == 1
    assert failed[0].endswith("catalog.sqlite-wal")
    for method, key in (("PUT", "later"), ("PUT", "small"), ("DELETE", "small")):
        assert origin.ask(method, f"/{BUCKET}/{key}", body=b"x" if method == "PUT" else b"").status == 503
    assert {key: get(origin, key) for key in bodies} == {key: (200, body) for key, body in bodies.items()}
    origin.process.kill()
    origin.process.wait()
    with running(tmp_path / "data", ORIGIN_GRACE="0") as again:
        assert {key: get(again, key) for key in bodies} == {key: (200, body) for key, body in bodies.items()}
        assert get(again, "later") == (404, b"")
        assert put(again, "later", b"later") == 200
        check(again)
