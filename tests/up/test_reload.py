"""SIGHUP: new settings take effect while requests run, and wrong ones leave the old in force."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.running import environment, ready_line

BUCKET = "reloads"
PAGE = """
[[sites]]
name = "first"
host = "first.test"
bucket = "reloads"
"""
MORE = """
[[sites]]
name = "second"
host = "second.test"
bucket = "reloads"
presets = ["thumb:{preset}"]
"""


class Load:
    """Requests without a pause, on connections that are kept."""

    def __init__(self, edge: str, target: str) -> None:
        self._edge = edge.removeprefix("http://")
        self._target = target
        self._stop = threading.Event()
        self.answers = 0
        self.failures: list[str] = []
        self._threads = [threading.Thread(target=self._run) for _ in range(4)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        connection = http.client.HTTPConnection(self._edge, timeout=30)
        number = 0
        while not self._stop.is_set():
            number += 1
            try:
                connection.request("GET", f"{self._target}?n={number}", headers={"Host": "first.test"})
                response = connection.getresponse()
                body = response.read()
                if (response.status, body) != (200, b"text"):
                    self.failures.append(f"{response.status} {body!r}")
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                return
            self.answers += 1
            if number % 20 == 0:  # also new connections
                connection.close()
        connection.close()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def until(condition: Callable[[], object], failure: str) -> None:
    deadline = time.monotonic() + 40
    while not condition():
        assert time.monotonic() < deadline, failure
        time.sleep(0.05)


def status(edge: str, host: str, target: str = "/a.txt") -> int:
    connection = http.client.HTTPConnection(edge.removeprefix("http://"), timeout=30)
    connection.request("GET", target, headers={"Host": host})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def test_a_reload_loses_no_request_and_wrong_settings_change_nothing(tmp_path: Path) -> None:
    config, log = tmp_path / "facet.toml", tmp_path / "facet.log"
    config.write_text(PAGE)
    addresses = [argument for name in ("origin", "edge", "admin") for argument in (f"--{name}", "127.0.0.1:0")]
    command = [
        sys.executable,
        "-m",
        "facet",
        "up",
        "--config",
        str(config),
        "--data",
        str(tmp_path / "data"),
        *addresses,
    ]
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            command, env=environment({"FACET_EDGE_PROCESSES": "2"}), stdout=subprocess.PIPE, stderr=stderr
        )
    try:
        line = ready_line(process, log)
        _put(line["origin"])
        edge = line["edge"]
        until(lambda: status(edge, "first.test") == 200, "the first site never answered")
        load = Load(edge, "/a.txt")
        try:
            for wrong in (MORE.format(preset="w=0"), "[edge]\nno_such = 1\n", "[["):
                refused = log.read_text().count("settings refused")
                config.write_text(PAGE + wrong)
                process.send_signal(signal.SIGHUP)
                until(
                    lambda refused=refused: log.read_text().count("settings refused") > refused, "nothing was refused"
                )
                assert status(edge, "second.test") == 404
            config.write_text(PAGE + MORE.format(preset="w=10"))
            process.send_signal(signal.SIGHUP)
            until(lambda: [status(edge, "second.test") for _ in range(8)] == [200] * 8, "the second site never came")
            config.write_text('[edge]\nmemory = "80 MiB"\n' + PAGE)
            process.send_signal(signal.SIGHUP)
            until(lambda: [status(edge, "second.test") for _ in range(8)] == [404] * 8, "the second site never went")
        finally:
            load.stop()
        assert load.failures == []
        assert load.answers > 50
        waiting = [json.loads(row)["at_next_start"] for row in log.read_text().splitlines() if "at_next_start" in row]
        assert waiting[-1] == ["edge.memory"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text()[-4000:]
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _put(origin: str) -> None:
    import boto3
    from botocore.config import Config

    from tests.running import ROOT_KEY

    s3 = boto3.client(
        "s3",
        endpoint_url=origin,
        region_name="us-east-1",
        aws_access_key_id=ROOT_KEY["FACET_ROOT_ACCESS_KEY"],
        aws_secret_access_key=ROOT_KEY["FACET_ROOT_SECRET_KEY"],
        config=Config(s3={"addressing_style": "path"}),
    )
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="a.txt", Body=b"text", ContentType="text/plain", ACL="public-read")
