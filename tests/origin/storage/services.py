"""S3 services to keep blobs in: a second Facet origin, and moto's server, which shares no code with ours."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from conf.schema import Blobs
from tests.origin.api.conftest import ACCESS, SECRET, running

NewBucket = Callable[[], Blobs]
"""Makes a bucket and returns the settings that keep blobs in it."""


def client(blobs: Blobs) -> Any:
    """A boto3 client for looking into the bucket from outside."""
    return boto3.client(
        "s3",
        endpoint_url=blobs.endpoint,
        region_name=blobs.region,
        aws_access_key_id=blobs.access_key,
        aws_secret_access_key=blobs.secret_key,
        config=Config(s3={"addressing_style": "path"}),
    )


def _new_bucket(endpoint: str) -> Blobs:
    blobs = Blobs(
        store="s3", endpoint=endpoint, bucket=f"b-{uuid4().hex[:12]}", prefix="facet/", access_key=ACCESS,
        secret_key=SECRET,
    )  # fmt: skip
    client(blobs).create_bucket(Bucket=blobs.bucket)
    return blobs


@pytest.fixture(scope="session")
def moto() -> Any:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield lambda: _new_bucket(f"http://{host}:{port}")
    server.stop()


@pytest.fixture(scope="session")
def facet(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("second-origin")
    with running(folder / "data", ORIGIN_SYNC="false", ORIGIN_RESERVE="0") as origin:
        yield lambda: _new_bucket(origin.url)
