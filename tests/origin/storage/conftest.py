"""A service with one owner and one bucket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from conf.schema import Settings
from origin.service.model import Caller
from origin.service.service import Service
from tests.origin.storage import support
from tests.origin.storage.services import facet, moto, remote

__all__ = ["facet", "moto", "remote"]


@pytest.fixture
def clock() -> support.Clock:
    return support.Clock()


@pytest.fixture
def scratch(tmp_path: Path) -> Settings:
    return support.settings(tmp_path / "data")


@pytest.fixture
async def service(scratch: Settings, clock: support.Clock) -> AsyncIterator[Service]:
    opened = await Service.open(scratch, clock=clock)
    yield opened
    await opened.close()


@pytest.fixture
async def ada(service: Service) -> Caller:
    """The owner of the bucket."""
    who = await support.caller(service, permissions=["admin", "feed"])
    await service.buckets.create(who, support.BUCKET)
    return who
