"""quality=auto: the encoder's number that brings a picture to a score.

The rule of this file: the same picture always gets the same number, so the budget is counted in encodings and not in
time: as many as its pixels allow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyvips

from edge.render import likeness

Image = Any
"""A pyvips.Image (pyvips carries no types)."""

ROUNDS = ((300_000, 3), (1_000_000, 2))
"""Up to so many pixels, so many encodings. Three AVIFs of 0.16 megapixels with their scores take 0.35 s, two of one
megapixel at effort 0 0.3 s (2-core x86-64 virtual machine, 2026-11-20). Larger pictures get the usual number."""

CLOSE_ENOUGH = 1.0
"""Points of the score."""
_POINTS_A_STEP = 0.8
"""What one step of an encoder's quality adds near 70, to aim the second shot."""
_LEAST, _MOST = 25, 95


def aimed(image: Image, first: int, target: float, write: Callable[[int], bytes]) -> bytes:
    """The encoding whose score is closest to the target, of the few that are tried.

    write gives the encoding at a quality; first is the quality to begin with. Raises pyvips.Error.
    """
    rounds = next((rounds for most, rounds in ROUNDS if image.width * image.height <= most), 1)
    if rounds == 1 or not likeness.is_measurable(image):
        return write(first)
    tried: dict[int, tuple[float, bytes]] = {}
    quality = first
    while True:
        body = write(quality)
        tried[quality] = likeness.score(image, pyvips.Image.new_from_buffer(body, "")) - target, body
        following = _next(tried)
        if len(tried) == rounds or abs(tried[quality][0]) <= CLOSE_ENOUGH or following in tried:
            return min(tried.values(), key=lambda row: abs(row[0]))[1]
        quality = following


def _next(tried: dict[int, tuple[float, bytes]]) -> int:
    """Where the line through the two best shots, or through the only one at the usual slope, meets the target."""
    (at, (over, _)), *others = sorted(tried.items(), key=lambda row: abs(row[1][0]))
    slope = (over - others[0][1][0]) / (at - others[0][0]) if others else _POINTS_A_STEP
    return max(_LEAST, min(_MOST, round(at - over / max(slope, _POINTS_A_STEP / 4))))
