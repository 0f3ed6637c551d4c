"""The edge's own disk, processes and sockets in trouble: what is given is right, and it recovers by itself."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.edge.dialogue.stage import Stage, stage, until

KIB = 1024
BODY = os.urandom(300 * KIB)


def script(edge: Stage, name: str, **scene: object) -> str:
    edge.origin.on(f"/media/{name}", BODY, "application/zip", etag=f'"{name}"', **scene)
    return f"/media/{name}"


def given(edge: Stage, target: str) -> bool:
    """Whether a target is answered whole; nothing else may ever come whole with 200."""
    answer = edge.get(target)
    assert answer.status != 200 or not answer.whole or answer.body == BODY
    return answer.status == 200 and answer.whole


def test_a_disk_tier_that_is_removed_is_made_again(tmp_path: Path) -> None:
    with stage(tmp_path, {"edge": {"memory_object": 0}}, servers=2) as edge:
        old = script(edge, "old")
        assert given(edge, old)
        for name in ("bodies", "tmp"):
            shutil.rmtree(edge.data / "edge" / name)
        until(lambda: given(edge, old), "what was stored never came back")
        until(lambda: given(edge, script(edge, "new")) and edge.get("/media/new").hit, "nothing is stored any more")


def _scribble(file: Path) -> None:
    with file.open("r+b") as database:
        for start in range(0, file.stat().st_size, 1024):
            database.seek(start)
            database.write(os.urandom(64))


DAMAGES = {"scribbled over": _scribble, "removed": Path.unlink, "emptied": lambda file: file.write_bytes(b"")}


@pytest.mark.parametrize("damage", DAMAGES)
def test_records_that_are_damaged_while_it_runs_are_misses(tmp_path: Path, damage: str) -> None:
    with stage(tmp_path) as edge:
        targets = [script(edge, f"{number}") for number in range(2)]
        assert all(given(edge, target) for target in targets)
        DAMAGES[damage](edge.data / "edge" / "records" / "cache.db")
        for target in targets:
            until(lambda: given(edge, target), "it never recovered")  # noqa: B023
        edge.keeper.kill()
        edge.restart_keeper()
        for target in targets:
            until(lambda: given(edge, target) and edge.get(target).hit, "it never recovered")  # noqa: B023


def test_a_keeper_without_its_socket_is_found_again_after_its_restart(tmp_path: Path) -> None:
    with stage(tmp_path, {"edge": {"wait": 2}}) as edge:
        target = script(edge, "kept")
        assert given(edge, target)
        (edge.data / "edge" / "keeper.sock").unlink()
        assert edge.get(target).hit
        assert given(edge, script(edge, "meanwhile")), "the link that is open is still good"
        edge.keeper.kill()
        assert edge.get(target).hit
        assert edge.get(script(edge, "missed")).status == 503
        edge.restart_keeper()
        until(lambda: given(edge, "/media/missed"), "the keeper was never found again")


def test_a_keeper_that_has_no_descriptors_left_recovers(tmp_path: Path) -> None:
    with stage(tmp_path, {"edge": {"memory_object": 0, "wait": 5}}) as edge:
        targets = [script(edge, f"{number}") for number in range(20)]
        assert given(edge, targets[0])
        before = resource.prlimit(edge.keeper.pid, resource.RLIMIT_NOFILE)
        used = len(os.listdir(f"/proc/{edge.keeper.pid}/fd"))
        resource.prlimit(edge.keeper.pid, resource.RLIMIT_NOFILE, (used, before[1]))
        with ThreadPoolExecutor(20) as clients:
            list(clients.map(lambda target: given(edge, target), targets))
        resource.prlimit(edge.keeper.pid, resource.RLIMIT_NOFILE, before)
        for target in targets:
            until(lambda: given(edge, target), "it never recovered")  # noqa: B023


def test_a_server_process_that_has_no_descriptors_left_recovers(tmp_path: Path) -> None:
    with stage(tmp_path, {"edge": {"memory_object": 0}}) as edge:
        target = script(edge, "kept")
        assert given(edge, target)
        (server,) = edge.servers
        before = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        used = len(os.listdir(f"/proc/{server.pid}/fd"))
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (used + 1, before[1]))
        _or_nothing(edge, target)
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, before)
        until(lambda: given(edge, target), "it never recovered")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_passes_everything_through_and_stores_again_when_there_is_room(small_disk: Path) -> None:
    with stage(small_disk, {"edge": {"memory_object": 0, "disk": "200 MiB", "disk_floor": 0}}) as edge:
        kept = script(edge, "kept")
        assert given(edge, kept)
        ballast = small_disk / "ballast"
        with ballast.open("wb", buffering=0) as file:
            free = os.statvfs(small_disk)
            file.write(b"\0" * (free.f_bavail * free.f_frsize - 256 * KIB))
        for number in range(8):
            assert given(edge, script(edge, f"full-{number}")), "a full disk must not be seen"
        assert given(edge, kept)
        ballast.unlink()
        until(lambda: given(edge, script(edge, "room")) and edge.get("/media/room").hit, "nothing is stored any more")


@pytest.mark.parametrize("stage_of_fill", ["before the head", "midway"])
def test_keeper_and_server_process_killed_at_each_stage_of_a_fill(tmp_path: Path, stage_of_fill: str) -> None:
    gate = threading.Event()
    held = {"pause": gate} if stage_of_fill == "before the head" else {"body_pause": gate}
    with stage(tmp_path, {"edge": {"stall_timeout": 20, "head_timeout": 20}}, servers=2) as edge:
        target = script(edge, "filled", **held)
        with ThreadPoolExecutor(4) as clients:
            asking = [clients.submit(_or_nothing, edge, target) for _ in range(4)]
            until(lambda: edge.origin.count(target), "nothing was fetched")
            edge.keeper.kill()
            edge.servers[0].kill()
            gate.set()
            edge.restart_keeper()
            for one in asking:
                one.result()
        until(lambda: _or_nothing(edge, target) and edge.get(target).hit, "it never recovered")
        until(lambda: not any((edge.data / "edge" / "tmp").iterdir()), "a temporary stays")


def _or_nothing(edge: Stage, target: str) -> bool:
    try:
        return given(edge, target)
    except OSError:
        return False
