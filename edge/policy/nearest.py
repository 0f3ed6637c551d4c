"""What else will do where a rendering cannot be had now: a stored one of the same picture, as near as possible.

The rule of this file: only the size may differ. A client is never given another format, another part of the picture
or another background than it asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from edge.policy.plan import RenderPlan

_RATIO_TOLERANCE: Final = 0.02
"""Two roundings of one shape to whole pixels differ by less, from 50 pixels on."""
_LEAST_SHARE: Final = 4
"""A picture that would be shown at more than so many times its size is worse than none."""


def nearest(wanted: RenderPlan, stored: Iterable[str]) -> str | None:
    """Of the stored plans (canonical) the smallest that is not smaller than the one wanted, else the largest of the
    others; None where none will do."""
    plans = {text: plan for text in stored if (plan := RenderPlan.parsed(text)) and _will_do(wanted, plan)}
    larger = [text for text, plan in plans.items() if plan.width >= wanted.width]
    if larger:
        return min(larger, key=lambda text: plans[text].width)
    return max(plans, key=lambda text: plans[text].width, default=None)


def _will_do(wanted: RenderPlan, plan: RenderPlan) -> bool:
    return (
        _but_size(plan) == _but_size(wanted)
        and plan.width * _LEAST_SHARE >= wanted.width
        and _alike(plan.width * wanted.height, wanted.width * plan.height)
        and _alike(plan.resize_width * wanted.width, wanted.resize_width * plan.width)
    )


def _but_size(plan: RenderPlan) -> RenderPlan:
    """What two plans must share: everything but size, and how well it is encoded."""
    return msgspec.structs.replace(
        plan, resize_width=0, resize_height=0, width=0, height=0, quality=0, target=0.0, lossless=False, slow=False
    )


def _alike(one: int, other: int) -> bool:
    return abs(one - other) <= _RATIO_TOLERANCE * max(one, other)
