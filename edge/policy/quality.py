"""One number for quality, on JPEG's scale, and what the other encoders call the same look.

The rule of this file: the numbers stand in one table; between two rows the value is interpolated.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

# JPEG's number → WebP's and AVIF's of about the same look. The row of 80 is measured: on photographs at 512 px, JPEG
# 80 scores 76.5 (SSIMULACRA2), AVIF 63 74–76 at two thirds of the bytes, WebP 79 72 at three quarters. The others
# follow the curve that image proxies use.
_MATCHED: Final = (
    # jpeg, webp, avif
    (1, 1, 1),
    (20, 20, 14),
    (40, 39, 28),
    (60, 59, 44),
    (70, 69, 53),
    (80, 79, 63),
    (90, 89, 77),
    (95, 94, 86),
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
