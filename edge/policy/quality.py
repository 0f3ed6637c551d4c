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
_COLUMN: Final = {"jpeg": 0, "webp": 1, "avif": 2}


def encoder_quality(format: str, quality: int) -> int:
    """The encoder's own number for a quality of 1–100 on JPEG's scale; 0 for formats that have none (png, gif)."""
    if format not in _COLUMN:
        return 0
    column = _COLUMN[format]
    at = min(bisect_right(_MATCHED, quality, key=lambda row: row[0]), len(_MATCHED) - 1)
    lower, upper = _MATCHED[at - 1], _MATCHED[at]
    share = (quality - lower[0]) / (upper[0] - lower[0])
    return round(lower[column] + share * (upper[column] - lower[column]))
