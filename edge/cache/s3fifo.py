"""S3-FIFO, measured in bytes: which entry goes when room is needed.

The rule of this file: it orders entries and knows nothing of what they are; the memory tier and the disk ledger
are its two users. Juncheng Yang and others, "FIFO queues are all you need for cache eviction", SOSP 2023
(s3fifo.com): three queues and no reordering on a hit. New entries enter a *small* queue of a tenth of the room;
what is not asked for again by the time it reaches the end leaves and is remembered by name in a *ghost* queue;
what is asked for again, there or as a ghost, belongs to the *main* queue, whose end gives each entry as many second
chances as it had hits (at most three). Most objects of a CDN are asked for once: they pass through the tenth and
never push out the hot set.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

SMALL_SHARE = 10
"""The small queue's share of the room is 1/10, the paper's choice."""
MOST_HITS = 3
"""The paper's two bits of hits."""

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Entry(Generic[Key, Value]):
    """One entry. A hit is `entry.hit()`: one integer write, no lock, no reordering."""

    __slots__ = ("hits", "key", "size", "value")

    def __init__(self, key: Key, size: int, value: Value) -> None:
        self.key = key
        self.size = size
        self.value = value
        self.hits = 0

    def hit(self) -> None:
        """Note that it was asked for."""
        if self.hits < MOST_HITS:
            self.hits += 1


class S3Fifo(Generic[Key, Value]):
    """The order of eviction for `limit` bytes.

    It does not enforce the limit: its user calls `evict()` until there is room, then `add()`.
    """

    def __init__(self, limit: int) -> None:
        self._small: OrderedDict[Key, Entry[Key, Value]] = OrderedDict()
        self._main: OrderedDict[Key, Entry[Key, Value]] = OrderedDict()
        self._ghost: OrderedDict[Key, int] = OrderedDict()
        self._limit = limit
        self._small_bytes = 0
        self._ghost_bytes = 0
        self.bytes = 0
        """The sizes of all entries together."""

    def __len__(self) -> int:
        return len(self._main) + len(self._small)

    def __iter__(self) -> Iterator[Key]:
        yield from self._main
        yield from self._small

    def get(self, key: Key) -> Entry[Key, Value] | None:
        """The entry, not counted as a hit."""
        return self._main.get(key) or self._small.get(key)

    def add(self, key: Key, size: int, value: Value, *, proven: bool = False) -> None:
        """Add an entry that is not there yet. `proven` (or a ghost of that name) puts it into the main queue."""
        assert self.get(key) is None
        entry = Entry(key, size, value)
        ghost = self._ghost.pop(key, None)
        if ghost is not None:
            self._ghost_bytes -= ghost
        if proven or ghost is not None:
            self._main[key] = entry
        else:
            self._small[key] = entry
            self._small_bytes += size
        self.bytes += size

    def proven(self, key: Key) -> bool:
        """Whether the entry is in the main queue."""
        return key in self._main

    def remove(self, key: Key) -> Entry[Key, Value] | None:
        """Take an entry out, without remembering it."""
        entry = self._main.pop(key, None)
        if entry is None:
            entry = self._small.pop(key, None)
            if entry is None:
                return None
            self._small_bytes -= entry.size
        self.bytes -= entry.size
        return entry

    def evict(self) -> Entry[Key, Value] | None:
        """Take out the entry that should go first; None where there is none."""
        while self._small or self._main:
            if self._small and (self._small_bytes > self._limit // SMALL_SHARE or not self._main):
                key, entry = self._small.popitem(last=False)
                self._small_bytes -= entry.size
                if entry.hits:
                    entry.hits = 0
                    self._main[key] = entry
                    continue
                self._remember(key, entry.size)
            else:
                key, entry = self._main.popitem(last=False)
                if entry.hits:
                    entry.hits -= 1
                    self._main[key] = entry
                    continue
            self.bytes -= entry.size
            return entry
        return None

    def _remember(self, key: Key, size: int) -> None:
        """Keep the name of an evicted entry: as many bytes and as many names as there are entries, at most."""
        self._ghost[key] = size
        self._ghost_bytes += size
        while self._ghost_bytes > self._limit or len(self._ghost) > len(self) + 1:
            self._ghost_bytes -= self._ghost.popitem(last=False)[1]
