"""One number for quality, on JPEG's scale, and what the other encoders call the same look.

The rule of this file: the numbers stand in one table; between two rows the value is interpolated.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

# JPEG's number → WebP's and AVIF's of the same mean score (SSIMULACRA2) as edge.render.encode writes them: 19
# photographs reduced to 448 px, 2026-11-20, `python -m bench.quality`. JPEG 20, 40, 60, 80, 90, 95 score 19, 48, 60,
# 73, 84, 89 there; from 90 on JPEG keeps full chroma, which WebP has not: its 95 stays 3 points behind. 80 is where
# WebP and AVIF have 0.93 and 0.75 of JPEG's bytes.
_MATCHED: Final = (
    # jpeg, webp, avif
    (1, 1, 1),
    (20, 10, 26),
    (40, 30, 41),
    (60, 50, 50),
    (70, 64, 54),
    (80, 78, 62),
    (85, 82, 67),
    (90, 92, 83),
    (95, 96, 90),
    (100, 100, 100),
)
# JPEG's number → the mean score (SSIMULACRA2) of those photographs.
_SCORES: Final = ((1, 0), (20, 19), (40, 48), (60, 60), (70, 66), (80, 73), (90, 84), (95, 89), (100, 92))

_COLUMN: Final = {"jpeg": 0, "webp": 1, "avif": 2}


def encoder_quality(format: str, quality: int) -> int:
    """The encoder's own number for a quality of 1–100 on JPEG's scale; 0 for formats that have none (png, gif)."""
    if format not in _COLUMN:
        return 0
    return round(_between(tuple((row[0], row[_COLUMN[format]]) for row in _MATCHED), quality))


def target_score(quality: int) -> float:
    """The score (SSIMULACRA2) that a picture of this quality on JPEG's scale has in the mean."""
    return _between(_SCORES, quality)


def _between(rows: tuple[tuple[int, float], ...], quality: int) -> float:
    at = min(bisect_right(rows, quality, key=lambda row: row[0]), len(rows) - 1)
    (below, low), (above, high) = rows[at - 1], rows[at]
    return low + (quality - below) / (above - below) * (high - low)
