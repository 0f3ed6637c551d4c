"""Client hints: what a browser says about its screen and its owner's wishes, where a site listens to that.

The rule of this file: a hint only fills in what the URL leaves open, and only in steps, so that hints cannot mint cache
entries. Whatever cannot be read is as if it were not there. FIELDS is what Vary names on such a site, whatever a
request has sent (RFC 8942 §3, Save-Data: WICG).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Final
from urllib.parse import unquote_plus

from edge.policy.variant import PLACEHOLDERS, Variant

FIELDS: Final = (
    "Save-Data",
    "Sec-CH-DPR",
    "DPR",
    "Sec-CH-Width",
    "Width",
    "Sec-CH-Viewport-Width",
    "Viewport-Width",
)
NAMES: Final = tuple(name.lower() for name in FIELDS)

WIDTHS: Final = (64, 128, 192, 256, 320, 384, 480, 640, 768, 960, 1280, 1600, 1920, 2560, 3840)
"""In pixels of the screen; a width is rounded up to the next."""
DENSITIES: Final = (Decimal(1), Decimal("1.5"), Decimal(2), Decimal(3))
"""More than 3 nobody sees."""
SAVING_QUALITY: Final = 50
"""The quality for who wants to save data, where render.quality is not lower."""

_NUMBER: Final = re.compile(r"[0-9]{1,5}(?:\.[0-9]{1,6})?")


def hinted(variant: Variant, raw_query: str, headers: Mapping[str, str], quality: int, max_side: int) -> Variant:
    """The variant with what the hints add. headers: names in lower case; quality: render.quality.

    Width is in pixels of the screen already; a viewport's width and what the URL gives are multiplied by the density,
    unless the URL has a dpr of its own.
    """
    if variant.format == "original" or variant.format in PLACEHOLDERS:
        return variant
    saving = headers.get("save-data", "").partition(";")[0].strip().lower() == "on"
    density = Decimal(1) if saving else _density(headers)
    width, height, blur = variant.width, variant.height, variant.blur
    if width or height:
        if not _names_dpr(raw_query):
            width, height = (_times(side, density, max_side) for side in (width, height))
            blur = round(blur * float(density), 2)
    else:
        width = _width(headers, density, saving)
    result = replace(
        variant,
        width=min(width, max_side),
        height=height,
        blur=blur,
        quality=min(SAVING_QUALITY, quality) if saving and not variant.quality else variant.quality,
    )
    return replace(result, by_hints=True) if result != variant and not variant.changes else result


def _names_dpr(raw_query: str) -> bool:
    return any(unquote_plus(pair.partition("=")[0]) == "dpr" for pair in raw_query.split("&"))


def _density(headers: Mapping[str, str]) -> Decimal:
    said = _said(headers, "sec-ch-dpr", "dpr")
    return next((step for step in DENSITIES if said <= step), DENSITIES[-1])


def _width(headers: Mapping[str, str], density: Decimal, saving: bool) -> int:
    """In pixels of the screen; 0 where nothing is said. Who saves data is content with one for each CSS pixel."""
    pixels = _said(headers, "sec-ch-width", "width")
    if pixels and saving:
        pixels /= max(Decimal(1), _density(headers))
    pixels = pixels or _said(headers, "sec-ch-viewport-width", "viewport-width") * density
    return WIDTHS[min(bisect_left(WIDTHS, pixels), len(WIDTHS) - 1)] if pixels else 0


def _said(headers: Mapping[str, str], *names: str) -> Decimal:
    """The first of these fields that is a number; 0 without one."""
    for name in names:
        if match := _NUMBER.fullmatch(headers.get(name, "").strip()):
            return Decimal(match[0])
    return Decimal(0)


def _times(side: int, density: Decimal, max_side: int) -> int:
    return min(int((side * density).to_integral_value(ROUND_HALF_UP)), max_side)
