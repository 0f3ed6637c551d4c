"""Requests of transparent sites: each goes upstream as it is, unless something stored answers it.

The rule of this file: what RFC 9111 says about a request and its answer is decided in edge.policy, and stored by the
same Assets as everything else. Requests with the same method and headers share a flight; any difference may matter to
the upstream, so nothing else is shared before Vary (RFC 9111 §4.1) has said what does not.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from edge.cache.entry import AssetRecord, name_hash
from edge.cache.records import RecordStore
from edge.cache.subjects import asset_key
from edge.keeper import link
from edge.keeper.fill import Assets
from edge.keeper.flights import Flights, StreamFlight
from edge.keeper.landing import Aim, Landed, Lines, SourceFlight
from edge.keeper.partial import Completed, Partials
from edge.keeper.purge import Purger
from edge.keeper.selection import stored_key
from edge.keeper.upstreams import Upstreams
from edge.policy.demand import demand
from edge.policy.freshness import explicit_freshness
from edge.policy.hygiene import passed_lines, passed_request
from edge.policy.invalidation import invalidated_groups, invalidates, same_resource, targets
from edge.policy.partial import asks_for_all, held, joined
from edge.policy.reasons import Detail, Forward
from edge.policy.sites import Site
from edge.policy.stale import may_be_stale
from edge.policy.storing import not_storable
from edge.policy.validation import CONDITIONAL, Verdict, head_verdict
from edge.policy.vary import selecting_fields, selection
from edge.upstream.http import UpstreamAnswer, UpstreamFailed
from edge.upstream.interim import hearing
from wire.fields import combine


@dataclass(frozen=True, slots=True)
class Passage:
    """One request on its way, and where it is going."""

    aim: Aim
    passed: link.Passed

    @property
    def site(self) -> Site:
        """The site."""
        return self.aim.site

    @property
    def path(self) -> str:
        """The source's name within the site."""
        return self.aim.path

    @property
    def reads(self) -> bool:
        """Whether its answer may be stored whatever else it says (RFC 9110 §9.3.1)."""
        return self.passed.method == "GET"


