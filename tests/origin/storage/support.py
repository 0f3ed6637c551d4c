"""What the storage tests share: a service on a scratch folder, bodies, and reads back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from conf.schema import Origin, Settings
from origin.service.model import Caller, CopyRequest, Expected, ObjectInfo, PutRequest
from origin.service.multipart import CompletedPart, CreateUploadRequest
from origin.service.service import Service

MIB = 1024 * 1024
BUCKET = "shelf"


def settings(folder: Path, **origin: Any) -> Settings:
    """Settings on a scratch folder; syncing is off where a test does not need it, to be quick."""
    return Settings(data=folder, origin=Origin(**{"sync": False, "reserve": 0, "min_part": 1, **origin}))


class Clock:
    """Time that a test moves by hand."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


async def stream(data: bytes, size: int = 65_000) -> AsyncIterator[bytes]:
    """A body in pieces of an awkward size."""
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def caller(service: Service, owner: str = "ada", **key: Any) -> Caller:
    return Caller((await service.keys.add(owner=owner, **key)).key)


async def put(service: Service, who: Caller, key: str, data: bytes, **request: Any) -> ObjectInfo:
    return await service.objects.put(who, PutRequest(bucket=BUCKET, key=key, **request), stream(data))


async def get(service: Service, who: Caller, key: str, range: str | None = None) -> bytes:
    async with await service.objects.open(who, BUCKET, key, range=range) as reading:
        data = b"".join([bytes(chunk) async for chunk in reading.chunks()])
        assert len(data) == reading.length
        return data


async def copy(service: Service, who: Caller, source: str, key: str) -> ObjectInfo:
    """Copy within the bucket."""
    return await service.objects.copy(who, CopyRequest(source_bucket=BUCKET, source_key=source, bucket=BUCKET, key=key))


async def join(service: Service, who: Caller, key: str, parts: list[bytes]) -> bytes:
    """Upload the parts as one object; returns its body."""
    upload = await service.uploads.create(who, CreateUploadRequest(bucket=BUCKET, key=key))
    done = []
    for number, part in enumerate(parts, start=1):
        info = await service.uploads.put_part(who, BUCKET, key, upload.upload_id, number, Expected(), stream(part))
        done.append(CompletedPart(number=number, etag=info.etag))
    await service.uploads.complete(who, BUCKET, key, upload.upload_id, done)
    return b"".join(parts)


def blob_files(settings: Settings) -> list[Path]:
    """Every blob on disk."""
    return sorted(path for path in (settings.origin_data / "blobs").rglob("*") if path.is_file())
