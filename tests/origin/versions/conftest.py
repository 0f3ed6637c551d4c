"""The origin and the service of the other rooms' tests, and buckets with versions."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from origin.service.model import Caller
from origin.service.service import Service
from tests.origin.api.conftest import bucket, origin, s3
from tests.origin.storage import support
from tests.origin.storage.conftest import clock, scratch, service

__all__ = ["bucket", "clock", "origin", "s3", "scratch", "service"]


@pytest.fixture
def versioned(s3: Any, bucket: str) -> str:
    """A new bucket with versioning enabled."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


@pytest.fixture
def locked(s3: Any) -> str:
    """A new bucket with object lock."""
    name = f"l-{uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


@pytest.fixture
async def ada(service: Service) -> Caller:
    """The owner of a bucket without versions, and of one with object lock called vault."""
    who = await support.caller(service, permissions=["admin", "feed"])
    await service.buckets.create(who, support.BUCKET)
    await service.buckets.create(who, "vault", lock=True)
    return who
