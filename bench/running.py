"""A real `facet up` with one public bucket, for a benchmark to load."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from conf.errors import StartError

BUCKET = "bench"


@dataclass(frozen=True)
class Running:
    """Where it listens; pid is the supervisor's."""

    edge: str
    pid: int
    s3: Any

    def put(self, key: str, body: bytes, content_type: str) -> None:
        """Store a public object."""
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body, ContentType=content_type, ACL="public-read")

    def url(self, key: str) -> str:
        return f"{self.edge}/{BUCKET}/{key}"


@contextmanager
def running(folder: Path, **environment: str) -> Iterator[Running]:
    """`facet up` in this folder with these settings (FACET_…). Raises StartError."""
    key, secret = "BENCHKEY", "a-secret-for-benchmarks"
    log = (folder / "facet.log").open("wb")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "facet", "up", "--data", str(folder / "data")),
            *("--origin", "127.0.0.1:0", "--edge", "127.0.0.1:0", "--admin", "127.0.0.1:0"),
        ],
        env={
            "PATH": "/usr/bin:/bin",
            "FACET_LOG_ACCESS": "false",
            "FACET_ROOT_ACCESS_KEY": key,
            "FACET_ROOT_SECRET_KEY": secret,
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=log,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise StartError(f"facet up did not start: {(folder / 'facet.log').read_text()[-500:]}")
        ready = json.loads(line)
        s3 = boto3.client(
            "s3",
            endpoint_url=ready["origin"],
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            config=Config(s3={"addressing_style": "path"}),
        )
        s3.create_bucket(Bucket=BUCKET)
        yield Running(ready["edge"], process.pid, s3)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        log.close()
