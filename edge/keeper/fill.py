"""Filling an asset: ask the upstream, keep what may be kept, and say what it is.

The rule of this file: one flight for each (asset, epoch). The epoch is read before the upstream is asked and goes
into the record, so that a purge which races the fill leaves nothing usable behind. A body is stored whole or not at
all; an answer that may not be shared is handed to the first waiter, and the others ask for themselves.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import msgspec
import structlog
from blake3 import blake3

from conf.schema import Settings
from edge.cache.entry import AssetRecord, BodyRef, name_hash, source_id, source_key
from edge.cache.epochs import Epochs
from edge.cache.files import BODY_OFFSET, BodyStore, BodyWriter, NoSpace
from edge.cache.records import RecordStore
from edge.cache.subjects import asset_key, purge_subject
from edge.keeper.breaker import Breakers
from edge.keeper.flights import Flights, StreamFlight
from edge.keeper.metrics import Metrics
from edge.policy import freshness
from edge.policy.hygiene import effective_type, stored_headers
from edge.policy.plan import AssetFacts, renderable
from edge.policy.reasons import DETAILS, Detail, Forward
from edge.policy.sites import Site
from edge.render.colour import Profile
from edge.render.errors import RenderError
from edge.render.pool import RendererPool, SourceRef
from edge.upstream.bucket import IDENTITY_HEADER
from edge.upstream.http import UpstreamAnswer, UpstreamFailed
from edge.upstream.source import Source
from wire.dates import parse_http_date
from wire.etags import parse_etag
from wire.fields import combine, parse_cache_control

UNSHARED_MEMORY = 120.0  # seconds for which an asset whose answer may not be shared is asked for without a flight
_UNSHARED_LIMIT = 10_000
_CLAIM_WAIT = 1.0  # seconds that an answer which may not be shared waits for somebody to take it

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Landed:
    """How a source's flight ended: with a record that may be used now."""

    record: AssetRecord
    forward: Forward
    fwd_status: int | None
    stored: bool = False
    detail: Detail | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """A source whose body has begun to arrive: the record as far as it is known, and the file that grows."""

    draft: AssetRecord
    path: Path
    offset: int
    length: int | None


