"""What one server process can answer by itself: its memory tier over the node's disk tier.

The rule of this file: looking is cheap and changes nothing but what is remembered. Disk reads above INLINE bytes leave
the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import lru_cache
from typing import Literal, NamedTuple, Protocol

from conf.schema import Settings
from edge.cache.entry import AssetRecord, BodyRef
from edge.cache.epochs import Epochs, Slots, slots
from edge.cache.files import BodyReader, BodyStore, Damaged
from edge.cache.memory import MemoryTier
from edge.cache.records import RecordStore
from edge.cache.subjects import purge_subject
from edge.keeper import link
from edge.keeper.answer import Answer
from edge.keeper.ledger import shares
from edge.keeper.selection import Wish, will_do
from edge.message import Body, BodyBroken, Held
from edge.policy.demand import NONE, Demand
from edge.policy.sites import Site

INLINE = 64 * 1024  # bytes that are read from the disk on the event loop; more cost a thread
BLOCK = 256 * 1024  # bytes of a large body that are read at once
LOOKED_AGAIN = 5.0  # seconds after which the records are asked again whether a provisional answer still is one
_ANSWER_SIZE = 2048  # bytes that an answer without its body weighs in memory, roughly


class Remembered(NamedTuple):
    """What the memory tier has for a wish."""

    answer: Answer
    body: Held | None


class Provisional(NamedTuple):
    """An answer in memory that something smaller may have taken the place of, from `until` on."""

    answer: Answer
    until: float


class Tally(Protocol):
    """Somebody who counts memory hits of one answer by himself, since a report."""

    hits: int

    @property
    def site(self) -> Site: ...
    @property
    def answer(self) -> Answer: ...


class OnDisk:
    """A stored body that is streamed, block by block, each checked."""

    def __init__(self, reader: BodyReader) -> None:
        self._reader = reader
        self.length = reader.ref.length

    async def blocks(self, start: int, stop: int | None) -> AsyncIterator[bytes]:
        """See Body."""
        end = self.length if stop is None else stop
        for position in range(start, end, BLOCK):
            try:
                yield await asyncio.to_thread(self._reader.read, position, min(BLOCK, end - position))
            except Damaged as error:
                raise BodyBroken(str(error)) from error

    def close(self) -> None:
        """See Body."""
        self._reader.close()


class Tiers:
    """The tiers of one server process. `refresh()` belongs after every connect to the keeper, which makes them."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        edge = settings.edge
        self.records = RecordStore(settings.edge_data / "records", shares(edge.disk).records)
        self._bodies = BodyStore(settings.edge_data)
        self.memory: MemoryTier[object] = MemoryTier(edge.memory)
        """Answers, bodies and, by the lane, prepared replies: one bound for all of them."""
        self._largest = min(edge.memory_object, edge.memory)
        self._epochs_file = settings.edge_data / "epochs"
        self._epochs: Epochs | None = None
        self._clock = clock
        self._used: dict[str, int] = {}
        self._hits: dict[str, link.Hits] = {}
        self._tallies: list[Tally] = []

    def refresh(self) -> None:
        """Open what a keeper has made anew."""
        self.records.reopen_if_replaced()
        if self._epochs is None or self._epochs.replaced:
            if self._epochs is not None:
                self._epochs.close()
            self._epochs = Epochs.read(self._epochs_file)
            self.memory.clear()

    def usable(self, site: Site, asset: AssetRecord, demand: Demand = NONE) -> bool:
        """Whether a stored asset may be used without asking anybody: fresh enough, not purged, its site not unsure."""
        return will_do(asset, demand, self._clock()) and not self.purged(asset.epoch, ground(site, asset))

    def purged(self, epoch: int, at: Ground) -> bool:
        """Whether what was stored in `epoch` may have changed since."""
        epochs, (slots, at_bucket) = self._epochs, at
        return epochs is None or (at_bucket and not epochs.settled) or epochs.at(slots) != epoch

    @property
    def changes(self) -> int:
        """A number that differs whenever something may have been purged since, or be purged no more."""
        return -1 if self._epochs is None else self._epochs.changes

    def recall(self, asset: bytes, wish: Wish) -> Remembered | None:
        """What memory has for a wish, usable or not."""
        answer = self.memory.get(_memory_key(asset, wish))
        if isinstance(answer, Provisional):
            answer = answer.answer if self._clock() < answer.until else None
        if not isinstance(answer, Answer):
            return None
        if answer.body is None:
            return Remembered(answer, None)
        data = self.memory.get(answer.body.key.encode())
        return Remembered(answer, Held(data)) if isinstance(data, bytes) else None

    def remember(self, asset: bytes, wish: Wish, answer: Answer) -> None:
        """Keep an answer in memory; its body is there or will be read from the disk."""
        if not answer.degraded:
            kept = Provisional(answer, self._clock() + LOOKED_AGAIN) if answer.final_at else answer
            self.memory.put(_memory_key(asset, wish), kept, _ANSWER_SIZE + len(asset))

    async def open(self, ref: BodyRef) -> Body:
        """A stored body: from memory, read into it, or to be streamed if it is too large for that.

        Raises FileNotFoundError where it is not there (any more), and Damaged.
        """
        held = self.memory.get(ref.key.encode())
        if isinstance(held, bytes):
            return Held(held)
        reader = self._bodies.open(ref)
        if reader is None:
            raise FileNotFoundError(ref.key)
        if ref.length > self._largest:
            return OnDisk(reader)
        with reader:
            data = reader.read() if ref.length <= INLINE else await asyncio.to_thread(reader.read)
        self.memory.put(ref.key.encode(), data, len(data))
        return Held(data)

    def find(self, key: str) -> Body | None:
        """Whatever body is stored under a key on the disk: a slice, which is streamed."""
        reader = self._bodies.find(key)
        if reader is None:
            return None
        self._use(key)
        return OnDisk(reader)

    # What the keeper is told.

    def count(self, site: Site, tier: Literal["memory", "disk"], answer: Answer, times: int = 1) -> None:
        """Note hits."""
        hits = self._hits.get(site.name)
        if hits is None:
            hits = self._hits[site.name] = link.Hits()
        if tier == "memory":
            hits.memory += times
        else:
            hits.disk += times
        body, source = answer.body, answer.asset.source
        if body is not None:
            self._use(body.key, times)
            hits.spared += times * answer.spared
            if body is not source and source is not None:
                hits.saved += times * max(0, source.length - body.length)

    def count_later(self, tally: Tally) -> None:
        """Have a tally's hits counted with the next report."""
        self._tallies.append(tally)

    def _use(self, key: str, times: int = 1) -> None:
        self._used[key] = self._used.get(key, 0) + times

    def report(self) -> link.Report | None:
        """What was noted since the last report."""
        tallies, self._tallies = self._tallies, []
        for tally in tallies:
            times, tally.hits = tally.hits, 0
            self.count(tally.site, "memory", tally.answer, times)
        if not self._hits:
            return None
        report = link.Report(self._used, self._hits)
        self._used, self._hits = {}, {}
        return report

    def close(self) -> None:
        """Close the stores."""
        self.records.close()
        if self._epochs is not None:
            self._epochs.close()


class Ground(NamedTuple):
    """What a stored asset stands on, beside its lifetime."""

    slots: Slots
    """Where the epochs of its source are."""
    at_bucket: bool
    """Whether it counts only once the feed has been read."""


def ground(site: Site, asset: AssetRecord) -> Ground:
    """What an asset of a site stands on."""
    return _ground(site, asset.path, asset.groups)


@lru_cache(maxsize=16_384)
def _ground(site: Site, path: str, groups: tuple[str, ...]) -> Ground:
    return Ground(slots(purge_subject(site, path, groups)), site.at_bucket)


def _memory_key(asset: bytes, wish: Wish) -> bytes:
    return b"\0".join((asset, wish.variant.canonical().encode(), wish.accept.key.encode()))
