"""One request at the keeper, top to bottom: the asset, then what of it this client gets, then where that is.

The rule of this file: a waiter watches and decides, the flights work. Each has its own deadline.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Protocol

import msgspec

from edge.cache.entry import AssetRecord, BodyRef, Representation
from edge.keeper import link
from edge.keeper.answer import Answer
from edge.keeper.first import first
from edge.keeper.flights import WaitedTooLong
from edge.keeper.landing import Lines, Opening, SourceFlight, Unshared
from edge.keeper.rooms import Present, Rooms
from edge.keeper.selection import (
    Selection,
    Unmade,
    Unprobed,
    Wish,
    carry_out,
    chosen_once,
    facts_of,
    may_be_coded,
    select,
    stored_key,
)
from edge.keeper.trouble import NoRoom, NotGiven, SourceGone
from edge.policy.demand import NONE, demand
from edge.policy.ladder import snapped
from edge.policy.nearest import nearest
from edge.policy.plan import AssetFacts, Plan, Refused, RenderPlan, decide, degraded, renderable, untouched, yielded
from edge.policy.reasons import DETAILS, CacheStatus, Detail, Forward
from edge.policy.validation import CONDITIONAL
from edge.render.errors import RenderError
from edge.upstream.http import UpstreamAnswer, UpstreamFailed

_FETCHES = 2  # how often a source is fetched for one waiter, where its body has gone meanwhile
_OF_THE_SOURCE = frozenset(
    {Detail.UNREADABLE, Detail.DAMAGED, Detail.TOO_MANY_PIXELS, Detail.TOO_MANY_FRAMES}
)  # what a rendering finds out about its source, whatever the plan; a smaller one may need less memory


_OF_THE_MOMENT = frozenset({Detail.QUEUE_FULL, Detail.TIMED_OUT, Detail.CRASHED})
"""What a rendering may be spared another time: a stored one of another size stands in."""


class Back(Protocol):
    """The way back to the client (edge.keeper.session.Exchange)."""

    def head(self, answer: Answer, status: CacheStatus, location: link.Location, once: Lines = ()) -> None: ...
    def interim(self, status: int, lines: Lines) -> None: ...
    def progress(self, length: int) -> None: ...
    def done(self, stored: BodyRef | None = None) -> None: ...
    async def relay(self, answer: UpstreamAnswer) -> None: ...


class Waiter:
    """One client's request for what the server processes do not have."""

    def __init__(self, rooms: Rooms, fill: link.Fill, back: Back) -> None:
        site = rooms.sites.named(fill.site)
        if site is None:
            raise NotGiven(404, CacheStatus(), "there is no such site")
        self._rooms = rooms
        self._site = site
        self._path = fill.path
        self._passed = fill.passed
        self._once: Lines = ()
        self._demand = NONE if fill.passed is None else demand(site.behaviour, fill.passed.headers)
        self._wish = Wish(fill.variant, fill.accept)
        self._fixed = fill.fixed
        self._snapped: str | None = None
        self._back = back
        self._deadline = asyncio.get_running_loop().time() + fill.wait
        self._status = CacheStatus()
        self._present = Present(rooms.records, rooms.bodies)

    async def run(self) -> None:
        """Answer, or raise NotGiven."""
        try:
            await self._run()
        except UpstreamFailed as failed:
            raise NotGiven(failed.status, replace(self._status, detail=failed.detail), str(failed)) from None
        except NoRoom as full:
            raise NotGiven(503, replace(self._status, detail=Detail.DISK_FULL), str(full)) from None
        except WaitedTooLong:
            raise NotGiven(504, self._status, "the answer was not ready in time") from None
        finally:
            self._count()

    async def _run(self) -> None:
        for _ in range(_FETCHES):
            asset = self._found() or await self._fetch()
            if asset is None:
                return None
            try:
                return self._give(await self._select(asset))
            except SourceGone:
                self._rooms.assets.forget(asset)
        raise NoRoom("the source could not be kept")

    def _count(self) -> None:
        metrics, name = self._rooms.metrics, self._site.name
        metrics.misses.labels(name, self._status.fwd or Forward.MISS).inc()
        if self._status.detail is Detail.STALE:
            metrics.stale.labels(name).inc()

    # The asset.

    def _found(self) -> AssetRecord | None:
        """The stored asset, if it may be used now; if only while it is revalidated, that begins."""
        passed, assets = self._passed, self._rooms.assets
        if passed is not None and passed.method not in ("GET", "HEAD"):
            return None
        headers = {} if passed is None else passed.headers
        key = stored_key(self._rooms.records, self._site, self._path, headers)
        asset = assets.usable(self._site, key, self._demand)
        if asset is not None:
            self._status = CacheStatus(fwd=Forward.VARY_MISS)
            return asset
        part = None if passed is None else self._rooms.passing.part(self._site, self._path, passed)
        if part is not None:
            self._status = CacheStatus(hit=True, ttl=int(part.edge_expires - time.time()))
            return part
        asset = assets.refreshing(self._site, key) if self._demand == NONE else None
        if asset is not None:
            self._status = CacheStatus(
                hit=True, ttl=min(0, int(asset.edge_expires - time.time())), detail=Detail.REFRESHING
            )
            self._join(background=True)
        return asset

    def _join(self, *, background: bool = False) -> tuple[SourceFlight, bool]:
        """The flight that this request is about; one in the background asks for what a GET gets."""
        if self._passed is None:
            return self._rooms.assets.join(self._site, self._path)
        passed = self._passed
        if background:
            headers = {name: value for name, value in passed.headers.items() if name not in CONDITIONAL}
            passed = link.Passed("GET", headers)
        return self._rooms.passing.join(self._site, self._path, passed)

    async def _fetch(self) -> AssetRecord | None:
        """The asset from its upstream; None where the client has been given its body as it came."""
        if self._passed is None and self._rooms.assets.is_unshared(self._site, self._path):
            await self._alone()
            return None
        self._status = CacheStatus(fwd=self._forward)
        flight, joined = self._join()
        return await self._watch(flight, joined)

    @property
    def _forward(self) -> Forward:
        """Why a request goes further of which nothing is stored."""
        if self._passed is None or self._passed.method in ("GET", "HEAD"):
            return Forward.URI_MISS
        return Forward.METHOD

    async def _watch(self, flight: SourceFlight, joined: bool) -> AssetRecord | None:
        """The asset that a flight lands with; None where the client has been given its body on the way."""
        self._status = replace(self._status, collapsed=joined)
        if not joined and self._site.behaviour.relays_interim:
            flight.hear = self._back.interim  # before the flight has done its first step
        head = await flight.head(self._deadline)
        if isinstance(head, Opening) and not joined:
            self._once = head.once
        if isinstance(head, Opening) and head.completes:
            self._status = replace(self._status, fwd=Forward.PARTIAL, fwd_status=206)
        match head:
            case Unshared() if head.take():
                try:
                    await self._relay(head)
                finally:
                    head.release()
                return None
            case Unshared():
                await self._alone()
                return None
            case Opening() if not flight.task.done():
                early = self._early(head)
                if early is not None:
                    await self._stream(flight, head, early)
                    return None
        landed = await flight.landed(self._deadline)
        self._status = replace(
            self._status,
            fwd=landed.forward,
            fwd_status=landed.fwd_status if landed.fwd_status != landed.record.status else None,
            stored=landed.stored,
            detail=landed.detail,
        )
        return landed.record

    def _early(self, head: Opening) -> Answer | None:
        """The answer, if it is the stored bytes whatever they will turn out to be."""
        draft, wish = head.draft, self._wish
        if draft.status != 200 or not self._site.behaviour.renders:
            coded = head.length is not None and may_be_coded(draft, wish, head.length)
            return None if coded else Answer(draft)
        settings = self._rooms.settings
        facts = AssetFacts(
            content_type=draft.content_type or "", size=head.length or 0, no_transform=draft.no_transform
        )
        if renderable(facts.content_type) and facts.size > settings.edge.max_source:
            facts = msgspec.structs.replace(facts, problem=Detail.TOO_LARGE)
            plan: Plan | None = decide(facts, wish.variant, wish.accept, self._site, settings.render)
        else:
            plan = untouched(facts, wish.variant, wish.accept, self._site)
        chosen = self._carry_out(draft, plan) if plan is not None else None
        if isinstance(chosen, Refused):
            raise self._refusal(chosen)
        return chosen if isinstance(chosen, Answer) else None

    async def _stream(self, flight: SourceFlight, head: Opening, answer: Answer) -> None:
        """Give the body while it grows."""
        self._status = replace(self._status, stored=True, detail=answer.reason)
        self._back.head(answer, self._status, link.Growing(str(head.path), head.offset, head.length), self._once)
        told = 0
        while (length := await flight.beyond(told)) > told:
            told = length
            self._back.progress(told)
        self._back.done(flight.task.result().record.source)

    async def _alone(self) -> None:
        """An answer that is not shared, fetched for this client."""
        if self._passed is not None:
            flight, _ = self._rooms.passing.join(self._site, self._path, self._passed, alone=True)
            await self._watch(flight, joined=False)
            return
        async with self._rooms.assets.alone(self._site, self._path) as unshared:
            await self._relay(unshared)

    async def _relay(self, unshared: Unshared) -> None:
        """Give a body that is not stored."""
        self._status = CacheStatus(fwd=self._forward, collapsed=self._status.collapsed, detail=unshared.detail)
        draft = unshared.draft
        if draft.status == 200 and self._site.behaviour.renders and renderable(draft.content_type or ""):
            facts = AssetFacts(content_type=draft.content_type or "", size=unshared.answer.length or 0)
            plan = degraded(facts, self._wish.variant, self._site, unshared.detail)
            if isinstance(plan, Refused):
                raise self._refusal(plan)
        self._back.head(Answer(draft), self._status, link.Relayed(unshared.answer.length), unshared.once)
        await self._back.relay(unshared.answer)

    # What this client gets of it.

    async def _select(self, asset: AssetRecord) -> Answer:
        """The answer, made if need be. Raises SourceGone, NotGiven."""
        chosen = self._chosen(asset)
        if isinstance(chosen, Unprobed):
            asset = await self._rooms.probes.join(asset).landed(self._deadline)
            chosen = self._chosen(asset)
        if isinstance(chosen, Unprobed):
            plan = degraded(facts_of(asset), self._wish.variant, self._site, Detail.QUEUE_FULL)
            chosen = self._carry_out(asset, plan)
        if isinstance(chosen, Unmade):
            chosen = self._bounded(asset, chosen)
        while isinstance(chosen, Unmade):
            chosen = await self._make(asset, chosen)
        if isinstance(chosen, Refused):
            raise self._refusal(chosen)
        if self._snapped is not None:
            return msgspec.structs.replace(chosen, at=self._snapped, reason=chosen.reason or Detail.SNAPPED)
        return chosen

    def _bounded(self, asset: AssetRecord, unmade: Unmade) -> Answer | Refused | Unmade:
        """What is made, or answers, of a source that may have many renderings already."""
        limit, wish = self._rooms.settings.guard.variants, self._wish
        if self._fixed or not wish.variant.changes:
            return unmade
        stored = self._rooms.records.representations(asset.source_id)
        count = sum(made.body.key in self._rooms.ledger for made in stored)
        if count < limit:
            return unmade
        self._wish = Wish(snapped(wish.variant), wish.accept)
        self._snapped = self._wish.variant.canonical() if self._wish != wish else None
        chosen = self._chosen(asset)
        assert not isinstance(chosen, Unprobed), "an asset is probed before anything is made of it"
        if not isinstance(chosen, Unmade) or count < 2 * limit:
            return chosen
        near = self._nearest(asset, chosen.plan) if chosen.plan is not None else None
        if near is not None:
            return Answer(asset, near, Detail.TOO_MANY_VARIANTS, degraded=True)
        return Refused(503, Detail.TOO_MANY_VARIANTS, DETAILS[Detail.TOO_MANY_VARIANTS].meaning)

    def _chosen(self, asset: AssetRecord) -> Selection:
        return select(self._present, self._site, self._rooms.settings.render, asset, self._wish)

    async def _make(self, asset: AssetRecord, unmade: Unmade) -> Answer | Refused | Unmade:
        """What answers once the rendering has been made, has yielded, or has failed."""
        beginning, ideal = None, unmade.ideal or unmade.plan
        if ideal is not None and unmade.ideal is None:
            beginning = first(ideal, facts_of(asset), self._wish, self._site, self._rooms.settings.render)
            unmade = replace(unmade, plan=beginning.plan)
        flight, joined = self._rooms.renderings.join(asset, unmade)
        self._status = replace(self._status, collapsed=self._status.collapsed or joined)
        try:
            made = await flight.landed(self._deadline)
        except NoRoom:
            return self._without(asset, unmade, Detail.DISK_FULL)
        except RenderError as error:
            if error.reason in _OF_THE_SOURCE:
                asset = self._rooms.assets.amend(asset, error.reason)
            return self._without(asset, unmade, error.reason)
        if made is not None:
            self._status = replace(self._status, stored=True)
            if beginning is not None:
                choice = chosen_once(asset, ideal, self._wish, made.plan)
                self._rooms.later.begin(choice, made, beginning.better, asset.source)
            chosen = self._chosen(asset)
            return chosen if isinstance(chosen, Answer) else Answer(asset, made, unmade.reason)
        self._rooms.records.put_choice(chosen_once(asset, ideal, self._wish, None, Detail.NOT_SMALLER))
        return self._carry_out(asset, yielded())

    def _without(self, asset: AssetRecord, unmade: Unmade, reason: Detail) -> Answer | Refused | Unmade:
        """What answers instead of a rendering that cannot be had."""
        if unmade.plan is None:
            return Answer(asset, reason=reason, degraded=True)
        if reason in _OF_THE_MOMENT and (near := self._nearest(asset, unmade.plan)) is not None:
            return Answer(asset, near, reason, degraded=True)
        return self._carry_out(asset, degraded(facts_of(asset), self._wish.variant, self._site, reason))

    def _nearest(self, asset: AssetRecord, wanted: RenderPlan) -> Representation | None:
        """A stored rendering that will do for the moment."""
        stored = {made.plan: made for made in self._rooms.records.representations(asset.source_id)}
        near = nearest(wanted, stored)
        return stored[near] if near is not None and self._present.has(stored[near].body) else None

    def _carry_out(self, asset: AssetRecord, plan: Plan) -> Answer | Refused | Unmade:
        return carry_out(self._present, asset, plan)

    def _refusal(self, refused: Refused) -> NotGiven:
        return NotGiven(refused.status, replace(self._status, detail=refused.reason), refused.message)

    def _give(self, answer: Answer) -> None:
        """Tell the server process which stored body to serve."""
        if answer.body is not None and not self._present.has(answer.body):
            raise SourceGone
        status = replace(self._status, detail=self._status.detail or answer.detail(time.time()))
        self._back.head(answer, status, link.Committed(), self._once)
        self._back.done()
