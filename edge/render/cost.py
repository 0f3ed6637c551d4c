"""What a rendering will cost, predicted from its header and plan.

The rule of this file: the figures only order a queue and keep the memory of a node, so they are a table of ms and
bytes per pixel, not a model. Measured as CPU time on a 2-core x86-64 virtual machine, 2026-11-20, libvips 8.18.7.
"""

from __future__ import annotations

from edge.policy.plan import RenderPlan
from edge.render.facts import Facts

CHEAP_MS = 100.0
"""What the renderer that is kept for cheap jobs takes: an avatar, also of a large JPEG (40 to 60 ms)."""

DECODE_MS = {"jpeg": 5.0, "png": 22.0, "gif": 12.0, "webp": 14.0, "avif": 25.0, "tiff": 10.0, "svg": 0.0}
"""A megapixel of the source, of all frames."""
RESIZE_MS = 18.0
"""A megapixel that goes through linear light."""
ENCODE_MS = {"jpeg": 60.0, "png": 80.0, "gif": 150.0, "webp": 50.0, "avif": 150.0}
"""A megapixel of the result, of all frames."""
LOSSLESS_MS = 600.0
BASE_MS = 3.0

DECODE_BYTES = {"jpeg": 6, "png": 8, "gif": 8, "webp": 8, "avif": 12, "tiff": 8, "svg": 0}
"""A pixel of one source frame, where the decoder holds the whole picture (progressive JPEG: coefficients)."""
ENCODE_BYTES = {"jpeg": 12, "png": 10, "gif": 16, "webp": 24, "avif": 60}
"""A pixel of one result frame."""
BASE_BYTES = 96 * 1024 * 1024
"""A renderer that has worked before."""
LINE_BYTES = 16 * 3 * 512
"""A source column, where the decoder works line by line: floats for some hundred lines."""


def milliseconds(facts: Facts, plan: RenderPlan) -> float:
    """About how long one renderer will work."""
    shown = facts.pages if plan.animated else 1
    source = facts.width * facts.height * shown / 1e6
    result = plan.width * plan.height * shown / 1e6
    resized = plan.resize_width * plan.resize_height * shown / 1e6
    linear = min(source, 4 * 4 * resized) if resized != source else 0.0
    encode = LOSSLESS_MS if plan.lossless else ENCODE_MS[plan.format]
    return BASE_MS + DECODE_MS[facts.format] * source + RESIZE_MS * min(linear, 4.0) + encode * result


def memory(facts: Facts, plan: RenderPlan) -> int:
    """About how many bytes a renderer will use at most, its own included."""
    shown = facts.pages if plan.animated else 1
    whole = facts.interlaced or facts.format in ("webp", "avif", "gif")
    source = facts.width * facts.height * DECODE_BYTES[facts.format] if whole else facts.width * LINE_BYTES
    resized = plan.resize_width * plan.resize_height * 4 * shown
    result = plan.width * plan.height * (ENCODE_BYTES[plan.format] + 4 * shown)
    return BASE_BYTES + source + resized + result
