"""The ladder: what a variant becomes of a source that has many renderings already.

The rule of this file: a snapped variant has a size of LADDER and otherwise only what has few values, so that the
snapped variants of a source are few. It is never smaller than what was asked for, up to the ladder's end.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from typing import Final

from edge.policy.variant import AUTO, CENTER, Variant

LADDER: Final = (32, 64, 128, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096)
"""Pixels of a side."""


def snapped(variant: Variant) -> Variant:
    """The variant on the ladder. With two sides the larger one snaps and the other follows it, to 1/8 of it."""
    longer = max(variant.width, variant.height)
    if not longer:
        return replace(variant, quality=_quality(variant.quality), gravity=CENTER, blur=_blur(variant.blur))
    side = LADDER[min(bisect_left(LADDER, longer), len(LADDER) - 1)]
    width, height = (_beside(given, longer, side) for given in (variant.width, variant.height))
    return replace(
        variant,
        width=width,
        height=height,
        quality=_quality(variant.quality),
        gravity=None if variant.gravity is None else CENTER,
        blur=_blur(variant.blur),
    )


def _beside(given: int, longer: int, side: int) -> int:
    return max(1, round(given * 8 / longer)) * side // 8 if given else 0


def _quality(asked: int) -> int:
    """By steps of 20 upwards; none and auto as they are."""
    return asked if asked in (0, AUTO) else min(100, -(-asked // 20) * 20)


def _blur(asked: float) -> float:
    return 0.0 if not asked else 5.0 if asked <= 5 else 20.0
