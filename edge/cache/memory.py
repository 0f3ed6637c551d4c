"""The memory tier: a dictionary bounded in bytes.

The rule of this file: the sum of the sizes held never exceeds the limit, not even for a moment. Which entry goes
is decided by S3-FIFO (s3fifo.py).
"""

from __future__ import annotations

from typing import Generic, TypeVar

from edge.cache.s3fifo import S3Fifo

Value = TypeVar("Value")


class MemoryTier(Generic[Value]):
    """One process's memory tier; not thread-safe: it belongs to the event loop.

    The caller says how large an entry is, in bytes: the body plus what its record and key weigh.
    """

    def __init__(self, limit: int) -> None: ...
    def get(self, key: bytes) -> Value | None: ...
    def put(self, key: bytes, value: Value, size: int) -> bool: ...
    def discard(self, key: bytes) -> None: ...
    def clear(self) -> None: ...
    @property
    def used(self) -> int: ...
    def __len__(self) -> int: ...
