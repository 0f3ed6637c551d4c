"""Which stored thing answers a request, as far as records can tell: the same in server processes and the keeper.

The rule of this file: it reads records and asks edge.policy; it opens no body and fills nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, TypeAlias

import msgspec

from conf.schema import Render
from edge.cache.entry import AssetRecord, ChoiceRecord, Representation
from edge.cache.subjects import asset_key
from edge.keeper.answer import Answer
from edge.policy.codings import is_codable
from edge.policy.demand import Demand
from edge.policy.negotiate import AcceptClass
from edge.policy.plan import AssetFacts, Plan, Refused, Rendering, RenderPlan, Stored, decide, untouched, yielded
from edge.policy.reasons import Detail
from edge.policy.sites import Site
from edge.policy.variant import Variant
from edge.policy.vary import selection

STRIPPED = "stripped"
"""The plan of the stored bytes without their metadata, where other plans are RenderPlan.canonical()."""


class VaryRecords(Protocol):
    """What tells apart the answers of one path (edge.cache.records.RecordStore has it)."""

    def get_vary(self, key: bytes) -> tuple[tuple[str, ...], ...]: ...
    def get_asset(self, key: bytes) -> AssetRecord | None: ...


def stored_key(records: VaryRecords, site: Site, path: str, request: Mapping[str, str]) -> bytes:
    """The key of the stored answer that a request selects (RFC 9111 §4.1): of several, the one with the latest Date."""
    primary = _asset_key(site, path)
    sets = records.get_vary(primary) if site.behaviour.transparent else ()
    keys = [asset_key(site, path, selection(fields, request)) if fields else primary for fields in sets] or [primary]
    if len(keys) == 1:
        return keys[0]
    found = [asset for key in keys if (asset := records.get_asset(key)) is not None]
    return max(found, key=lambda asset: (asset.upstream_date or 0, asset.stored_at)).key if found else keys[0]


_asset_key = lru_cache(maxsize=4096)(asset_key)  # hashing a path costs more than looking it up


def will_do(asset: AssetRecord, demand: Demand, now: float) -> bool:
    """Whether an unpurged answer is as fresh as a request demands."""
    age = asset.upstream_age + max(0.0, now - asset.stored_at)
    return demand.accepts(age, asset.edge_expires - now, asset.away - now)


class Records(Protocol):
    """What is looked up here (edge.cache.records.RecordStore has it)."""

    def get_representation(self, source_id: str, plan: str) -> Representation | None: ...
    def get_choice(self, source_id: str, wanted: str, accept: str) -> ChoiceRecord | None: ...


@dataclass(frozen=True, slots=True)
class Wish:
    """What one client wants of an asset, as far as it matters for which bytes it gets."""

    variant: Variant
    accept: AcceptClass


@dataclass(frozen=True, slots=True)
class Unmade:
    """The request wants a rendering that is not stored. `plan` None is the stored bytes without metadata."""

    plan: RenderPlan | None
    may_yield: bool = False
    reason: Detail | None = None
    ideal: RenderPlan | None = None
    """What a choice record says that this plan is made for; None where that is not decided yet."""
    coding: str = ""
    """The stored bytes in this content coding."""

    @property
    def name(self) -> str:
        """The plan in keys."""
        if self.coding:
            return f"coding={self.coding}"
        return STRIPPED if self.plan is None else self.plan.canonical()


class Unprobed:
    """Nobody has looked into the stored bytes yet, and what the request wants depends on it."""


Selection: TypeAlias = Answer | Refused | Unmade | Unprobed


def facts_of(asset: AssetRecord) -> AssetFacts:
    """What is known about an asset's bytes."""
    if asset.facts is None:
        size = asset.length or 0
        return AssetFacts(content_type=asset.content_type or "", size=size, no_transform=asset.no_transform)
    return msgspec.convert(asset.facts, AssetFacts)


