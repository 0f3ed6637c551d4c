"""The ground a picture lies on: padding, and what shows through where it is transparent.

The rule of this file: without a background the ground is transparent, or white where the format has no transparency.
"""

from __future__ import annotations

from typing import Any

from edge.policy.plan import RenderPlan
from edge.render import colour

Image = Any
"""A pyvips.Image (pyvips carries no types)."""


def laid(frames: list[Image], plan: RenderPlan, transparent: bool) -> list[Image]:
    """The frames on the plan's canvas and background (libvips flatten, embed, composite2).

    transparent: the format can be.
    """
    first = frames[0]
    pads = (plan.width, plan.height) != (first.width, first.height)
    wanted = plan.background or ("" if transparent else "ffffff")
    if not pads and not (wanted and first.hasalpha()):
        return frames
    frames = [frame if frame.bands > 2 else frame.colourspace("srgb") for frame in frames]
    red, green, blue, alpha = colour.background(wanted or "00000000", frames[0])
    if not transparent and alpha < 255:
        red, green, blue = (value * alpha / 255 + 255 - alpha for value in (red, green, blue))
        alpha = 255.0
    focus_x, focus_y = plan.gravity or (0.5, 0.5)
    left = round((plan.width - first.width) * focus_x)
    top = round((plan.height - first.height) * focus_y)

    def on_ground(frame: Image) -> Image:
        if alpha == 255:
            solid = frame.flatten(background=[red, green, blue]) if frame.hasalpha() else frame
            return solid.embed(left, top, plan.width, plan.height, extend="background", background=[red, green, blue])
        clear = frame if frame.hasalpha() else frame.addalpha()
        placed = clear.embed(left, top, plan.width, plan.height, extend="background", background=[0, 0, 0, 0])
        if alpha == 0:
            return placed
        ground = placed.new_from_image([red, green, blue, alpha]).cast("uchar")
        return ground.composite2(placed, "over").rint().cast("uchar")

    return [on_ground(frame) for frame in frames]
