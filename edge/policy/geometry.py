"""Sizes: what w, h, fit and enlarge come to, in exact pixels.

The rule of this file: whole numbers only, halves round up. Without enlarge=1 nothing is ever made larger: a box that
would need it shrinks, keeping its ratio, until it does not; the canvas of pad stays, its picture does not grow.
"""

from __future__ import annotations

from typing import NamedTuple

from edge.policy.variant import Variant


class Geometry(NamedTuple):
    """Resize the whole picture to (resize_width, resize_height), then crop or place it to (width, height)."""

    resize_width: int
    resize_height: int
    width: int
    height: int

    @property
    def pads(self) -> bool:
        """Whether some of the result lies outside the picture."""
        return self.width > self.resize_width or self.height > self.resize_height

    def within(self, side: int) -> Geometry:
        """The same geometry, reduced until no side of the result is longer than this."""
        longer = max(self.width, self.height)
        return self if longer <= side else Geometry(*(_scaled(value, side, longer) for value in self))

    @property
    def crops(self) -> bool:
        """Whether some of the picture lies outside the result."""
        return self.width < self.resize_width or self.height < self.resize_height


def geometry(width: int, height: int, variant: Variant, max_side: int, *, vector: bool = False) -> Geometry:
    """The geometry of a variant of an upright picture of width × height pixels.

    vector: may be enlarged without loss. No resized side is longer than max_side, however long the source's other
    side is; a variant that gives neither w nor h leaves the size alone.
    """
    enlarge = variant.enlarge or vector
    if not variant.width and not variant.height:
        return Geometry(width, height, width, height)
    if variant.fit in ("contain", "pad"):
        inner = _contained(width, height, variant.width or max_side, variant.height or max_side, enlarge)
        return Geometry(*inner, *((variant.width, variant.height) if variant.fit == "pad" else inner))
    box = variant.width, variant.height
    if not enlarge:
        box = _shrunk(*box, width, height)
    return Geometry(*(box if variant.fit == "fill" else _covering(width, height, *box)), *box)


def _contained(width: int, height: int, box_width: int, box_height: int, enlarge: bool) -> tuple[int, int]:
    """The largest size of this ratio within the box."""
    if not enlarge and width <= box_width and height <= box_height:
        return width, height
    if box_width * height <= box_height * width:
        return box_width, _scaled(height, box_width, width)
    return _scaled(width, box_height, height), box_height


def _covering(width: int, height: int, box_width: int, box_height: int) -> tuple[int, int]:
    """The smallest size of this ratio that covers the box."""
    if box_width * height >= box_height * width:
        return box_width, _scaled(height, box_width, width)
    return _scaled(width, box_height, height), box_height


def _shrunk(box_width: int, box_height: int, width: int, height: int) -> tuple[int, int]:
    """The box, or the largest of its ratio that lies within the picture."""
    return _contained(box_width, box_height, width, height, enlarge=False)


def _scaled(side: int, numerator: int, denominator: int) -> int:
    """side × numerator ÷ denominator in whole pixels, halves up, at least 1."""
    return max(1, (2 * side * numerator + denominator) // (2 * denominator))
