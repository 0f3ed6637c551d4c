"""What the steps of a rendering share.

The rule of this file: one Work is one rendering under way; it is filled from top to bottom and decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from edge.policy.plan import RenderPlan
from edge.render import gain_map
from edge.render.containers import Bytes
from edge.render.encode import FORMATS
from edge.render.facts import Facts, Limits
from edge.render.kinds import Kind
from edge.render.reel import Reel

Image = Any
"""A pyvips.Image (pyvips carries no types)."""


@dataclass(slots=True)
class Work:
    """One rendering while it is made. The steps fill it from top to bottom."""

    source: Bytes
    plan: RenderPlan
    limits: Limits

    kind: Kind = field(init=False)
    """By magic bytes."""
    facts: Facts = field(init=False)
    """By the header."""
    reel: Reel = field(init=False)
    """The bytes that the frames are read from, which must stay alive as long as they are."""
    frames: list[Image] = field(default_factory=list)
    """The pictures: one, or all of an animation. As stored until `turn`, upright from there."""
    timing: dict[str, Any] = field(default_factory=dict)
    """An animation's delays (ms a frame) and loop count (0 is endless), as libvips names them."""
    copyright: dict[str, str] = field(default_factory=dict)
    """Exif fields that survive."""
    gain_map: gain_map.Fields = field(default_factory=dict)
    """Header fields that carry an HDR gain map along."""
    grey: bool = False
    linear: bool = False
    body: bytes = b""
    """The finished rendering."""

    def each(self, change: Callable[[Image], Image]) -> None:
        """Change every frame."""
        self.frames = [change(frame) for frame in self.frames]

    @property
    def animated(self) -> bool:
        """Whether all frames are shown."""
        return self.plan.animated and self.facts.pages > 1 and FORMATS[self.plan.format].animated

    @property
    def stored_size(self) -> tuple[int, int]:
        """The plan's size before the crop, turned into the stored raster's directions."""
        width, height = self.plan.resize_width, self.plan.resize_height
        return (height, width) if self.facts.orientation >= 5 else (width, height)

    @property
    def resizes(self) -> bool:
        """Whether any frame has not yet the plan's size before the crop."""
        return (self.frames[0].width, self.frames[0].height) != self.stored_size