class Passing:
    """The requests of transparent sites that are under way on this node."""

    def __init__(
        self,
        *,
        assets: Assets,
        upstreams: Upstreams,
        records: RecordStore,
        purger: Purger,
        partials: Partials,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._assets = assets
        self._upstreams = upstreams
        self._records = records
        self._purger = purger
        self._clock = clock
        self._partials = partials
        self._numbers = itertools.count()
        self._flights: Flights[tuple[bytes, int, str], SourceFlight] = Flights()

    def join(self, site: Site, path: str, passed: link.Passed, *, alone: bool = False) -> tuple[SourceFlight, bool]:
        """The flight of a request, and whether it was under way already; never so for `alone`, or unsafe methods."""
        aim = self._assets.aim(site, path, stored_key(self._records, site, path, passed.headers))
        passage = Passage(aim, passed)
        shared = passage.reads and not alone and not passed.body
        same = name_hash(*itertools.chain(*sorted(passed.headers.items()))) if shared else str(next(self._numbers))
        return self._flights.join((aim.key, aim.epoch, same), lambda: self._take_off(passage))

    async def close(self) -> None:
        """End every flight."""
        await self._flights.close()
        await self._partials.close()

    def part(self, site: Site, path: str, passed: link.Passed) -> AssetRecord | None:
        """A stored part that answers a request for one."""
        if passed.method != "GET":
            return None
        return self._partials.usable(site, path, passed.headers, demand(site.behaviour, passed.headers))

    # One flight, top to bottom.

    def _take_off(self, passage: Passage) -> SourceFlight:
        flight: SourceFlight = StreamFlight()
        flight.take_off(self._fly(flight, passage))
        return flight

    async def _fly(self, flight: SourceFlight, passage: Passage) -> Landed:
        def interim(status: int, lines: Lines) -> None:
            if flight.hear is not None and not flight.announced:
                flight.hear(status, passed_lines(lines))

        with hearing(interim):
            return await self._answered(flight, passage)

    async def _answered(self, flight: SourceFlight, passage: Passage) -> Landed:
        old = self._assets.stored(passage.aim.key) if passage.passed.method in ("GET", "HEAD") else None
        validators = self._assets.conditions(passage.site, old) if passage.reads else {}
        if old is None and passage.reads and asks_for_all(passage.passed.headers):
            completed = await self._complete(flight, passage)
            if completed is not None:
                return completed
        landed = await self._ask(flight, passage, old, validators or None)
        if landed is None:
            landed = await self._ask(flight, passage, old, {})
        assert landed is not None, "a 304 came to a question without conditions"
        return landed

    async def _complete(self, flight: SourceFlight, passage: Passage) -> Landed | None:
        """Ask for what is missing of a stored part; None where there is none, or it is of no use any more."""
        site, path = passage.site, passage.path
        begun = self._partials.begun(site, path)
        opened = None if begun is None else self._partials.reader(site, path)
        if begun is None or opened is None:
            return None
        part, rest = begun
        asked = self._clock()
        with opened[1] as before:
            async with self._upstreams.ask(site, path, passed_request(passage.passed.headers) | rest) as answer:
                headers = combine(answer.headers.items())
                if answer.status == 206 and (both := joined(part.headers, headers)) is not None and both.whole:
                    whole = Completed(before, answer, both.size)
                    landed = await self._taken(flight, passage, None, whole, asked)
                    self._partials.forget(site, path)
                    return replace(landed, forward=Forward.PARTIAL, fwd_status=206)
                self._partials.forget(site, path)
                return await self._taken(flight, passage, None, answer, asked) if answer.status == 200 else None

    async def _ask(
        self, flight: SourceFlight, passage: Passage, old: AssetRecord | None, validators: Mapping[str, str] | None
    ) -> Landed | None:
        """Ask once, with our own conditions (None: with the client's); None where another answer is confirmed."""
        site, path, passed = passage.site, passage.path, passage.passed
        forgiven = demand(site.behaviour, passed.headers).stale_if_error
        asked = self._clock()
        try:
            async with self._upstreams.ask(
                site, path, _headers(passed, validators), method=passed.method, body=passed.body
            ) as answer:
                status = answer.status
                if status == 304 and old is not None and validators:
                    return await self._assets.confirmed(passage.aim, old, answer, asked)
                if status >= 500 and old is not None and self._stands_in(site, old, old.failing, forgiven):
                    return Landed(old, Forward.STALE, status, detail=Detail.STALE)
                return await self._taken(flight, passage, old, answer, asked)
        except UpstreamFailed:
            if old is not None and not flight.announced and self._stands_in(site, old, old.away, forgiven):
                return Landed(old, Forward.STALE, None, detail=Detail.STALE)
            raise

    async def _taken(
        self, flight: SourceFlight, passage: Passage, old: AssetRecord | None, answer: UpstreamAnswer, asked: float
    ) -> Landed:
        """An answer with a body of its own: what it ends, and where it is kept."""
        site, passed, status = passage.site, passage.passed, answer.status
        headers = combine(answer.headers.items())
        if passed.method == "HEAD" and old is not None:
            await self._compare(passage, old, status, headers)
        if invalidates(passed.method, status):
            passage = await self._invalidate(passage, headers)
        before = None
        if self._is_part(passage, answer, headers):
            refusal = self._refusal(passage, 200, headers)
            passage = replace(passage, aim=replace(passage.aim, key=self._partials.key(site, passage.path)))
            before = self._partials.reader(site, passage.path)
        else:
            refusal = self._refusal(passage, status, headers)
            if refusal is None:
                passage = self._varied(passage, headers)
        draft = self._assets.draft(passage.aim, answer, asked)
        try:
            record = await self._assets.take(flight, site, draft, answer, refusal)
        except BaseException:
            if before is not None:
                before[1].close()
            raise
        self._partials.join(site, before, record)
        forward = Forward.URI_MISS if old is None else Forward.STALE
        return Landed(record, forward, status, stored=record.source is not None)

    def _is_part(self, passage: Passage, answer: UpstreamAnswer, headers: Mapping[str, str]) -> bool:
        """Whether an answer is a part that may be stored as one; those that vary are not."""
        has = held(headers) if passage.reads and answer.status == 206 and "vary" not in headers else None
        return has is not None and answer.length == has.part.length

    def _stands_in(self, site: Site, old: AssetRecord, until: float, forgiven: float) -> bool:
        """Whether an old answer may be given for a failing upstream, which its client may ask for (RFC 5861 §4)."""
        if forgiven and may_be_stale(old.headers):
            until = max(until, old.edge_expires + forgiven)
        return self._assets.may_stand_in(site, old, until)

    def _refusal(self, passage: Passage, status: int, headers: Mapping[str, str]) -> Detail | None:
        """Why the answer must not be stored: as a GET's it may, and as a POST's that says what a GET would get."""
        passed = passage.passed
        answers_get = passage.reads or (
            passed.method == "POST"  # RFC 9110 §9.3.3
            and status == 200
            and explicit_freshness(headers, 0) is not None
            and "content-location" in headers
            and same_resource(*_url(passage), headers["content-location"])
        )
        if not answers_get:
            return Detail.UNCACHEABLE
        if not demand(passage.site.behaviour, passed.headers).store:
            return Detail.NO_STORE
        return not_storable(status, headers, passage.site.behaviour, authorized="authorization" in passed.headers)

    def _varied(self, passage: Passage, headers: Mapping[str, str]) -> Passage:
        """The passage under the key that the answer's Vary asks for (RFC 9111 §4.1)."""
        fields = selecting_fields(headers)
        self._records.put_vary(asset_key(passage.site, passage.path), fields)
        selected = selection(fields, passage.passed.headers) if fields else None
        return replace(passage, aim=replace(passage.aim, key=asset_key(passage.site, passage.path, selected)))

    # What an answer means for what is stored, before anybody hears of it.

    async def _compare(self, passage: Passage, old: AssetRecord, status: int, headers: Mapping[str, str]) -> None:
        """A HEAD confirms what is stored, or shows that it has changed (RFC 9111 §4.3.5)."""
        length = old.length
        match head_verdict(status, old.headers, length, headers):
            case Verdict.CONFIRMED:
                record = self._assets.freshened(passage.aim, old, headers, self._clock())
                self._records.put_asset(record)
            case Verdict.CHANGED:
                await self._purger.purge_url(passage.site, passage.path)

    async def _invalidate(self, passage: Passage, headers: Mapping[str, str]) -> Passage:
        """An unsafe request has changed something (RFC 9111 §4.4, RFC 9875 §3); the passage as of then."""
        site = passage.site
        prefix = urlsplit(site.upstream or "").path
        for target in targets(*_url(passage), headers):
            if target.startswith(prefix):
                await self._purger.purge_url(site, target.removeprefix(prefix) or "/")
        groups = invalidated_groups(passage.passed.method, headers)
        if groups:
            await self._purger.purge_groups(site, groups)
        return replace(passage, aim=self._assets.aim(site, passage.path, passage.aim.key))


def _headers(passed: link.Passed, validators: Mapping[str, str] | None) -> dict[str, str]:
    """The request's headers as the upstream gets them; where we ask about our own, the client's conditions wait."""
    headers = passed_request(passed.headers)
    if validators is None:
        return headers
    return {name: value for name, value in headers.items() if name not in CONDITIONAL} | dict(validators)


def _url(passage: Passage) -> tuple[str, str, str]:
    """Scheme, host and target of the request as its upstream knows them."""
    parts = urlsplit(passage.site.upstream or "")
    return parts.scheme, passage.site.upstream_host or parts.netloc, passage.site.source_target(passage.path)