class Unshared:
    """An answer that may not be shared: whoever takes it first has it to himself."""

    def __init__(self, draft: AssetRecord, answer: UpstreamAnswer, detail: Detail) -> None:
        self.draft = draft
        self.answer = answer
        self.detail = detail
        self._taken = asyncio.Event()
        self._released = asyncio.Event()

    def take(self) -> bool:
        """Whether the answer is the caller's now, who must release it."""
        if self._taken.is_set():
            return False
        self._taken.set()
        return True

    def release(self) -> None:
        """The answer is not read any more."""
        self._released.set()

    async def done(self) -> None:
        """Wait until whoever took it has released it; if nobody takes it, not for long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLAIM_WAIT):
                await self._taken.wait()
        if self.take():
            return
        await self._released.wait()


SourceHead: TypeAlias = Opening | Unshared
SourceFlight: TypeAlias = StreamFlight[SourceHead, Landed]


class Assets:
    """The assets of a node: which are usable, and the flights that fetch the others."""

    def __init__(
        self,
        settings: Settings,
        *,
        sources: Callable[[Site], Source],
        records: RecordStore,
        bodies: BodyStore,
        epochs: Epochs,
        breakers: Breakers,
        renderers: RendererPool,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._sources = sources
        self._records = records
        self._bodies = bodies
        self._epochs = epochs
        self._breakers = breakers
        self._renderers = renderers
        self._metrics = metrics
        self._clock = clock
        self._flights: Flights[tuple[bytes, int], SourceFlight] = Flights()
        self._unshared: dict[bytes, float] = {}

    def usable(self, site: Site, path: str) -> AssetRecord | None:
        """The stored record, if it may be used without asking anybody."""
        record = self._records.get_asset(asset_key(site, path))
        if record is None or record.edge_expires <= self._clock() or not self._current(site, record):
            return None
        return record

    def join(self, site: Site, path: str) -> tuple[SourceFlight, bool]:
        """The flight that fetches or revalidates an asset, and whether it was under way already."""
        key = asset_key(site, path)
        epoch = self._epochs.current(purge_subject(site, path))
        return self._flights.join((key, epoch), lambda: self._take_off(site, path, key, epoch))

    def is_unshared(self, site: Site, path: str) -> bool:
        """Whether the last answer for this asset could not be shared, so that waiting for a flight is in vain."""
        return self._unshared.get(asset_key(site, path), 0.0) > self._clock()

    @asynccontextmanager
    async def alone(self, site: Site, path: str) -> AsyncIterator[Unshared]:
        """Ask the upstream for one client alone. Raises UpstreamFailed."""
        key = asset_key(site, path)
        started = self._clock()
        async with self._ask(site, path, {}) as answer:
            draft = self._draft(site, path, key, 0, answer, started)
            detail = freshness.not_storable(answer.status, combine(answer.headers.items()))
            if detail is None:
                self._unshared.pop(key, None)
            yield Unshared(draft, answer, detail or Detail.UNCACHEABLE)

    def forget(self, record: AssetRecord) -> None:
        """The body of a record is gone or damaged: fetch it anew."""
        self._records.discard_asset(record.key)

    def amend(self, record: AssetRecord, problem: Detail) -> AssetRecord:
        """Note why an asset cannot be rendered after all, so that nobody tries again."""
        facts = msgspec.structs.replace(msgspec.convert(record.facts, AssetFacts), problem=problem)
        record = msgspec.structs.replace(record, facts=msgspec.to_builtins(facts))
        self._records.put_asset(record)
        return record

    async def close(self) -> None:
        """End every flight."""
        await self._flights.close()

    # One flight, top to bottom.

    def _take_off(self, site: Site, path: str, key: bytes, epoch: int) -> SourceFlight:
        flight: SourceFlight = StreamFlight()
        flight.take_off(self._fly(flight, site, path, key, epoch))
        return flight

    async def _fly(self, flight: SourceFlight, site: Site, path: str, key: bytes, epoch: int) -> Landed:
        old = self._stored(key)
        forward = Forward.URI_MISS if old is None else Forward.STALE
        started = self._clock()
        try:
            async with self._ask(site, path, _conditions(old, epoch)) as answer:
                if answer.status == 304 and old is not None:
                    record = self._freshened(old, site, epoch, answer, started)
                    return Landed(record, forward, 304, stored=True)
                await _refuse_what_is_no_answer(site, answer)
                if answer.status >= 500 and old is not None and self._may_be_stale(site, old):
                    return Landed(old, Forward.STALE, answer.status, detail=Detail.STALE)
                draft = self._draft(site, path, key, epoch, answer, started)
                if site.behaviour.hides_errors and answer.status != 200:
                    self._records.put_asset(draft)
                    return Landed(draft, forward, answer.status, stored=True, detail=Detail.NEGATIVE)
                record = await self._take(flight, draft, answer)
        except UpstreamFailed as failed:
            self._metrics.fills.labels(site.name, failed.detail).inc()
            if old is not None and self._may_be_stale(site, old):
                return Landed(old, Forward.STALE, None, detail=Detail.STALE)
            raise
        if record.status == 200 and site.behaviour.renders:
            record = await self._examine(record)
        if record.source is not None:
            self._records.put_asset(record)
        return Landed(record, forward, answer.status, stored=record.source is not None)

    async def _take(self, flight: SourceFlight, draft: AssetRecord, answer: UpstreamAnswer) -> AssetRecord:
        """Store the body, or hand the answer to one waiter where it may not or cannot be kept."""
        detail = freshness.not_storable(answer.status, combine(answer.headers.items()))
        if detail is None:
            try:
                with self._bodies.create(answer.length) as writer:
                    flight.announce(Opening(draft, writer.path, BODY_OFFSET, answer.length))
                    return await self._store(flight, draft, answer, writer)
            except NoSpace:
                self._metrics.refusals.inc()
                if flight.length:
                    raise UpstreamFailed(Detail.DISK_FULL, "the disk filled up while the body was stored") from None
                detail = Detail.DISK_FULL
        unshared = Unshared(draft, answer, detail)
        self._remember_unshared(draft.key)
        flight.announce(unshared)
        await unshared.done()
        return draft

    async def _store(
        self, flight: SourceFlight, draft: AssetRecord, answer: UpstreamAnswer, writer: BodyWriter
    ) -> AssetRecord:
        digest = blake3()
        async for block in answer.blocks():
            writer.write(block)
            if not draft.source_id:
                digest.update(block)
            flight.grew(len(block))
        self._metrics.fills.labels(draft.site, "stored").inc()
        self._metrics.fill_bytes.labels(draft.site).inc(flight.length)
        if not draft.source_id:
            draft = _identified(draft, source_id(None, draft.key, digest.hexdigest()))
        return msgspec.structs.replace(draft, source=writer.commit(source_key(draft.source_id)))

    async def _examine(self, record: AssetRecord) -> AssetRecord:
        """Add what a look into the body says."""
        assert record.source is not None, "only what is stored is examined"
        content_type = record.content_type or ""
        facts = AssetFacts(content_type=content_type, size=record.source.length, no_transform=record.no_transform)
        if renderable(content_type):
            if record.source.length > self._settings.edge.max_source:
                facts = msgspec.structs.replace(facts, problem=Detail.TOO_LARGE)
            else:
                facts = await self._probed(facts, record.source)
        return msgspec.structs.replace(record, facts=msgspec.to_builtins(facts))

    async def _probed(self, facts: AssetFacts, source: BodyRef) -> AssetFacts:
        reader = self._bodies.open(source)
        if reader is None:
            return msgspec.structs.replace(facts, problem=Detail.UNREADABLE)
        with reader:
            try:
                found = await self._renderers.probe(SourceRef(str(reader.path), BODY_OFFSET, source.length))
            except RenderError as error:
                return msgspec.structs.replace(facts, problem=error.reason)
        return msgspec.structs.replace(
            facts,
            format=found.format,
            width=found.width,
            height=found.height,
            pages=found.pages,
            has_alpha=found.has_alpha,
            orientation=found.orientation,
            has_profile=found.profile is not Profile.SRGB,
            palette=found.palette,
        )

    # What an upstream's answer becomes.

    @asynccontextmanager
    async def _ask(self, site: Site, path: str, headers: Mapping[str, str]) -> AsyncIterator[UpstreamAnswer]:
        """Ask the upstream behind its breaker. Raises UpstreamFailed."""
        host = site.upstream or "origin"
        if not self._breakers.allows(host):
            raise UpstreamFailed(Detail.UPSTREAM_BREAKER_OPEN, DETAILS[Detail.UPSTREAM_BREAKER_OPEN].meaning)
        try:
            async with self._sources(site).request("GET", site.source_target(path), headers) as answer:
                if answer.status >= 500:
                    self._breakers.failed(host)
                else:
                    self._breakers.succeeded(host)
                yield answer
        except UpstreamFailed:
            self._breakers.failed(host)
            raise

    def _draft(
        self, site: Site, path: str, key: bytes, epoch: int, answer: UpstreamAnswer, started: float
    ) -> AssetRecord:
        """The record of a new answer, as far as its head says it."""
        now = self._clock()
        headers = combine(answer.headers.items())
        status = 404 if site.behaviour.hides_errors and answer.status != 200 else answer.status
        tag = parse_etag(headers.get("etag", ""))
        identity = headers.get(IDENTITY_HEADER)
        modified = headers.get("last-modified")
        draft = AssetRecord(
            key=key,
            site=site.name,
            path=path,
            status=status,
            epoch=epoch,
            stored_at=now,
            edge_expires=now + self._lifetime(site, path, status, headers, started, now),
            identity=identity,
            upstream_etag=headers.get("etag"),
            last_modified=parse_http_date(modified, now) if modified else None,
            content_type=effective_type(headers.get("content-type"), path.partition("?")[0]),
            headers=stored_headers(site, headers),
            upstream_date=_date(headers, now),
            upstream_age=freshness.initial_age(headers, started, now),
            no_transform=freshness.forbids_transform(headers),
        )
        if identity is not None or (tag is not None and not tag.weak):
            draft = _identified(draft, source_id(identity, key, headers.get("etag", "")))
        return draft

    def _freshened(
        self, old: AssetRecord, site: Site, epoch: int, answer: UpstreamAnswer, started: float
    ) -> AssetRecord:
        """The stored record after a 304 (RFC 9111 §4.3.4)."""
        now = self._clock()
        validation = combine(answer.headers.items())
        headers = freshness.freshened(old.headers, stored_headers(site, validation))
        self._metrics.fills.labels(site.name, "revalidated").inc()
        record = msgspec.structs.replace(
            old,
            epoch=epoch,
            stored_at=now,
            edge_expires=now + self._lifetime(site, old.path, old.status, headers, started, now),
            headers=headers,
            upstream_date=_date(validation, now),
            upstream_age=freshness.initial_age(validation, started, now),
        )
        self._records.put_asset(record)
        return record

    def _lifetime(
        self, site: Site, path: str, status: int, headers: Mapping[str, str], started: float, now: float
    ) -> float:
        lifetimes = freshness.Lifetimes.of(site, self._settings.edge)
        return freshness.edge_lifetime(path.partition("?")[0], status, headers, lifetimes, started, now)

    # What is stored, and what it is still good for.

    def _stored(self, key: bytes) -> AssetRecord | None:
        """The stored record, whatever its age, if its body is there."""
        record = self._records.get_asset(key)
        if record is None or record.source is None:
            return None
        reader = self._bodies.open(record.source)
        if reader is None:
            return None
        reader.close()
        return record

    def _current(self, site: Site, record: AssetRecord) -> bool:
        """Whether nothing has been purged, or may have changed unseen, since the record was made."""
        if site.at_bucket and not self._epochs.settled:
            return False
        return record.epoch == self._epochs.current(purge_subject(site, record.path))

    def _may_be_stale(self, site: Site, old: AssetRecord) -> bool:
        """Whether an old answer may stand in for a failing upstream (RFC 9111 §4.2.4, §5.2.2.2, §5.2.2.8)."""
        if not self._current(site, old):
            return False
        directives = parse_cache_control(old.headers.get("cache-control"))
        lifetime = freshness.explicit_freshness(old.headers, old.stored_at)
        if lifetime is not None and old.upstream_age + self._clock() - old.stored_at < lifetime:
            return True  # fresh by the upstream's word: only the site wanted to ask again
        return not directives.keys() & {"must-revalidate", "proxy-revalidate", "s-maxage", "no-cache"}

    def _remember_unshared(self, key: bytes) -> None:
        if len(self._unshared) >= _UNSHARED_LIMIT:
            self._unshared.clear()
        self._unshared[key] = self._clock() + UNSHARED_MEMORY


def _identified(record: AssetRecord, source: str) -> AssetRecord:
    """The record with what names its bytes: the strong ETag of stored bytes is derived from that name."""
    return msgspec.structs.replace(record, source_id=source, etag=name_hash("etag", source)[:32])


def _conditions(old: AssetRecord | None, epoch: int) -> dict[str, str]:
    """The validators to ask with. What has been purged is only confirmed by a strong one."""
    if old is None:
        return {}
    tag = parse_etag(old.upstream_etag or "")
    if old.upstream_etag is not None and tag is not None and (not tag.weak or old.epoch == epoch):
        return {"If-None-Match": old.upstream_etag}
    if old.epoch == epoch and old.headers.get("last-modified"):
        return {"If-Modified-Since": old.headers["last-modified"]}
    return {}


def _date(headers: Mapping[str, str], now: float) -> float:
    """The upstream's Date, or now where it has none (RFC 9110 §6.6.1)."""
    date = parse_http_date(headers.get("date", ""), now)
    return now if date is None else float(date)


_MISSING = frozenset({400, 401, 403, 404, 410, 414})


async def _refuse_what_is_no_answer(site: Site, answer: UpstreamAnswer) -> None:
    """Raise UpstreamFailed for answers that say more about the upstream than about the asset."""
    status = answer.status
    if status in (206, 304) or status < 200:
        raise UpstreamFailed(Detail.UPSTREAM_ERROR, f"the upstream answered {status}, which was not asked for")
    if not site.behaviour.hides_errors:
        return
    if status == 403 and site.at_bucket and not await _is_access_denied(answer):
        raise UpstreamFailed(Detail.UPSTREAM_ERROR, "the origin does not accept the edge key")
    if status != 200 and status not in _MISSING:
        raise UpstreamFailed(Detail.UPSTREAM_ERROR, f"the upstream answered {status}")


async def _is_access_denied(answer: UpstreamAnswer) -> bool:
    """Whether a 403 of the origin is about the object: any other code is about our key or clock."""
    body = b""
    async for block in answer.blocks():
        body += block
        if len(body) > 4096:
            break
    if b"<Code>" in body and b"<Code>AccessDenied</Code>" not in body:
        log.error("the origin refuses the edge key", answer=body[:512].decode("utf-8", "replace"))
        return False
    return True
