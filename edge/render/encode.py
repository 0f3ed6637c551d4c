"""How each output format is written: one row a format, options chosen from measurements.

The rule of this file: the plan says what quality; this table says what work is worth it, for a photograph and for a
drawing. Times below are CPU ms on a 2-core x86-64 virtual machine, 2026-11-20, libvips 8.18.7; sizes and scores
(SSIMULACRA2) are means over photographs reduced to 500 px, 0.16 megapixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edge.policy.plan import RenderPlan
from edge.render import aim, content, placeholders
from edge.render.facts import Facts

Image = Any
"""A pyvips.Image (pyvips carries no types)."""
Options = dict[str, Any]

TRELLIS_PIXELS = 400_000
"""JPEG's trellis quantisation saves 10 % (27 for 30 KB) for three times the work: 16 instead of 5 ms, 75 instead of
21 at 1.2 megapixels. Up to this many pixels that fits beside a 12-megapixel decode (50 ms) in the budget of a cold
miss."""

AVIF_EFFORT_PIXELS = 200_000
"""AVIF effort 1 saves 6 % over effort 0 and scores 1.2 points more, for four times the work: 90 instead of 22 ms."""

SLOW_AVIF_EFFORT = 4
"""Of what is made again while nobody waits (RenderPlan.slow): 2 to 4 s for a megapixel."""
_SLOW_AVIF_SPARES = (60, 3)
"""From this quality on, so many less look the same at that effort as at effort 0 (edge.render.likeness: 0.0 points in
the mean of 5 photographs at 700 px), and save 15 % of the bytes; 2026-11-20."""

WEBP_EFFORT_PIXELS = 300_000
"""WebP effort 3 saves 2.5 % over effort 2 and scores 0.6 points more, for twice the work: 24 instead of 12 ms. Effort
4 gives the same, effort 0 is a third larger."""

LOSSLESS_PIXELS = 1_000_000
"""Of all frames, up to which a drawing is tried without loss as well: 40 ms for 0.2 megapixels."""

GIF_ALPHA_QUALITY = 70
"""A GIF's transparency is on or off; what a resize makes between needs no more than 16 levels. A resized animation of
flat art: 16.7 instead of 25.3 KB (Q 79)."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What is written: its pixels (all frames together), whether they are a drawing, and what they were made of."""

    pixels: int
    drawing: bool
    source: Facts


@dataclass(frozen=True, slots=True)
class Format:
    """One row of FORMATS. saver is a libvips operation with options, or a function of the image alone; max_side is in
    pixels."""

    content_type: str
    saver: str | Callable[[Image], bytes]
    max_side: int
    alpha: bool
    animated: bool
    options: Callable[[RenderPlan, Picture], Options] = lambda _plan, _picture: {}


def _jpeg(plan: RenderPlan, picture: Picture) -> Options:
    """Progressive with optimal Huffman tables, but for the speed profile; mozjpeg's quantisation table 3; drawings keep
    full chroma."""
    small = plan.slow or (picture.pixels <= TRELLIS_PIXELS and not plan.fast)
    return {
        "Q": plan.quality,
        "interlace": not plan.fast,
        "optimize_coding": not plan.fast,
        "quant_table": 3,
        "trellis_quant": small,
        "overshoot_deringing": small,
        "subsample_mode": "off" if picture.drawing else "auto",
    }


def _webp(plan: RenderPlan, picture: Picture) -> Options:
    """Drawings get the slower chroma subsampling, which keeps coloured edges sharp (WebP has no full chroma)."""
    if plan.lossless:
        return {"lossless": True, "effort": 2}
    alpha = {"alpha_q": GIF_ALPHA_QUALITY} if picture.source.format == "gif" else {}
    effort = 3 if picture.pixels <= WEBP_EFFORT_PIXELS and not plan.animated and not plan.fast else 2
    return {"Q": plan.quality, "effort": effort, "smart_subsample": picture.drawing and not plan.animated, **alpha}


