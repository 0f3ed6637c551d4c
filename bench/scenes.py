"""Pictures that are no photographs, made by code: text as on a screen, and flat art.

The rule of this file: fixed seeds, so that every run measures the same pictures.
"""

from __future__ import annotations

import random
from typing import Any

import pyvips

Image = Any
"""A pyvips.Image (pyvips carries no types)."""

_WORDS = [
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "a",
    "lazy",
    "dog",
    "while",
    "packets",
    "arrive",
    "in",
    "order",
]
_INKS = ([24, 24, 32], [190, 30, 40], [30, 70, 200], [20, 120, 70])


def screen(width: int = 2400, height: int = 1500) -> Image:
    """Coloured text and panels, as a screenshot of a page."""
    chance = random.Random(5)
    page = (
        pyvips.Image.black(width, height, bands=3).linear(1, [250, 250, 252]).cast("uchar").copy(interpretation="srgb")
    )
    page = page.draw_rect([36, 41, 56], 0, 0, width // 6, height, fill=True)
    for line in range(height // 60):
        words = " ".join(chance.choice(_WORDS) for _ in range(14))
        mask = pyvips.Image.text(words, dpi=150).embed(width // 6 + 40, 20 + line * 60, width, height)
        page = mask.ifthenelse(_INKS[line % len(_INKS)], page, blend=True).cast("uchar").copy_memory()
    return page.copy(interpretation="srgb")


def flat_art(side: int = 2000) -> Image:
    """Overlapping discs of plain colours with smooth edges."""
    chance = random.Random(9)
    shapes = "".join(
        f'<circle cx="{chance.randrange(side)}" cy="{chance.randrange(side)}" '
        f'r="{chance.randrange(side // 20, side // 5)}" '
        f'fill="rgb({chance.randrange(256)},{chance.randrange(256)},{chance.randrange(256)})"/>'
        for _ in range(40)
    )
    drawing = f'<svg xmlns="http://www.w3.org/2000/svg" width="{side}" height="{side}">{shapes}</svg>'
    return pyvips.Image.svgload_buffer(drawing.encode()).flatten(background=[255, 244, 230]).copy_memory()


SCENES = {"screen.png": screen, "flat-art.png": flat_art}
