"""One request, top to bottom.

    match site → guard → name what is wanted → look in memory → look on disk → ask the keeper → reply

The rule of this file: what is stored and usable is answered by this process alone, everything else is the keeper's
work. What a client gets is decided by the pure functions of edge.policy, here and at the keeper alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from conf.schema import Settings
from edge import purging, reply
from edge.cache.files import Damaged
from edge.cache.subjects import asset_key
from edge.documents import asks_plainly, folder, moved, not_here, redirect
from edge.errand import Errand, Found, NoAnswer, hit
from edge.gate import admitted, check_referer, is_checked
from edge.keeper import link
from edge.keeper.answer import Answer
from edge.keeper.client import Exchange, FillFailed, KeeperAway, KeeperClient, Relayed
from edge.keeper.flights import WaitedTooLong
from edge.keeper.selection import Wish, select, stored_key
from edge.message import Body, BodyBroken, Reply, Request, TooLong
from edge.policy.codings import coding_for
from edge.policy.demand import demand
from edge.policy.dialects.reading import BadSignature
from edge.policy.freshness import NEGATIVE, Lifetimes, client_cache_control, forbids_transform
from edge.policy.hints import hinted
from edge.policy.negotiate import OWN, AcceptClass, Way, accept_class, placeholder_format, way
from edge.policy.plan import Refused
from edge.policy.reasons import CacheStatus, Detail
from edge.policy.sites import Site, Sites
from edge.policy.variant import TEXT_PLACEHOLDERS, BadParameter, Variant
from edge.policy.wanted import read
from edge.sliced import Sliced, growing
from edge.tiers import Tiers

RETRY_AFTER = 1  # seconds, with a 503
_ASKINGS = 2  # how often the keeper is asked for a body that is gone when it is opened


class Journey:
    """The journeys of one server process."""

    def __init__(
        self,
        settings: Settings,
        *,
        sites: Sites,
        tiers: Tiers,
        keeper: KeeperClient,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tiers = tiers
        self._keeper = keeper
        self._clock = clock
        self.take_over(settings, sites)

    def take_over(self, settings: Settings, sites: Sites) -> None:
        """Go on with these settings: requests that are under way keep what they have read of the old ones."""
        self._settings = settings
        self._sites = sites
        self._lifetimes = {site.name: Lifetimes.of(site, settings.edge) for site in sites}
        self._purge_field = settings.edge.purge_header.lower()

    async def travel(self, request: Request) -> Reply:
        """The reply to a request. Whoever sends it closes its body."""
        try:
            site, raw_path = self._match(request)
            self._guard(request, site)
            if purging.allowed(request, site, self._purge_field):
                return await self._purge(request, site, raw_path)
            errand = self._errand(request, site, raw_path)
            if site.behaviour.transparent:
                errand = replace(errand, passed=await self._passed(request, site))
            return await self._replied(errand)
        except NoAnswer as early:
            return early.reply

    async def _replied(self, errand: Errand) -> Reply:
        """The reply to an errand. Raises NoAnswer."""
        for _ in range(_ASKINGS):
            found = await self._found(errand)
            if errand.site.documents is not None and found.answer.asset.status in NEGATIVE:
                return await self._missing(errand, found)
            given = self.reply(errand, found)
            try:
                if isinstance(given.body, Sliced) and errand.reads and errand.request.method != "HEAD":
                    await given.body.begin(given.start)
                return given
            except FillFailed as failure:  # another version by now, perhaps: then there is another answer, too
                failed = failure.failed
            except (KeeperAway, WaitedTooLong):
                break
        else:
            raise NoAnswer(self._not_filled(errand, failed))
        raise NoAnswer(reply.refusal(errand.site, Detail.KEEPER_AWAY, retry_after=RETRY_AFTER))

    async def _found(self, errand: Errand) -> Found:
        """What answers an errand, from wherever it is."""
        found = self._in_memory(errand)
        if found is not None:
            self._tiers.count(errand.site, "memory", found.answer)
            return found
        return await self._on_disk(errand) or await self._from_keeper(errand)

    def recall(self, request: Request) -> tuple[Errand, Found] | None:
        """What memory has for a request, without a step beyond it. Not counted as a hit."""
        try:
            site, raw_path = self._match(request)
            self._guard(request, site)
            errand = self._errand(request, site, raw_path)
        except NoAnswer:
            return None
        if is_checked(site, request.raw_query):
            return None
        found = self._in_memory(errand)
        return None if found is None else (errand, found)

    # match site

    def _match(self, request: Request) -> tuple[Site, str]:
        matched = self._sites.match(request.host, request.raw_path)
        if matched is None:
            raise NoAnswer(reply.problem(None, 404, "this host has no site at this path"))
        return matched

    # guard

    def _guard(self, request: Request, site: Site) -> None:
        """Refuse what no site answers, and answer what needs no asset."""
        if way(request.headers.get("cdn-loop"), None) is Way.LOOP:
            raise NoAnswer(reply.refusal(site, Detail.LOOP))
        if site.behaviour.transparent and request.method != "CONNECT":
            return
        if request.method == "OPTIONS":
            raise NoAnswer(reply.preflight(site))
        if request.method not in ("GET", "HEAD") and not purging.allowed(request, site, self._purge_field):
            allow = ("Allow", reply.METHODS)
            raise NoAnswer(reply.problem(site, 405, f"{request.method} is not answered here", headers=(allow,)))

    async def _purge(self, request: Request, site: Site, raw_path: str) -> Reply:
        try:
            order = purging.order(request, site, raw_path)
            if order is not None:
                await self._keeper.purge(site.name, order, self._settings.edge.wait)
        except purging.BadOrder as bad:
            return reply.problem(site, 400, str(bad))
        except (KeeperAway, WaitedTooLong):
            return reply.refusal(site, Detail.KEEPER_AWAY, retry_after=RETRY_AFTER)
        except FillFailed as failure:
            return reply.problem(site, failure.failed.status, str(failure))
        return reply.purged(site)

    # name what is wanted

    def _errand(self, request: Request, site: Site, raw_path: str) -> Errand:
        try:
            wanted = read(site, raw_path, request.raw_query, self._settings.render.max_side)
            if wanted is None:
                raise NoAnswer(reply.refusal(site, Detail.NO_SUCH_OBJECT, cache_control=self._negative(site)))
            path, variant = wanted
            check_referer(request, site)
            variant, fixed = admitted(request, site, variant, self._clock())
        except BadParameter as bad:
            raise NoAnswer(reply.bad_parameter(site, bad)) from None
        except BadSignature:
            raise NoAnswer(reply.refusal(site, Detail.BAD_SIGNATURE)) from None
        wish = self._wish(request, site, variant)
        key = stored_key(self._tiers.records, site, path, request.headers)
        return Errand(request, site, path, key, wish, demand(site.behaviour, request.headers), fixed)

    def _negative(self, site: Site) -> str:
        """The Cache-Control of a 404 that nobody was asked about."""
        if site.behaviour.transparent:
            return "no-store"
        return client_cache_control("", 404, {}, self._lifetimes[site.name])

    async def _passed(self, request: Request, site: Site) -> link.Passed:
        """The request with its body."""
        try:
            body = await request.body.read(self._settings.edge.max_body)
        except TooLong:
            raise NoAnswer(reply.refusal(site, Detail.TOO_MUCH)) from None
        except BodyBroken as broken:
            raise NoAnswer(reply.problem(site, 400, str(broken), close=True)) from None
        return link.Passed(request.method, dict(request.headers), body)

    def _wish(self, request: Request, site: Site, variant: Variant) -> Wish:
        """The variant that the URL asks for, and what the request's fields say about it."""
        if not site.behaviour.renders:
            coded = site.behaviour.codes_texts and not forbids_transform(request.headers)
            coding = coding_for(request.headers.get("accept-encoding")) if coded else ""
            return Wish(variant, AcceptClass(coding=coding) if coding else OWN)
        fields = request.headers
        if forbids_transform(fields):  # RFC 9111 §5.2.1.6: what is stored, as far as the site gives that
            return Wish(Variant(format="original"), OWN)
        foreign = way(fields.get("cdn-loop"), fields.get("via")) is Way.FOREIGN_CDN
        kept_for_all = foreign and not site.downstream_vary
        if variant.format in TEXT_PLACEHOLDERS:
            form = placeholder_format(variant.format, fields.get("accept"), kept_for_all)
            return Wish(replace(variant, format=form), OWN)
        if site.hints and not kept_for_all:
            render = self._settings.render
            variant = hinted(variant, request.raw_query, fields, render.quality, render.max_side)
        return Wish(variant, accept_class(fields.get("accept"), kept_for_all))

    # look in memory

    def _in_memory(self, errand: Errand) -> Found | None:
        if errand.site.behaviour.transparent:  # what a HEAD or another process has learnt is in the record on disk
            return None
        held = self._tiers.recall(errand.key, errand.wish)
        if held is None or not self._tiers.usable(errand.site, held.answer.asset):
            return None
        return Found(held.answer, hit(held.answer, self._clock()), held.body or self._sliced(held.answer))

    # look on disk

    async def _on_disk(self, errand: Errand) -> Found | None:
        records = self._tiers.records
        asset = records.get_asset(errand.key) if errand.reads else None
        if asset is None or not self._tiers.usable(errand.site, asset, errand.demand):
            return None
        answer = select(records, errand.site, self._settings.render, asset, errand.wish)
        if isinstance(answer, Refused):
            outcome = CacheStatus(hit=True, detail=answer.reason)
            raise NoAnswer(reply.problem(errand.site, answer.status, answer.message, outcome=outcome))
        if not isinstance(answer, Answer):
            return None
        try:
            body = await self._open(errand, answer)
        except (FileNotFoundError, Damaged):
            return None
        self._tiers.count(errand.site, "disk", answer)
        return Found(answer, hit(answer, self._clock()), body)

    async def _open(self, errand: Errand, answer: Answer) -> Body | None:
        """The stored body of an answer, which is remembered. Raises FileNotFoundError, Damaged."""
        body = self._sliced(answer) if answer.body is None else await self._tiers.open(answer.body)
        if not errand.site.behaviour.transparent:
            self._tiers.remember(errand.key, errand.wish, answer)
        return body

    def _sliced(self, answer: Answer) -> Body | None:
        """The body of an answer that is kept in slices."""
        asset = answer.asset
        if asset.slices is None or answer.representation is not None:
            return None
        return Sliced(asset, asset.slices, tiers=self._tiers, keeper=self._keeper, wait=self._settings.edge.wait)

    # ask the keeper

    async def _from_keeper(self, errand: Errand) -> Found:
        site, wish = errand.site, errand.wish
        if errand.demand.only_if_cached and errand.reads:
            raise NoAnswer(reply.refusal(site, Detail.NOT_STORED))
        wait = self._settings.edge.wait
        for _ in range(_ASKINGS):
            try:
                head, exchange = await self._keeper.fill(
                    link.Fill(
                        *(0, site.name, errand.path, wish.variant, wish.accept, wait, errand.passed),
                        fixed=errand.fixed,
                        client=errand.request.client,
                    ),
                    errand.request.interim,
                )
            except (KeeperAway, WaitedTooLong):
                raise NoAnswer(reply.refusal(site, Detail.KEEPER_AWAY, retry_after=RETRY_AFTER)) from None
            except FillFailed as failure:
                raise NoAnswer(self._not_filled(errand, failure.failed)) from None
            try:
                return await self._filled(errand, head, exchange)
            except (FileNotFoundError, Damaged):  # evicted since the keeper looked
                exchange.close()
            except FillFailed as failure:
                exchange.close()
                raise NoAnswer(self._not_filled(errand, failure.failed)) from None
            except BaseException:
                exchange.close()
                raise
        raise NoAnswer(reply.refusal(site, Detail.DISK_FULL, retry_after=RETRY_AFTER))

    async def _filled(self, errand: Errand, head: link.Head, exchange: Exchange) -> Found:
        """What the keeper has found or is about to store; the body takes over the exchange."""
        answer, outcome = head.answer, head.status
        match head.location:
            case link.Relayed(length):
                return Found(answer, outcome, Relayed(exchange, length), stored=False, once=head.once)
            case link.Growing() as where:
                return Found(answer, outcome, await growing(exchange, where, self._tiers), once=head.once)
            case link.Committed():
                exchange.close()
                return Found(answer, outcome, await self._open(errand, answer), once=head.once)

    def _not_filled(self, errand: Errand, failed: link.Failed) -> Reply:
        headers = (("Retry-After", str(failed.retry_after)),) if failed.retry_after is not None else ()
        return reply.problem(errand.site, failed.status, failed.message, outcome=failed.outcome, headers=headers)

    # reply

    async def _missing(self, errand: Errand, found: Found) -> Reply:
        """What a website shows where a path names no object: its folder, or else the error document."""
        site, request = errand.site, errand.request
        documents, lifetimes = site.documents, self._lifetimes[site.name]
        assert documents is not None, "only a website has documents"
        target = folder(site, request)
        if target is not None and (index := await self._beside(errand, f"{errand.path}/{documents.index}")) is not None:
            if index.body is not None:
                index.body.close()
            return redirect(site, 302, target, found.outcome, lifetimes, errand.path, stored=found.stored)
        page = None if documents.error is None else await self._beside(errand, documents.error)
        if page is None:
            return self.reply(errand, found)
        shown = self.reply(replace(errand, request=asks_plainly(request)), page)
        return not_here(shown, found.outcome, lifetimes, errand.path)

    async def _beside(self, errand: Errand, path: str) -> Found | None:
        """Another object of the errand's site, where it can be shown."""
        try:
            found = await self._found(replace(errand, path=path, key=asset_key(errand.site, path)))
        except NoAnswer:
            return None
        return found if found.answer.asset.status == 200 else None

    def reply(self, errand: Errand, found: Found) -> Reply:
        """The reply that gives what was found, as far as the request's conditions and range leave it."""
        if (target := moved(errand.site, found.answer)) is not None:
            if found.body is not None:
                found.body.close()
            lifetimes = self._lifetimes[errand.site.name]
            return redirect(errand.site, 301, target, found.outcome, lifetimes, errand.path, stored=found.stored)
        return reply.of_answer(
            errand.request,
            errand.site,
            self._lifetimes[errand.site.name],
            found.answer,
            found.outcome,
            found.body,
            stored=found.stored,
            once=found.once,
            now=self._clock(),
        )
