"""S3 services to keep blobs in: a second Facet origin, and moto's server, which shares no code with ours."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from conf.schema import Blobs, Settings
from origin.service.model import Caller
from origin.service.service import Service
from tests.origin.api.conftest import ACCESS, SECRET, running
from tests.origin.storage.support import BUCKET, settings

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


@pytest.fixture(params=["moto", "facet"])
def remote(request: pytest.FixtureRequest) -> Blobs:
    """A new bucket of each of them in turn."""
    new_bucket: NewBucket = request.getfixturevalue(request.param)
    return new_bucket()


def stored(blobs: Blobs) -> dict[str, int]:
    """Every key in the bucket and its length."""
    pages = client(blobs).get_paginator("list_objects_v2").paginate(Bucket=blobs.bucket)
    return {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", ())}


def with_blobs(folder: Path, blobs: Blobs, **changed: object) -> Settings:
    return settings(folder).model_copy(update={"blobs": blobs.model_copy(update=changed)})


@asynccontextmanager
async def opened(mine: Settings) -> AsyncIterator[tuple[Service, Caller]]:
    """The service and the owner of its bucket, who is made at the first opening."""
    service = await Service.open(mine)
    try:
        found = await service.keys.secret("ada-key")
        if found is None:
            key = (await service.keys.add(owner="ada", access_key="ada-key", permissions=["admin"])).key
            await service.buckets.create(Caller(key), BUCKET)
        else:
            key = found[0]
        yield service, Caller(key)
    finally:
        await service.close()
