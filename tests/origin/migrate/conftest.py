"""Sources to migrate from: moto's server, which shares no code with ours, and a second Facet; and the command."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from tests.origin.api.conftest import ACCESS, SECRET, Origin, running

ROOT = Path(__file__).parents[3]
WRONG = {"SOURCE_ACCESS_KEY": ACCESS, "SOURCE_SECRET_KEY": "another-secret"}


def client(url: str) -> Any:
    return boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id=ACCESS, aws_secret_access_key=SECRET,
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )  # fmt: skip


@dataclass(frozen=True)
class From:
    """A bucket at a source."""

    url: str
    bucket: str

    @property
    def s3(self) -> Any:
        return client(self.url)


NewSource = Callable[[], From]


def _new(url: str) -> From:
    source = From(url, f"b-{uuid4().hex[:12]}")
    source.s3.create_bucket(Bucket=source.bucket)
    return source


@pytest.fixture(scope="session")
def moto() -> Iterator[NewSource]:
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield lambda: _new(f"http://{host}:{port}")
    server.stop()


@pytest.fixture(scope="session")
def facet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewSource]:
    folder = tmp_path_factory.mktemp("source")
    with running(folder / "data", ORIGIN_SYNC="false", ORIGIN_RESERVE="0", ORIGIN_MIN_PART="65536") as origin:
        yield lambda: _new(origin.url)


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    folder = tmp_path_factory.mktemp("target")
    with running(folder / "data", ORIGIN_SYNC="false", ORIGIN_RESERVE="0") as origin:
        yield origin


@pytest.fixture(params=["moto", "facet"])
def source(request: pytest.FixtureRequest) -> From:
    """An empty bucket of each service in turn."""
    new: NewSource = request.getfixturevalue(request.param)
    return new()


def arguments(source: From, bucket: str, *options: str) -> list[str]:
    return [
        *(sys.executable, "-m", "facet", "migrate", f"s3://{source.bucket}"),
        *("--from", source.url, "--to", bucket, *options),
    ]


def environment(data: Path, **changed: str) -> dict[str, str]:
    keys = {"SOURCE_ACCESS_KEY": ACCESS, "SOURCE_SECRET_KEY": SECRET}
    return {**os.environ, "FACET_DATA": str(data), "FACET_ORIGIN_RESERVE": "0", **keys, **changed}


def migrate(data: Path, source: From, bucket: str, *options: str, code: int = 0, **changed: str) -> Any:
    """The report of `facet migrate`, or what it says where it is none."""
    done = subprocess.run(
        arguments(source, bucket, "--json", *options), env=environment(data, **changed), cwd=ROOT,
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr
    with suppress(ValueError):
        return json.loads(done.stdout)
    return done.stderr


def body(s3: Any, bucket: str, key: str, **version: str) -> bytes:
    content: bytes = s3.get_object(Bucket=bucket, Key=key, **version)["Body"].read()
    return content


def upload(s3: Any, bucket: str, key: str, parts: list[bytes], **more: Any) -> str:
    """A multipart upload; returns its ETag."""
    begun = s3.create_multipart_upload(Bucket=bucket, Key=key, **more)["UploadId"]
    named = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(Bucket=bucket, Key=key, UploadId=begun, PartNumber=number, Body=part)["ETag"],
        }
        for number, part in enumerate(parts, start=1)
    ]
    whole = {"Parts": named}
    etag: str = s3.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=begun, MultipartUpload=whole)["ETag"]
    return etag
