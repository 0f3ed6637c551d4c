"""The memory tier: a dictionary bounded in bytes.

The rule of this file: the sizes held together never exceed the limit, not even for a moment. Which entry goes is
decided by S3-FIFO (s3fifo.py).
"""

from __future__ import annotations

from typing import Generic, TypeVar

from edge.cache.s3fifo import Entry, S3Fifo

Value = TypeVar("Value")


class MemoryTier(Generic[Value]):
    """One process's memory tier; not thread-safe: it belongs to the event loop.

    The caller says how large an entry is, in bytes: the body plus what its record and key weigh.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: S3Fifo[bytes, Value | None] = S3Fifo(limit)

    def get(self, key: bytes) -> Value | None:
        """The value, or None. A hit is one integer write."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        entry.hit()
        return entry.value

    def entry(self, key: bytes) -> Entry[bytes, Value | None] | None:
        """What holds the value: its `value` is None from the moment that it leaves the tier."""
        return self._entries.get(key)

    def put(self, key: bytes, value: Value, size: int) -> bool:
        """Keep `value`, in place of what was under `key`. False where it is larger than the whole tier."""
        entries = self._entries
        proven = entries.proven(key)
        self.discard(key)
        if size > self._limit:
            return False
        while entries.bytes + size > self._limit:
            _gone(entries.evict())
        entries.add(key, size, value, proven=proven)
        return True

    def discard(self, key: bytes) -> None:
        """Forget what is under `key`, if anything."""
        _gone(self._entries.remove(key))

    def clear(self) -> None:
        """Forget everything."""
        for key in list(self._entries):
            self.discard(key)

    @property
    def used(self) -> int:
        """The sizes held together, in bytes."""
        return self._entries.bytes

    def __len__(self) -> int:
        return len(self._entries)


def _gone(entry: Entry[bytes, Value | None] | None) -> None:
    """Let go of a value, whoever may still hold its entry."""
    if entry is not None:
        entry.value = None
