"""Blobs as objects of an S3 service, through boto3: PREFIXblobs/<id> in one bucket.

The rules of this file: a blob is one object, written whole by one request, so it is there with all its bytes or not at
all, and durable once the service has answered. Nothing else in the bucket is touched. S3 knows no nameless objects,
so a blob gets bytes and name in the one step `link`; until then it waits in memory, which a segment's size bounds.

A write asks the service to refuse a name that exists (If-None-Match). boto3 repeats a request whose answer was lost,
and then the name that exists is our own: each write leaves a mark with its object, by which it knows it again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

from conf.schema import Blobs
from origin.blobs.contract import BlobError, BlobMissing, StoreBusy, StoreFull
from origin.blobs.reserve import Reserve

FOLDER = "blobs/"
QUARANTINE = "quarantine/"
MARK = "facet-write"
CONNECTIONS = 40
"""As many as there are threads that read and write blobs."""
AHEAD = 64 * 1024
"""Bytes that opening a blob fetches: its header, and all of a small blob."""
MOST_DELETED = 1000
"""Keys of one DeleteObjects (https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html)."""

_ID = re.compile(r"[0-9a-f]{32}")
_MISSING = frozenset({"NoSuchKey", "404", "NotFound"})
_FULL = frozenset({"InsufficientStorage", "QuotaExceeded", "XMinioStorageFull", "507"})
_BUSY = frozenset({"SlowDown", "ServiceUnavailable", "RequestTimeout", "TooManyRequests", "503", "429"})


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = _code(error)
        kinds = {**dict.fromkeys(_MISSING, BlobMissing), **dict.fromkeys(_FULL, StoreFull)}
        raise kinds.get(code, StoreBusy if code in _BUSY else BlobError)(str(error)) from error
    except (ConnectionError, HTTPClientError) as error:
        raise StoreBusy(str(error)) from error
    except (BotoCoreError, OSError) as error:
        raise BlobError(str(error)) from error


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


class _Writer:
    """contract.BlobWriter."""

    def __init__(self, store: S3Blobs, blob_id: bytes) -> None:
        self._store = store
        self._id = blob_id
        self._data: bytearray | None = bytearray()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert self._data is not None
        self._data += data

    def sync(self) -> None:
        """Nothing to do: bytes become durable together with their name."""

    def link(self) -> None:
        assert self._data is not None
        self._store.put(self._id, bytes(self._data))

    def close(self) -> None:
        self._data = None


class _Reader:
    """contract.BlobReader. Keeps what opening fetched."""

    def __init__(self, store: S3Blobs, blob_id: bytes) -> None:
        self._store = store
        self._id = blob_id
        self._head, self._length = store.fetch(blob_id, 0, AHEAD)

    def read(self, offset: int, length: int) -> bytes:
        length = max(0, min(length, self._length - offset))
        if not length:
            return b""
        if offset + length <= len(self._head):
            return self._head[offset : offset + length]
        return self._store.fetch(self._id, offset, length)[0]

    def warm(self, offset: int, length: int) -> memoryview | None:
        end = offset + length
        return memoryview(self._head)[offset:end] if end <= min(len(self._head), self._length) else None

    def close(self) -> None:
        """Nothing is held."""


class S3Blobs:
    """contract.BlobStore in a bucket.

    `folder` is the data folder, whose disk holds the catalog; `reserve` is the free space there, in bytes, that writes
    leave alone. Raises BlobError where the bucket cannot be reached.
    """

    distant = True

    def __init__(self, settings: Blobs, folder: Path, *, reserve: int) -> None:
        self._bucket = settings.bucket
        self._prefix = settings.prefix
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=settings.endpoint,
            region_name=settings.region,
            aws_access_key_id=settings.access_key,
            aws_secret_access_key=settings.secret_key,
            config=Config(
                max_pool_connections=CONNECTIONS,
                retries={"mode": "standard", "total_max_attempts": 4},
                connect_timeout=5,
                read_timeout=30,
                s3={"addressing_style": settings.addressing},
            ),
        )
        with _translated():
            self._client.head_bucket(Bucket=self._bucket)
        self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._reserve = Reserve(self._descriptor, reserve)

    def _key(self, blob_id: bytes) -> str:
        return f"{self._prefix}{FOLDER}{blob_id.hex()}"

    def room(self, length: int) -> None:
        with _translated():
            self._reserve.keep(length)

    def create(self, blob_id: bytes) -> _Writer:
        self.room(0)
        return _Writer(self, blob_id)

    def put(self, blob_id: bytes, data: bytes) -> None:
        """Store one blob durably under its id. Raises BlobError, also where the name is somebody else's."""
        mark = os.urandom(16).hex()
        with _translated():
            try:
                self._client.put_object(
                    Bucket=self._bucket, Key=self._key(blob_id), Body=data, IfNoneMatch="*", Metadata={MARK: mark}
                )
            except ClientError as error:
                if _code(error) not in ("PreconditionFailed", "412"):
                    raise
                there = self._client.head_object(Bucket=self._bucket, Key=self._key(blob_id))
                if there["Metadata"].get(MARK) != mark:
                    raise

    def settle(self, ids: Iterable[bytes]) -> None:
        """Nothing to do: a name is durable when the service has answered."""

    def fetch(self, blob_id: bytes, offset: int, length: int) -> tuple[bytes, int]:
        """Up to `length` bytes from `offset`, and the blob's whole length. Raises BlobMissing, BlobError."""
        with _translated():
            answer = self._client.get_object(
                Bucket=self._bucket, Key=self._key(blob_id), Range=f"bytes={offset}-{offset + length - 1}"
            )
            data = answer["Body"].read()
        whole = answer.get("ContentRange", "").rpartition("/")[2]
        if not whole.isdigit():
            raise BlobError("the service does not answer ranges")
        return data, int(whole)

    def open(self, blob_id: bytes) -> _Reader:
        return _Reader(self, blob_id)

    def length(self, blob_id: bytes) -> int | None:
        try:
            with _translated():
                return int(self._client.head_object(Bucket=self._bucket, Key=self._key(blob_id))["ContentLength"])
        except BlobMissing:
            return None

    def remove(self, ids: Iterable[bytes]) -> list[bytes]:
        keys = {self._key(blob_id): blob_id for blob_id in ids}
        names = list(keys)
        for start in range(0, len(names), MOST_DELETED):
            some = [{"Key": name} for name in names[start : start + MOST_DELETED]]
            with _translated():
                answer = self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": some, "Quiet": True})
            for refused in answer.get("Errors", ()):
                if refused.get("Code") not in _MISSING:
                    keys.pop(refused.get("Key", ""), None)
        return list(keys.values())

    def quarantine(self, name: str) -> None:
        plain = name.removeprefix("./")
        source = f"{self._prefix}{FOLDER}{plain}"
        target = f"{self._prefix}{QUARANTINE}{plain}.{os.urandom(4).hex()}"
        with _translated():
            self._client.copy_object(
                Bucket=self._bucket, Key=target, CopySource={"Bucket": self._bucket, "Key": source}
            )
            self._client.delete_object(Bucket=self._bucket, Key=source)

    def names(self) -> Iterator[str]:
        folder = f"{self._prefix}{FOLDER}"
        pages = iter(self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=folder))
        while True:
            with _translated():
                page = next(pages, None)
            if page is None:
                return
            for entry in page.get("Contents", ()):
                name = entry["Key"].removeprefix(folder)
                yield name if _ID.fullmatch(name) else f"./{name}"

    def close(self) -> None:
        self._client.close()
        os.close(self._descriptor)
