"""What is made first for somebody who waits, and what may take its place when there is time (DESIGN §3).

The rule of this file: what a rendering costs is predicted, never measured, so that the same request is decided the
same way everywhere. The first that fits into the budget is made, in the order in which the client and we prefer
formats; where none fits, the best of those that cost about as little as the cheapest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from conf.schema import Render
from edge.keeper.selection import Wish
from edge.policy.plan import AssetFacts, Rendering, RenderPlan, decide
from edge.policy.sites import Site
from edge.render import cost
from edge.render.encode import AVIF_EFFORT_PIXELS, TRELLIS_PIXELS

ABOUT_AS_CHEAP: Final = 1.25
"""Decoding and resizing are most of the cost of a large source: a quarter more is not worth a worse format."""
PROVISIONAL_FOR: Final = 3600.0
"""Seconds for which something smaller may take a rendering's place."""
_LATER_SHARE: Final = 1 / 3
"""Of render.deadline: what a rendering for later may be predicted to take."""

# From how many pixels on the first answer is made with so little effort that the whole of it saves a tenth
# (edge.render.encode has the figures). Other formats gain less, and are final at once.
_PAYS: Final = {"avif": AVIF_EFFORT_PIXELS, "jpeg": TRELLIS_PIXELS}


@dataclass(frozen=True, slots=True)
class First:
    """What is made now, and the plan that may take its place; None where it is final."""

    plan: RenderPlan
    better: RenderPlan | None


def first(ideal: RenderPlan, facts: AssetFacts, wish: Wish, site: Site, render: Render) -> First:
    """How to begin with the rendering that a request comes to."""
    ways = [ideal, *_others(ideal, facts, wish, site, render)] if render.budget else [ideal]
    prices = [cost.milliseconds(facts, plan) for plan in ways]
    bound = max(render.budget * 1000, ABOUT_AS_CHEAP * min(prices))
    plan = next(plan for plan, price in zip(ways, prices, strict=True) if price <= bound)
    return First(plan, _better(plan, ideal, facts, render) if render.hot else None)


def _others(ideal: RenderPlan, facts: AssetFacts, wish: Wish, site: Site, render: Render) -> Iterator[RenderPlan]:
    """What else the client names, best first. The source's own format is none of it: who names a better one gets
    that."""
    plan, without = ideal, frozenset[str]()
    named = wish.accept.preferred(facts.format)
    while wish.variant.format == "auto" and plan.format in named:
        without |= {plan.format}
        other = decide(facts, wish.variant, wish.accept, site, render, without)
        if not isinstance(other, Rendering) or other.plan.format not in named:
            return
        plan = other.plan
        yield plan


def _better(plan: RenderPlan, ideal: RenderPlan, facts: AssetFacts, render: Render) -> RenderPlan | None:
    pays = ideal.width * ideal.height > _PAYS.get(ideal.format, 1 << 62)
    if plan == ideal and (not pays or ideal.lossless or ideal.animated):
        return None
    affordable = render.deadline * 1000 * _LATER_SHARE
    for later in (msgspec.structs.replace(ideal, slow=pays or ideal.format == "avif"), ideal):
        if later != plan and cost.milliseconds(facts, later) <= affordable:
            return later
    return None
