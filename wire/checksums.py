"""The checksums that S3 knows, by name and by header.

The rule of this file: an algorithm is one row of `ALGORITHMS`. Values travel as base64 of the big-endian digest
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from awscrt import checksums as crt

HEADER_PREFIX = "x-amz-checksum-"


class Checksum(Protocol):
    """A running checksum."""

    def update(self, data: bytes, /) -> None:
        """Take in the next bytes."""

    def digest(self) -> bytes:
        """The digest of everything taken in so far, big-endian."""


class _Crc:
    """A running CRC around a one-shot function `(data, previous) -> value`."""

    def __init__(self, step: Callable[[bytes, int], int], size: int) -> None:
        self._step = step
        self._size = size
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = self._step(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One checksum algorithm: its S3 name, digest size in bytes, and how to start and to combine it."""

    name: str
    size: int
    start: Callable[[], Checksum]
    combiner: Callable[[int, int, int], int] | None = None

    @property
    def header(self) -> str:
        """The header and trailer that carries the value, such as x-amz-checksum-crc32c."""
        return HEADER_PREFIX + self.name.lower()

    def of(self, data: bytes) -> str:
        """The checksum of `data`, in base64."""
        running = self.start()
        running.update(data)
        return encode(running.digest())

    def decode(self, value: str) -> bytes:
        """The digest of a base64 value. Raises ValueError where it is not base64 of the right size."""
        try:
            digest = base64.b64decode(value.strip(), validate=True)
        except binascii.Error as error:
            raise ValueError(f"{self.name} must be base64") from error
        if len(digest) != self.size:
            raise ValueError(f"{self.name} must be {self.size} bytes in base64")
        return digest

    def combine(self, first: bytes, second: bytes, second_length: int) -> bytes:
        """The digest of two pieces of data one after the other; `second_length` is the length of the second, in bytes.

        Only CRCs combine: raises ValueError for the others.
        """
        if self.combiner is None:
            raise ValueError(f"{self.name} digests do not combine")
        value = self.combiner(int.from_bytes(first, "big"), int.from_bytes(second, "big"), second_length)
        return value.to_bytes(self.size, "big")


# zlib's CRC32 is faster than awscrt's where zlib has the carry-less multiply, and never much slower.
ALGORITHMS: dict[str, Algorithm] = {
    row.name: row
    for row in (
        Algorithm("CRC32", 4, lambda: _Crc(zlib.crc32, 4), crt.combine_crc32),
        Algorithm("CRC32C", 4, lambda: _Crc(crt.crc32c, 4), crt.combine_crc32c),
        Algorithm("CRC64NVME", 8, lambda: _Crc(crt.crc64nvme, 8), crt.combine_crc64nvme),
        Algorithm("SHA1", 20, lambda: hashlib.sha1(usedforsecurity=False)),
        Algorithm("SHA256", 32, hashlib.sha256),
    )
}

_BY_HEADER = {row.header: row for row in ALGORITHMS.values()}


def for_header(name: str) -> Algorithm | None:
    """The algorithm whose value travels in the header or trailer `name` (any case), if it is one of ours."""
    return _BY_HEADER.get(name.lower())


def for_name(name: str) -> Algorithm | None:
    """The algorithm that S3 calls `name` (any case), such as CRC32C, if it is one of ours."""
    return ALGORITHMS.get(name.upper())


def encode(digest: bytes) -> str:
    """A digest as it travels: base64."""
    return base64.b64encode(digest).decode("ascii")
