"""The real program for tests: `facet up` in a folder of its own, on free ports, ended by its process id."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

ROOT_KEY = {"FACET_ROOT_ACCESS_KEY": "FACETROOTKEY", "FACET_ROOT_SECRET_KEY": "a-secret-for-tests-only"}
PATIENCE = 60.0


@dataclass(frozen=True)
class Running:
    """A `facet up` that is ready."""

    process: subprocess.Popen[bytes]
    data: Path
    log: Path
    origin: str
    edge: str
    admin: str

    def s3(
        self, endpoint: str | None = None, access: str | None = None, secret: str | None = None, **options: Any
    ) -> Any:
        """A boto3 client, of the root key where no other is named."""
        return boto3.client(
            "s3",
            endpoint_url=endpoint or self.origin,
            region_name="us-east-1",
            aws_access_key_id=access or ROOT_KEY["FACET_ROOT_ACCESS_KEY"],
            aws_secret_access_key=secret or ROOT_KEY["FACET_ROOT_SECRET_KEY"],
            config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}, **options.pop("config", {})),
            **options,
        )


def environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without its FACET_ settings, with the given ones."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FACET_")}
    return kept | ROOT_KEY | {"FACET_LOG_FORMAT": "json", "FACET_LOG_LEVEL": "debug"} | dict(settings or {})


def start(data: Path, log: Path, settings: Mapping[str, str] | None = None, *arguments: str) -> subprocess.Popen[bytes]:
    """`facet up` on free ports with its log in a file; settings are FACET_… variables."""
    with log.open("ab") as stderr:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "facet", "up", "--data", str(data)),
                *("--origin", "127.0.0.1:0", "--edge", "127.0.0.1:0", "--admin", "127.0.0.1:0", *arguments),
            ],
            env=environment(settings),
            stdout=subprocess.PIPE,
            stderr=stderr,
        )


def ready_line(process: subprocess.Popen[bytes], log: Path) -> dict[str, str]:
    """The ready line of a started `facet up`."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
    line = process.stdout.readline() if ready else b""
    assert line, f"facet up was not ready within {PATIENCE} s:\n{log.read_text()[-4000:]}"
    answer: dict[str, str] = json.loads(line)
    assert answer["event"] == "ready"
    return answer


@contextmanager
def facet_up(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Running]:
    """`facet up` for the length of a `with` block; it must end cleanly."""
    data, log = folder / "data", folder / "facet.log"
    process = start(data, log, settings)
    try:
        line = ready_line(process, log)
        yield Running(process, data, log, line["origin"], line["edge"], line["admin"])
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0, log.read_text()[-4000:]
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()
