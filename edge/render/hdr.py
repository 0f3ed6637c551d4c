"""High dynamic range to what a screen of standard range shows.

The rule of this file: reference white (203 cd/m², ITU-R BT.2408 §2.2) becomes white, what is brighter rolls off, and
hue stays. Sources: ITU-R BT.2100 tables 4 and 5 (PQ, HLG), ITU-T H.273 §8 (code points).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pyvips

from edge.render.boxes import Coding

Image = Any
"""A pyvips.Image (pyvips carries no types)."""

_WHITE = 203.0  # cd/m²
_PQ, _HLG = 16, 18
_SHOULDER = 0.8
"""Light up to this share of white stays as it is; everything brighter shares the rest."""

_TO_SRGB = {
    9: ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187)),
    12: ((1.2249, -0.2249, 0.0), (-0.0421, 1.0421, 0.0), (-0.0196, -0.0786, 1.0983)),
}
"""Linear light of BT.2020 and of Display-P3 as linear light of BT.709 and sRGB (all D65)."""
_LUMA = (0.2627, 0.6780, 0.0593)


def is_hdr(coding: Coding | None) -> bool:
    """Whether these code points mean PQ or HLG."""
    return coding is not None and coding.transfer in (_PQ, _HLG)


def to_srgb(image: Image, coding: Coding) -> Image:
    """sRGB of 8 bits from the numbers of a PQ or HLG picture of 8 or 16 bits; alpha stays."""
    deep = image if image.format == "ushort" else (image.cast("ushort") * 257).cast("ushort")
    light = deep[:3].maplut(_light(coding.transfer))
    if coding.transfer == _HLG:
        luma = light.recomb([list(_LUMA)])
        light = light * (luma < 1e-6).ifthenelse(1e-6, luma) ** 0.2 * (1000 / _WHITE)
    if coding.primaries in _TO_SRGB:
        light = light.recomb([list(row) for row in _TO_SRGB[coding.primaries]])
    peak = light[0].bandrank([light[1], light[2]], index=2)
    over = peak - _SHOULDER
    rolled = over * (1 - _SHOULDER) / (over + (1 - _SHOULDER)) + _SHOULDER
    shown = (peak > _SHOULDER).ifthenelse(light * (rolled / peak), light)
    display = shown.copy(interpretation="scrgb").colourspace("srgb")
    return display.bandjoin((deep[3] >> 8).cast("uchar")) if image.bands == 4 else display


@cache
def _light(transfer: int) -> Image:
    """A table from 16-bit numbers to light: PQ's in units of white, HLG's as scene light from 0 to 1."""
    signal = pyvips.Image.identity(ushort=True) / 65535
    if transfer == _PQ:
        root = signal ** (1 / 78.84375)
        above = (root - 0.8359375).clamp(min=0, max=1)
        light = (above / (root * -18.6875 + 18.8515625)) ** (1 / 0.1593017578125) * (10_000 / _WHITE)
    else:
        high = (((signal - 0.55991073) / 0.17883277).exp() + 0.28466892) / 12
        light = (signal <= 0.5).ifthenelse(signal**2 / 3, high)
    return light.cast("float").copy_memory()
