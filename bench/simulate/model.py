"""A model of edge nodes: caches bounded in bytes under three eviction policies, and requests spread over nodes.

The rule of this file: S3-FIFO is the edge's own (edge/cache/s3fifo.py), not a copy; a cache is asked for a key and
says whether it had it; what it had not it has afterwards, unless it is larger than the whole cache. A browser's
picture is a rendering: it misses on its own, and then asks the same node for the source, which may be there. Media
larger than a slice are kept slice by slice.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, Protocol

from bench.trace import Asked, Media
from edge.cache.s3fifo import S3Fifo

UNIT = 4096
"""Files take whole blocks of the file system, as in the edge's ledger."""
SLICE = 8 * 2**20
"""Large media are kept in slices (`edge.slice`)."""
RENDERED = 0.55
"""A rendering's size, as a share of its source's."""

Routing = Literal["hash", "any"]
"""`hash`: a key has one home node (nginx `hash $host$uri consistent`); `any`: requests go to the nodes in turn."""


class Cache(Protocol):
    """A cache bounded in bytes."""

    def ask(self, key: Hashable, size: int) -> bool:
        """Whether it had the key; it has it afterwards."""
        ...


class S3FifoCache:
    """The edge's own policy."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: S3Fifo[Hashable, None] = S3Fifo(limit)

    def ask(self, key: Hashable, size: int) -> bool:
        entry = self._entries.get(key)
        if entry is not None:
            entry.hit()
            return True
        if size <= self._limit:
            while self._entries.bytes + size > self._limit:
                self._entries.evict()
            self._entries.add(key, size, None)
        return False


class FifoCache:
    """The oldest goes, however often it was asked for."""

    renews = False

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._sizes: OrderedDict[Hashable, int] = OrderedDict()
        self._bytes = 0

    def ask(self, key: Hashable, size: int) -> bool:
        if key in self._sizes:
            if self.renews:
                self._sizes.move_to_end(key)
            return True
        if size <= self._limit:
            while self._bytes + size > self._limit:
                self._bytes -= self._sizes.popitem(last=False)[1]
            self._sizes[key] = size
            self._bytes += size
        return False


class LruCache(FifoCache):
    """What was not asked for the longest goes."""

    renews = True


POLICIES: dict[str, type[S3FifoCache] | type[FifoCache]] = {"S3-FIFO": S3FifoCache, "LRU": LruCache, "FIFO": FifoCache}


@dataclass
class Outcome:
    """What a trace did."""

    requests: int = 0
    hits: int = 0
    bytes_asked: int = 0
    origin_requests: int = 0
    origin_bytes: int = 0

    @property
    def hit_ratio(self) -> float:
        return self.hits / self.requests if self.requests else 0.0

    @property
    def origin_share(self) -> float:
        """Bytes that came from the origin, as a share of the bytes that were asked for."""
        return self.origin_bytes / self.bytes_asked if self.bytes_asked else 0.0


def blocks(size: int) -> int:
    """What a body of this size takes on the disk."""
    return -(-size // UNIT) * UNIT


def home(key: str, nodes: int) -> int:
    """The node that a key lives on."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big") % nodes


def _missing(cache: Cache, media: Media, part: tuple[int, int] | None) -> int:
    """Ask for the slices of a part (of everything): how many bytes of them were not there."""
    first, last = part or (0, media.size - 1)
    missing = 0
    for index in range(first // SLICE, last // SLICE + 1):
        size = min(SLICE, media.size - index * SLICE)
        if not cache.ask((media.number, index), blocks(size)):
            missing += size
    return missing


def simulate(
    trace: Iterable[Asked], policy: str, limit: int, nodes: int = 1, routing: Routing = "hash", skip: int = 0
) -> Outcome:
    """The trace over nodes with `limit` bytes each; the first `skip` requests fill the caches and are not counted."""
    caches: Sequence[Cache] = [POLICIES[policy](limit) for _ in range(nodes)]
    homes: dict[int, int] = {}
    found = Outcome()
    for number, asked in enumerate(trace):
        media = asked.media
        if routing == "any":
            node = number % nodes
        elif media.number in homes:
            node = homes[media.number]
        else:
            node = homes[media.number] = home(media.name, nodes)
        rendered = asked.client == "browser" and media.kind != "video"
        if rendered:
            size = int(media.size * RENDERED)
            hit = caches[node].ask((media.number, -1), blocks(size))
            fetched = 0 if hit else _missing(caches[node], media, None)
        else:
            size = media.size
            fetched = _missing(caches[node], media, asked.part)
            hit = not fetched
        if number >= skip:
            wanted = asked.part[1] - asked.part[0] + 1 if asked.part else size
            found.requests += 1
            found.hits += hit
            found.bytes_asked += wanted
            found.origin_requests += fetched > 0
            found.origin_bytes += fetched
    return found
