"""How each output format is written: one row a format, options chosen from measurements.

The rule of this file: the plan says what quality; this table says what work is worth it. Times below are CPU ms on a
2-core x86-64 virtual machine, 2026-11-20, libvips 8.18.7, for a photo-like picture of 0.2 and 1.2 megapixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edge.policy.plan import RenderPlan

Image = Any
"""A pyvips.Image (pyvips carries no types)."""
Options = dict[str, Any]

TRELLIS_PIXELS = 400_000
"""JPEG's trellis quantisation saves 10 % (27 for 30 KB) for three times the work: 16 instead of 5 ms, 75 instead of
21. Up to this many pixels that fits beside a 12-megapixel decode (50 ms) in the budget of a cold miss."""

AVIF_EFFORT_PIXELS = 200_000
"""AVIF effort 1 saves 5 % over effort 0 for three to five times the work: 64 instead of 24 ms, 240 instead of 85."""


@dataclass(frozen=True, slots=True)
class Format:
    """One row of FORMATS. saver is a libvips operation; max_side is in pixels."""

    content_type: str
    saver: str
    max_side: int
    alpha: bool
    animated: bool
    options: Callable[[RenderPlan, int, bool], Options]
    """From the plan, the pixels of all frames together, and whether the source is a palette picture."""


def _jpeg(plan: RenderPlan, pixels: int, palette: bool) -> Options:
    """Progressive with optimal Huffman tables and mozjpeg's quantisation table 3; drawings keep full chroma."""
    small = pixels <= TRELLIS_PIXELS
    return {
        "Q": plan.quality,
        "interlace": True,
        "optimize_coding": True,
        "quant_table": 3,
        "trellis_quant": small,
        "overshoot_deringing": small,
        "subsample_mode": "off" if palette else "auto",
    }


def _webp(plan: RenderPlan, _pixels: int, _palette: bool) -> Options:
    """Effort 2 is the knee: 10 ms / 23 KB, where effort 0 takes 6 ms / 36 KB and effort 4 takes 22 ms / 22 KB."""
    return {"lossless": True, "effort": 2} if plan.lossless else {"Q": plan.quality, "effort": 2}


def _avif(plan: RenderPlan, pixels: int, palette: bool) -> Options:
    """8 bits; drawings keep full chroma. libvips' default effort 4 takes seconds: never for a first answer."""
    effort = 1 if pixels <= AVIF_EFFORT_PIXELS else 0
    common: Options = {"compression": "av1", "effort": effort, "bitdepth": 8}
    if plan.lossless:
        return common | {"lossless": True}
    return common | {"Q": plan.quality, "subsample_mode": "off" if palette else "auto"}


def _png(_plan: RenderPlan, _pixels: int, _palette: bool) -> Options:
    """All filters and zlib level 3: 18 ms / 281 KB, where libvips' default (no filter, 6) takes 14 ms / 352 KB."""
    return {"filter": "all", "compression": 3}


def _gif(_plan: RenderPlan, _pixels: int, _palette: bool) -> Options:
    """Effort 1: 29 ms for twelve frames of 240 × 240, effort 7 (the default) 58 ms for the same bytes."""
    return {"effort": 1, "keep_duplicate_frames": True}


FORMATS = {
    "jpeg": Format("image/jpeg", "jpegsave_buffer", 65_535, False, False, _jpeg),
    "webp": Format("image/webp", "webpsave_buffer", 16_383, True, True, _webp),
    "avif": Format("image/avif", "heifsave_buffer", 16_384, True, False, _avif),
    "png": Format("image/png", "pngsave_buffer", 65_535, True, False, _png),
    "gif": Format("image/gif", "gifsave_buffer", 65_535, True, True, _gif),
}


def encode(image: Image, plan: RenderPlan, keep: list[str], palette: bool) -> bytes:
    """The bytes of the picture in the plan's format, with the metadata that `keep` names (libvips foreign keep flags).

    Reads the image's pixels, so this is where a damaged source shows. Raises pyvips.Error.
    """
    row = FORMATS[plan.format]
    options = row.options(plan, image.width * image.height, palette)
    return bytes(getattr(image, row.saver)(keep="|".join(keep) or "none", **options))
