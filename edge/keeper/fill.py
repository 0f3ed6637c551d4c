"""Filling an asset: ask the upstream, keep what may be kept, and say what it is.

The rule of this file: one flight for each (asset, epoch). The epoch is read before the upstream is asked and goes
into the record, so that a purge which races the fill leaves nothing usable behind. A body is stored whole or not at
all; an answer that may not be shared is handed to the first waiter, and the others ask for themselves.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

import msgspec
from blake3 import blake3

from conf.schema import Settings
from edge.cache.entry import AssetRecord, source_id, source_key
from edge.cache.epochs import HARD, Epochs, is_gone
from edge.cache.files import BODY_OFFSET, BodyStore, BodyWriter, NoSpace, WrongLength
from edge.cache.records import RecordStore
from edge.cache.slices import Slices
from edge.cache.subjects import asset_key, purge_subject
from edge.keeper.flights import Flights, StreamFlight
from edge.keeper.landing import Aim, Landed, Opening, SourceFlight, Unshared
from edge.keeper.metrics import Metrics
from edge.keeper.probes import Probes
from edge.keeper.purge import Purger
from edge.keeper.record import conditions, drafted, freshened, identified
from edge.keeper.selection import facts_of, will_do
from edge.keeper.trouble import NoRoom, SourceGone
from edge.keeper.upstreams import Upstreams
from edge.policy.demand import NONE, Demand
from edge.policy.freshness import Lifetimes
from edge.policy.hygiene import once_headers
from edge.policy.plan import AssetFacts, renderable
from edge.policy.reasons import Detail, Forward
from edge.policy.sites import Site
from edge.policy.slicing import is_sliced
from edge.policy.sniff import LOOKED_AT, by_content, worth_a_look
from edge.policy.storing import not_storable
from edge.policy.validation import about_another
from edge.upstream.http import UpstreamAnswer, UpstreamFailed
from wire.fields import combine

UNSHARED_MEMORY = 30.0  # seconds for which an asset whose answer may not be shared is asked for without a flight
_UNSHARED_LIMIT = 10_000


class Assets:
    """The assets of a node: which are usable, and the flights that fetch the others."""

    def __init__(
        self,
        settings: Settings,
        *,
        upstreams: Upstreams,
        records: RecordStore,
        bodies: BodyStore,
        epochs: Epochs,
        probes: Probes,
        purger: Purger,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._edge = settings.edge
        self._purger = purger
        self._upstreams = upstreams
        self._records = records
        self._bodies = bodies
        self._epochs = epochs
        self._probes = probes
        self._metrics = metrics
        self._clock = clock
        self._flights: Flights[tuple[bytes, int], SourceFlight] = Flights()
        self._unshared: dict[bytes, tuple[float, Detail]] = {}

    def take_over(self, settings: Settings) -> None:
        """Go on with new settings."""
        self._edge = settings.edge

    def usable(self, site: Site, key: bytes, demand: Demand = NONE) -> AssetRecord | None:
        """The stored record, if it may be used without asking anybody."""
        record = self._records.get_asset(key)
        if record is None or not will_do(record, demand, self._clock()) or not self.current(site, record):
            return None
        return record if record.epoch == self._epoch_of(site, record) else None

    def refreshing(self, site: Site, key: bytes) -> AssetRecord | None:
        """The stored record, if it may be used while it is revalidated (RFC 5861 §3).

        What was purged softly is stale from then on, and has the window that its upstream gave it, if any.
        """
        record = self._records.get_asset(key)
        if record is None or record.refreshing <= max(self._clock(), record.edge_expires):
            return None
        return record if self.current(site, record) else None

    def aim(self, site: Site, path: str, key: bytes | None = None) -> Aim:
        """What to note before the upstream is asked; `key` where it is not the path's own."""
        key = asset_key(site, path) if key is None else key
        return Aim(site, path, key, self._epochs.current(purge_subject(site, path)), self._epochs.moment)

    def join(self, site: Site, path: str) -> tuple[SourceFlight, bool]:
        """The flight that fetches or revalidates an asset, and whether it was under way already."""
        aim = self.aim(site, path)
        return self._flights.join((aim.key, aim.epoch), lambda: self._take_off(aim))

    def is_unshared(self, site: Site, path: str) -> bool:
        """Whether the last answer for this asset could not be shared, so that waiting for a flight is in vain."""
        until, _ = self._unshared.get(asset_key(site, path), (0.0, None))
        return self._clock() < until

    @asynccontextmanager
    async def alone(self, site: Site, path: str) -> AsyncIterator[Unshared]:
        """Ask the upstream for one client alone. Raises UpstreamFailed."""
        aim, asked = self.aim(site, path), self._clock()
        async with self._upstreams.ask(site, path, {}) as answer:
            _, known = self._unshared.get(aim.key, (0.0, Detail.UNCACHEABLE))
            detail = not_storable(answer.status, combine(answer.headers.items()), site.behaviour) or known
            draft = await _typed(site, self.draft(aim, answer, asked), answer)
            yield Unshared(draft, answer, detail)

    def forget(self, record: AssetRecord) -> None:
        """The body of a record is gone or damaged: fetch it anew."""
        self._records.discard_asset(record.key)

    def amend(self, record: AssetRecord, problem: Detail) -> AssetRecord:
        """Note why an asset cannot be rendered after all, so that nobody tries again."""
        facts = msgspec.structs.replace(facts_of(record), problem=problem)
        record = msgspec.structs.replace(record, facts=msgspec.to_builtins(facts))
        self._records.put_asset(record)
        return record

    async def close(self) -> None:
        """End every flight."""
        await self._flights.close()

    # One flight, top to bottom.

    def _take_off(self, aim: Aim) -> SourceFlight:
        flight: SourceFlight = StreamFlight()
        flight.take_off(self._fly(flight, aim))
        return flight

    async def _fly(self, flight: SourceFlight, aim: Aim) -> Landed:
        old = self.stored(aim.key)
        landed = await self._ask(flight, aim, old, self.conditions(aim.site, old))
        if landed is None:
            landed = await self._ask(flight, aim, old, {})
        assert landed is not None, "a 304 came to a question without conditions"
        return landed

    async def _ask(
        self, flight: SourceFlight, aim: Aim, old: AssetRecord | None, validators: Mapping[str, str]
    ) -> Landed | None:
        """Ask once; None where the upstream confirms something else than what is stored."""
        site = aim.site
        forward = Forward.URI_MISS if old is None else Forward.STALE
        asked = self._clock()
        try:
            async with self._upstreams.ask(site, aim.path, validators) as answer:
                status = answer.status
                if status == 304 and old is not None:
                    return await self.confirmed(aim, old, answer, asked)
                if status >= 500 and old is not None and self.may_stand_in(site, old, old.failing):
                    return Landed(old, Forward.STALE, status, detail=Detail.STALE)
                draft = self.draft(aim, answer, asked)
                if site.behaviour.hides_errors and status != 200:
                    self._records.put_asset(draft)
                    return Landed(draft, forward, status, stored=True, detail=Detail.NEGATIVE)
                refusal = not_storable(status, combine(answer.headers.items()), site.behaviour)
                if refusal is None and (cut := self._cut(site, draft, answer)) is not None:
                    self._records.put_asset(cut)
                    return Landed(cut, forward, status, stored=True)
                record = await self.take(flight, site, draft, answer, refusal)
        except UpstreamFailed as failed:
            self._metrics.fills.labels(site.name, failed.detail).inc()
            if old is not None and not flight.announced and self.may_stand_in(site, old, old.away):
                return Landed(old, Forward.STALE, None, detail=Detail.STALE)
            raise
        if record.source is None:
            return Landed(record, forward, status)
        return Landed(await self._probed(site, record), forward, status, stored=True)

    def _cut(self, site: Site, draft: AssetRecord, answer: UpstreamAnswer) -> AssetRecord | None:
        """The record of a source that is fetched slice by slice; None where it is fetched whole."""
        said, length = draft.content_type or "", answer.length
        headers = combine(answer.headers.items())
        if length is None or not is_sliced(site, self._edge, draft.status, said, headers, length):
            return None
        try:
            self._bodies.create(self._edge.slice).abort()
        except (NoSpace, OSError):  # then it is relayed
            return None
        problem = Detail.TOO_LARGE if site.behaviour.renders and renderable(said) else None
        facts = AssetFacts(content_type=said, size=length, no_transform=draft.no_transform, problem=problem)
        slices = Slices(length, self._edge.slice)
        return msgspec.structs.replace(draft, slices=slices, facts=msgspec.to_builtins(facts))

    async def confirmed(self, aim: Aim, old: AssetRecord, answer: UpstreamAnswer, asked: float) -> Landed | None:
        """The stored body is still what the upstream has; None where it speaks of another (RFC 9111 §4.3.4)."""
        headers = combine(answer.headers.items())
        if about_another(old.upstream_etag, headers):
            return None
        self._metrics.fills.labels(aim.site.name, "revalidated").inc()
        record = self.freshened(aim, old, headers, asked)
        self._records.put_asset(record)
        return Landed(await self._probed(aim.site, record), Forward.STALE, 304, stored=True)

    def freshened(self, aim: Aim, old: AssetRecord, headers: Mapping[str, str], asked: float) -> AssetRecord:
        """The stored record as the headers of a validation make it."""
        lifetimes = Lifetimes.of(aim.site, self._edge)
        record = freshened(old, aim.site, lifetimes, aim.epoch, headers, asked=asked, answered=self._clock())
        return self._in_groups(aim, record)

    async def take(
        self, flight: SourceFlight, site: Site, draft: AssetRecord, answer: UpstreamAnswer, refusal: Detail | None
    ) -> AssetRecord:
        """Store the body, or hand the answer to one waiter where it may not (`refusal`) or cannot be kept."""
        once = once_headers(site, answer.headers.items())
        draft = await _typed(site, draft, answer)
        if refusal is None:
            try:
                with self._bodies.create(answer.length) as writer:
                    flight.announce(Opening(draft, writer.path, BODY_OFFSET, answer.length, once, answer.completes))
                    return await self._store(flight, draft, answer, writer)
            except WrongLength as error:
                raise UpstreamFailed(Detail.UPSTREAM_TRUNCATED, f"the upstream sent {error}") from None
            except (NoSpace, OSError) as error:
                self._metrics.refusals.inc()
                if flight.announced:
                    raise NoRoom(f"the body could not be stored: {error}") from None
                refusal = Detail.DISK_FULL
        unshared = Unshared(draft, answer, refusal, once)
        self._remember_unshared(draft.key, refusal)
        flight.announce(unshared)
        await unshared.done()
        return draft

    async def _store(
        self, flight: SourceFlight, draft: AssetRecord, answer: UpstreamAnswer, writer: BodyWriter
    ) -> AssetRecord:
        """Write the body, telling who waits; of its end they learn when it is stored and will be found."""
        digest = blake3()
        async for block in answer.blocks():
            writer.write(block)
            if not draft.source_id:
                digest.update(block)
            if writer.written != answer.length:
                flight.grew(writer.written)
        if not draft.source_id:
            draft = identified(draft, source_id(None, draft.key, digest.hexdigest()))
        record = msgspec.structs.replace(draft, source=writer.commit(source_key(draft.source_id)))
        self._records.put_asset(record)
        if not self._purger.stands(record):
            self._purger.overtaken(record)
        flight.grew(writer.written)
        self._metrics.fills.labels(draft.site, "stored").inc()
        self._metrics.fill_bytes.labels(draft.site).inc(writer.written)
        return record

    async def _probed(self, site: Site, record: AssetRecord) -> AssetRecord:
        """The record with what its body is, where that matters."""
        if record.status == 200 and site.behaviour.renders and record.facts is None:
            with suppress(SourceGone):  # then whoever waits fetches it again
                return await self._probes.join(record).task
        return record

    def draft(self, aim: Aim, answer: UpstreamAnswer, asked: float) -> AssetRecord:
        """The record of an answer whose body has not come yet."""
        headers = combine(answer.headers.items())
        lifetimes = Lifetimes.of(aim.site, self._edge)
        record = drafted(
            aim.site,
            lifetimes,
            aim.path,
            aim.key,
            aim.epoch,
            answer.status,
            headers,
            asked=asked,
            answered=self._clock(),
        )
        return self._in_groups(aim, record)

    def _in_groups(self, aim: Aim, record: AssetRecord) -> AssetRecord:
        """The record with the epochs of its cache groups added, which nobody knew when its own was noted.

        One of a group that was invalidated meanwhile is of an epoch before that.
        """
        if not record.groups:
            return record
        alone, grouped = purge_subject(aim.site, aim.path), purge_subject(aim.site, aim.path, record.groups)
        added = self._epochs.current(grouped) - self._epochs.current(alone)
        if self._epochs.moved(grouped.marks, aim.moment):
            added -= HARD
        return msgspec.structs.replace(record, epoch=(record.epoch + added) % 2**64)

    # What is stored, and whether it counts.

    def conditions(self, site: Site, old: AssetRecord | None) -> dict[str, str]:
        """The validators to ask about a stored answer with."""
        return conditions(old, current=old is not None and self.current(site, old))

    def stored(self, key: bytes) -> AssetRecord | None:
        """The stored record, whatever its age, if its body is there."""
        record = self._records.get_asset(key)
        if record is None or record.slices is not None:
            return record
        if record.source is None:
            return None
        reader = self._bodies.open(record.source)
        if reader is None:
            return None
        reader.close()
        return record

    def current(self, site: Site, record: AssetRecord) -> bool:
        """Whether the record has not been purged, but softly, and cannot have changed unseen since it was made."""
        if site.at_bucket and not self._epochs.settled:
            return False
        return not is_gone(record.epoch, self._epoch_of(site, record))

    def _epoch_of(self, site: Site, record: AssetRecord) -> int:
        """The epoch that the record would get now."""
        return self._epochs.current(purge_subject(site, record.path, record.groups))

    def may_stand_in(self, site: Site, old: AssetRecord, until: float) -> bool:
        """Whether an old answer may be given for a failing upstream: `until` is the end of its window for that.

        An error never stands in for another: nobody is better off with the older one.
        """
        return old.status < 500 and self.current(site, old) and self._clock() < until

    def _remember_unshared(self, key: bytes, detail: Detail) -> None:
        if len(self._unshared) >= _UNSHARED_LIMIT:
            self._unshared.clear()
        self._unshared[key] = (self._clock() + UNSHARED_MEMORY, detail)


async def _typed(site: Site, draft: AssetRecord, answer: UpstreamAnswer) -> AssetRecord:
    """The record with the type that the first bytes show, where that matters. Raises UpstreamFailed."""
    said = draft.content_type or ""
    if not site.behaviour.renders or draft.status != 200 or "content-encoding" in draft.headers:
        return draft
    if not worth_a_look(said):
        return draft
    return msgspec.structs.replace(draft, content_type=by_content(said, await answer.peek(LOOKED_AT)))
