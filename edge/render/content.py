"""What kind of picture pixels are: a photograph, or a drawing (screenshot, text, chart, flat art).

The rule of this file: the pixels decide, or how few colours there were, never the name of a format.
"""

from __future__ import annotations

from typing import Any

from edge.render.facts import Facts

Image = Any
"""A pyvips.Image (pyvips carries no types)."""

DRAWING_FLATNESS = 0.6
"""The share of visible pixels that equal their left neighbour, from which on a picture is a drawing. 21 photographs and
scans of 0.1 to 24 megapixels: at most 0.38 at their own size, 0.21 reduced to 500 px, 0.59 as JPEG of quality 30.
Screens of text and flat art, made by code and reduced to 320 to 1280 px: at least 0.66 (2026-11-20)."""

FEW_COLOUR_BITS = 6
"""A source of at most 64 colours is a drawing, also where its edges and shades are no longer flat."""

MOST_PIXELS = 4_000_000
"""Of larger results nothing is measured: they would have to be held in memory. 9 ms at this size."""


def is_drawing(image: Image, source: Facts) -> bool:
    """Whether the source had few colours or most of what is seen is exactly flat.

    Reads the pixels twice, so they should be in memory. Where nothing can be seen it is no drawing.
    """
    if source.palette and source.colour_bits <= FEW_COLOUR_BITS:
        return True
    same = (image == image.wrap(x=1, y=0)).bandand()
    if not image.hasalpha():
        return bool(same.avg() / 255 >= DRAWING_FLATNESS)
    seen = image[image.bands - 1] > 0
    visible = seen.avg()
    return bool(visible > 0 and (same & seen).avg() / visible >= DRAWING_FLATNESS)
