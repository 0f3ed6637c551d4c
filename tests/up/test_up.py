"""Promises of `facet up`: one ready line, clear refusals, dead children restarted, clean stops."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.running import ROOT_KEY, environment, facet_up, ready_line, start


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "facet", *arguments],
        env=environment(settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def refusal(data: Path, *arguments: str, **settings: str) -> str:
    """The one line with which `facet up` does not start."""
    ports = ("--origin", "127.0.0.1:0", "--edge", "127.0.0.1:0", "--admin", "127.0.0.1:0")
    done = run("up", "--data", str(data), *ports, *arguments, **settings)
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("facet: ")]
    assert len(lines) == 1, done.stderr
    assert done.stdout == ""
    return lines[0]


def children(pid: int) -> dict[str, int]:
    """The supervised processes by what they run ("origin serve", "edge keep", "edge serve"…)."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == pid and b"facet" in words:
                found[b" ".join(words[words.index(b"facet") + 1 :]).decode().strip()] = int(entry.name)
    return found


def answers(url: str, within: float = 20.0) -> int:
    """The status that `url` answers with, asked again until it answers."""
    deadline = time.monotonic() + within
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            if time.monotonic() > deadline:
                raise


def test_it_says_once_that_all_is_ready_and_stops_cleanly(tmp_path: Path) -> None:
    with facet_up(tmp_path) as running:
        assert running.origin.startswith("http://127.0.0.1:")
        assert answers(f"{running.origin}/-/health") == 200
        assert answers(f"{running.admin}/healthz") == 200
        assert answers(f"{running.edge}/no-such-bucket/no-such-key") == 404
    assert "Traceback" not in running.log.read_text()


def test_first_start_makes_keys_that_only_the_owner_can_read(tmp_path: Path) -> None:
    with facet_up(tmp_path) as running:
        for name in ("master.key", "edge-key.json"):
            assert stat.S_IMODE((running.data / name).stat().st_mode) == 0o600
        assert not (running.data / "root-key.json").exists()  # given in the environment, so not written down
        assert running.s3().list_buckets()["Buckets"] == []
    assert ROOT_KEY["FACET_ROOT_SECRET_KEY"] not in running.log.read_text()


def test_without_a_root_key_one_is_made_and_its_path_is_printed(tmp_path: Path) -> None:
    data, log = tmp_path / "data", tmp_path / "log"
    environ = {name: value for name, value in environment().items() if name not in ROOT_KEY}
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [*(sys.executable, "-m", "facet", "up", "--data", str(data)),
             *("--origin", "127.0.0.1:0", "--edge", "127.0.0.1:0", "--admin", "127.0.0.1:0")],
            env=environ, stdout=subprocess.PIPE, stderr=stderr,
        )  # fmt: skip
    try:
        ready_line(process, log)
        made = json.loads((data / "root-key.json").read_text())
        assert stat.S_IMODE((data / "root-key.json").stat().st_mode) == 0o600
        assert str(data / "root-key.json") in log.read_text()
        assert made["secret_key"] not in log.read_text()
    finally:
        process.terminate()
        assert process.wait(60) == 0


def test_a_port_in_use_is_named_with_its_setting(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for setting in ("origin", "edge", "admin"):
            line = refusal(tmp_path / setting, f"--{setting}", address)
            assert address in line
            assert ("edge.admin" if setting == "admin" else f"{setting}.listen") in line
            assert "in use" in line


def test_a_second_start_on_the_same_ports_or_data_is_refused(tmp_path: Path) -> None:
    with facet_up(tmp_path) as running:
        assert "edge.listen" in refusal(tmp_path / "other", "--edge", running.edge.removeprefix("http://"))
        line = refusal(running.data)
        assert str(running.data) in line


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for folder in (file, file / "below", Path("/proc/facet")):
        line = refusal(folder)
        assert str(folder) in line
        assert "data" in line


def test_a_missing_master_key_with_existing_data_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    with facet_up(tmp_path) as running:
        pass
    (running.data / "master.key").rename(tmp_path / "kept.key")
    line = refusal(running.data)
    assert "master.key" in line
    assert not (running.data / "master.key").exists()
    (tmp_path / "kept.key").rename(running.data / "master.key")
    with facet_up(tmp_path):
        pass


@pytest.mark.parametrize("which", ["origin serve", "edge keep", "edge serve --index 0"])
def test_a_dead_child_is_started_again_on_its_port(tmp_path: Path, which: str) -> None:
    with facet_up(tmp_path, {"FACET_EDGE_PROCESSES": "1"}) as running:
        before = children(running.process.pid)
        os.kill(before[which], signal.SIGKILL)
        deadline = time.monotonic() + 30
        while children(running.process.pid).get(which, before[which]) == before[which]:
            assert time.monotonic() < deadline, f"{which} was not started again"
            os.sched_yield()
        assert answers(f"{running.origin}/-/health") == 200
        assert answers(f"{running.admin}/healthz") == 200
        assert answers(f"{running.edge}/no-such-bucket/no-such-key") in (404, 503)


def test_children_end_with_a_killed_supervisor(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start(tmp_path / "data", log)
    ready_line(process, log)
    alive = children(process.pid)
    assert {"origin serve", "edge keep", "edge serve --index 0"} <= set(alive)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in alive.values()):
        assert time.monotonic() < deadline, "a child outlived its supervisor"
        os.sched_yield()


def test_a_key_is_added_beside_the_running_server_and_without_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with facet_up(tmp_path) as running:
        done = run("key", "add", "--owner", "mastodon", FACET_DATA=str(data))
        assert done.returncode == 0, done.stderr
        key = json.loads(done.stdout)
        client = running.s3(access=key["access_key"], secret=key["secret_key"])
        client.create_bucket(Bucket="pictures")
    named = ("--access-key", "NAMEDKEY", "--secret-key", "named-secret-key", "--allow", "read", "--bucket", "pictures")
    done = run("key", "add", "--owner", "reader", *named, FACET_DATA=str(data))
    assert json.loads(done.stdout)["access_key"] == "NAMEDKEY"
    with facet_up(tmp_path) as running:
        reader = running.s3(access="NAMEDKEY", secret="named-secret-key")
        with pytest.raises(reader.exceptions.ClientError, match="AccessDenied"):
            reader.put_object(Bucket="pictures", Key="k", Body=b"x")
