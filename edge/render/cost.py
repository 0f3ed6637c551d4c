"""What a rendering will cost, predicted from its header and plan.

The rule of this file: the figures only order a queue and keep a node within its memory, so they are a table of ms and
bytes a pixel, not a model. Measured 2026-11-20 with libvips 8.18.7 on a 2-core x86-64 virtual machine: CPU time and
peak resident memory of a fresh process for 12-megapixel sources and results of 0.02 to 12 megapixels.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from edge.policy.plan import RenderPlan
from edge.policy.variant import PLACEHOLDERS
from edge.render.colour import linear_is_affordable
from edge.render.encode import AVIF_EFFORT_PIXELS, TRELLIS_PIXELS

CHEAP_MS = 100.0
"""What the renderer that is kept for cheap jobs takes: an avatar, also of a large JPEG (50 ms)."""

BASE_MS = 3.0
BASE_BYTES = 56 * 1024 * 1024
"""A renderer that has worked before (43 MiB fresh)."""
LINE_BYTES = 6144
"""A source column, where decoder and resampler work line by line."""
FRAME_BYTES = 300_000
"""A frame of an animation, for the buffers of its part of the libvips graph."""
LINEAR_MS = 70.0
"""A megapixel that goes through linear light, after the rows have been reduced."""
WORD = 4
"""Bytes of one pixel that is held as a whole: red, green, blue and alpha."""


class Measured(Protocol):
    """What a header says that matters here (edge.render.facts.Facts and edge.policy.plan.AssetFacts have it)."""

    @property
    def format(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def pages(self) -> int: ...
    @property
    def orientation(self) -> int: ...
    @property
    def interlaced(self) -> bool: ...


class Price(NamedTuple):
    """ms a megapixel and bytes a pixel."""

    ms: float
    bytes: int


DECODE = {
    "jpeg": Price(5, 0),
    "progressive jpeg": Price(22, 6),
    "png": Price(16, 0),
    "progressive png": Price(20, 4),
    "gif": Price(30, 7),
    "webp": Price(22, 8),
    "avif": Price(45, 16),
    "heic": Price(110, 16),
    "jxl": Price(75, 30),
    "tiff": Price(4, 4),
    "svg": Price(0, 0),
}
"""Of the source, all frames that are shown; 0 bytes where it is decoded line by line."""

ENCODE = {
    "jpeg": Price(25, 6),
    "jpeg with trellis": Price(75, 6),
    "webp": Price(45, 6),
    "avif": Price(75, 20),
    "avif at effort 1": Price(300, 20),
    "avif at effort 4": Price(1900, 30),
    "png": Price(75, 2),
    "gif": Price(450, 6),
    "lossless": Price(650, 50),
    "placeholder": Price(6000, 1000),
}
"""Of the result, all frames."""


def milliseconds(facts: Measured, plan: RenderPlan) -> float:
    """About how long one renderer will work."""
    source, result = _megapixels(facts, plan)
    resized = plan.resize_width * plan.resize_height / 1e6
    # A JPEG is decoded at 2 to 4 times the size wanted; everything else at its own.
    share = min(1.0, 3 * (resized / source) ** 0.5) if facts.format == "jpeg" and source else 1.0
    frame = round(facts.width * share), round(facts.height * share)
    frames = facts.pages if plan.animated else 1
    height = plan.resize_height if facts.orientation < 5 else plan.resize_width
    encodings = 3 if plan.target else 1
    linear = not plan.fast and linear_is_affordable([frame] * frames, height)
    passed = frame[0] * height * frames / 1e6 if linear else 0.0
    return BASE_MS + _decode(facts).ms * source + LINEAR_MS * passed + encodings * _encode(plan).ms * result


def memory(facts: Measured, plan: RenderPlan) -> int:
    """About how many bytes a renderer will use at most, its own included."""
    source, result = _megapixels(facts, plan)
    held = _decode(facts).bytes * source + _encode(plan).bytes * result
    if facts.orientation > 1 or plan.gravity is None:
        held += WORD * plan.resize_width * plan.resize_height / 1e6
    frames = facts.pages if plan.animated else 1
    return BASE_BYTES + LINE_BYTES * facts.width + FRAME_BYTES * frames + int(held * 1e6)


def _megapixels(facts: Measured, plan: RenderPlan) -> tuple[float, float]:
    """Of the source and of the result, all frames that are shown."""
    shown = facts.pages if plan.animated else 1
    return facts.width * facts.height * shown / 1e6, plan.width * plan.height * shown / 1e6


def _decode(facts: Measured) -> Price:
    return DECODE[f"progressive {facts.format}" if facts.interlaced else facts.format]


def _encode(plan: RenderPlan) -> Price:
    pixels = plan.width * plan.height
    if plan.format in PLACEHOLDERS:
        return ENCODE["placeholder"]
    if plan.lossless:
        return ENCODE["lossless"]
    if plan.format == "jpeg" and (plan.slow or (not plan.fast and pixels <= TRELLIS_PIXELS)):
        return ENCODE["jpeg with trellis"]
    if plan.format == "avif" and plan.slow:
        return ENCODE["avif at effort 4"]
    if plan.format == "avif" and not plan.fast and pixels <= AVIF_EFFORT_PIXELS:
        return ENCODE["avif at effort 1"]
    return ENCODE[plan.format]