def _avif(plan: RenderPlan, picture: Picture) -> Options:
    """8 bits; drawings keep full chroma. libvips' default effort 4 takes seconds: for later, never for a first
    answer."""
    small = picture.pixels <= AVIF_EFFORT_PIXELS and not plan.fast
    effort = SLOW_AVIF_EFFORT if plan.slow else 1 if small else 0
    common: Options = {"compression": "av1", "effort": effort, "bitdepth": 8}
    if plan.lossless:
        return common | {"lossless": True}
    least, spares = _SLOW_AVIF_SPARES
    quality = plan.quality - (spares if plan.slow and plan.quality >= least else 0)
    return common | {"Q": quality, "subsample_mode": "off" if picture.drawing else "auto"}


def _png(_plan: RenderPlan, picture: Picture) -> Options:
    """All filters and zlib level 3: 18 ms / 281 KB, where libvips' default (no filter, 6) takes 14 ms / 352 KB. What
    was a palette picture stays one: it would else be larger than its source, at half its size."""
    if picture.source.palette and picture.drawing:
        return {"palette": True, "Q": 100, "dither": 0.0, "effort": 1, "compression": 6}
    return {"filter": "all", "compression": 3}


def _gif(_plan: RenderPlan, picture: Picture) -> Options:
    """Effort 1: 29 ms for twelve frames of 240 × 240, effort 7 (the default) 58 ms for the same bytes.

    A drawing gets as many colours as its source's palette has room for, and no dither, which would put noise into
    what is flat: 12 instead of 21 KB for a resized animation of 18 colours, whose source has 17 KB at twice the size.
    """
    common: Options = {"effort": 1, "keep_duplicate_frames": True}
    if picture.drawing and picture.source.format == "gif":
        return common | {"dither": 0.0, "bitdepth": max(4, picture.source.colour_bits)}
    return common


FORMATS = {
    "jpeg": Format("image/jpeg", "jpegsave_buffer", 65_535, False, False, _jpeg),
    "webp": Format("image/webp", "webpsave_buffer", 16_383, True, True, _webp),
    "avif": Format("image/avif", "heifsave_buffer", 16_384, True, False, _avif),
    "png": Format("image/png", "pngsave_buffer", 65_535, True, False, _png),
    "gif": Format("image/gif", "gifsave_buffer", 65_535, True, True, _gif),
    "blurhash": Format("text/plain", placeholders.blurhash, 100, True, False),
    "thumbhash": Format("text/plain", placeholders.thumbhash, 100, True, False),
    "color": Format("text/plain", placeholders.colour, 100, True, False),
    "blurhash.json": Format("application/json", placeholders.as_json("blurhash"), 100, True, False),
    "thumbhash.json": Format("application/json", placeholders.as_json("thumbhash"), 100, True, False),
    "color.json": Format("application/json", placeholders.as_json("color"), 100, True, False),
}


def _is_drawing(image: Image, plan: RenderPlan, source: Facts) -> bool:
    """Looking at the pixels takes 2 ms for 0.2 megapixels, which the speed profile has not."""
    return not plan.fast and image.width * image.height <= content.MOST_PIXELS and content.is_drawing(image, source)


def encode(image: Image, plan: RenderPlan, keep: list[str], source: Facts) -> bytes:
    """The bytes of the picture in the plan's format, with the metadata that `keep` names (libvips foreign keep flags).

    A drawing in lossy WebP is tried without loss too, and the smaller of both is taken. Pictures of up to
    content.MOST_PIXELS are read more than once and should be in memory. Raises pyvips.Error.
    """
    row = FORMATS[plan.format]
    if not isinstance(row.saver, str):
        return row.saver(image)
    pixels = image.width * image.height
    picture = Picture(pixels, _is_drawing(image, plan, source), source)
    save = getattr(image, row.saver)
    flags = "|".join(keep) or "none"
    options = row.options(plan, picture)
    if plan.target and "Q" in options:
        body = aim.aimed(image, plan.quality, plan.target, lambda q: bytes(save(keep=flags, **(options | {"Q": q}))))
    else:
        body = bytes(save(keep=flags, **options))
    if plan.format == "webp" and not plan.lossless and picture.drawing and pixels <= LOSSLESS_PIXELS:
        exact = bytes(save(keep=flags, lossless=True, effort=2))
        return min(exact, body, key=len)
    return body