def select(records: Records, site: Site, render: Render, asset: AssetRecord, wish: Wish) -> Selection:
    """What answers the wish: an answer, a refusal, or what has to be made first."""
    if asset.status != 200 or not site.behaviour.renders:
        return _coded(records, asset, wish)
    facts = facts_of(asset)
    if asset.facts is None:
        stored = untouched(facts, wish.variant, wish.accept, site)
        return Unprobed() if stored is None else carry_out(records, asset, stored)
    plan = decide(facts, wish.variant, wish.accept, site, render)
    if isinstance(plan, Rendering):
        choice = records.get_choice(asset.source_id, wanted(plan.plan, wish), wish.accept.key)
        if choice is not None:
            return _as_chosen(records, asset, plan, choice)
    return carry_out(records, asset, plan)


def _coded(records: Records, asset: AssetRecord, wish: Wish) -> Selection:
    """What answers where nothing is rendered: the stored bytes, in the coding that the wish names."""
    if asset.source is None or not may_be_coded(asset, wish, asset.source.length):
        return Answer(asset)
    choice = records.get_choice(asset.source_id, wanted(None, wish), wish.accept.key)
    if choice is not None and choice.plan is None:
        return carry_out(records, asset, yielded())
    unmade = Unmade(None, may_yield=True, coding=wish.accept.coding)
    made = records.get_representation(asset.source_id, unmade.name)
    return unmade if made is None else Answer(asset, made)


def may_be_coded(asset: AssetRecord, wish: Wish, length: int) -> bool:
    """Whether the stored bytes of an asset are to be given in a coding, if that makes them smaller."""
    if not wish.accept.coding or asset.status != 200:
        return False
    return is_codable(asset.content_type, length, asset.headers, no_transform=asset.no_transform)


def wanted(plan: RenderPlan | None, wish: Wish) -> str:
    """The name under which it is chosen how to carry out a plan: all URLs that come to it share the choice, but those
    that name the format have none. None: nothing is rendered."""
    if plan is None:
        return wish.variant.canonical()
    return f"{'auto' if wish.variant.format == 'auto' else 'named'} {plan.canonical()}"


def chosen_once(
    asset: AssetRecord, ideal: RenderPlan | None, wish: Wish, plan: str | None, reason: str = ""
) -> ChoiceRecord:
    """The record by which it is not decided again how to carry out a plan (see `wanted`)."""
    return ChoiceRecord(asset.source_id, wanted(ideal, wish), wish.accept.key, plan, reason)


def _as_chosen(records: Records, asset: AssetRecord, plan: Rendering, choice: ChoiceRecord) -> Selection:
    """What answers where it was decided before; a choice of another pipeline, or whose slow rendering is gone, is as
    if it were not there."""
    if choice.plan is None:
        return carry_out(records, asset, yielded())
    made = records.get_representation(asset.source_id, choice.plan)
    if made is not None:
        return chosen_answer(asset, made, choice)
    chosen = RenderPlan.parsed(choice.plan)
    if chosen is None or chosen.slow:
        return carry_out(records, asset, plan)
    return Unmade(chosen, plan.may_yield, ideal=plan.plan)


def chosen_answer(asset: AssetRecord, made: Representation, choice: ChoiceRecord) -> Answer:
    """The answer that a choice record stands for."""
    return Answer(
        asset,
        made,
        Detail.PROVISIONAL if choice.better else None,
        final_at=choice.final_at if choice.better else 0.0,
        replaced=choice.replaced,
        spared=choice.spared,
    )


def carry_out(records: Records, asset: AssetRecord, plan: Plan) -> Answer | Refused | Unmade:
    """What answers a request whose plan is decided."""
    match plan:
        case Refused():
            return plan
        case Stored(reason, strip=False):
            return Answer(asset, reason=reason, degraded=is_degraded(reason))
        case Stored(reason):
            unmade = Unmade(None, reason=reason)
        case Rendering(render_plan, may_yield):
            unmade = Unmade(render_plan, may_yield)
    made = records.get_representation(asset.source_id, unmade.name)
    return unmade if made is None else Answer(asset, made, unmade.reason)


def is_degraded(reason: Detail | None) -> bool:
    """Whether stored bytes are given for this reason only because something went wrong or over a limit."""
    return reason is not None and reason.value.startswith("pass-")
