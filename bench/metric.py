"""How alike two pictures look: SSIMULACRA2 by the `ssimulacra2` package from PyPI (pure Python on numpy and scipy).

The rule of this file: pictures are compared as sRGB, transparent ones on white, without the BORDER pixels in which
resamplers differ by how they continue a picture beyond its edge. 90 cannot be told apart side by side, 70 is high
quality, 50 medium, 30 low.
"""

from __future__ import annotations

import io
from typing import Any

Image = Any
"""A pyvips.Image (pyvips carries no types)."""

BORDER = 8
"""Pixels cut away on each side before two pictures are compared."""


def score(reference: Image, picture: Image) -> float:
    """SSIMULACRA2 of a picture against the reference, which must have the same size. Raises SystemExit where the
    package is missing."""
    try:
        from ssimulacra2 import compute_ssimulacra2
    except ImportError:
        raise SystemExit("the score needs a package: pip install ssimulacra2") from None
    return float(compute_ssimulacra2(_cut(reference), _cut(picture)))


def _cut(image: Image) -> io.BytesIO:
    """The picture as a PNG in memory, three bands, without its border."""
    flat = image.flatten(background=255) if image.hasalpha() else image
    if "icc-profile-data" in flat.get_fields():
        flat = flat.icc_transform("srgb", embedded=True, intent="relative")
    inner = flat.colourspace("srgb").crop(BORDER, BORDER, image.width - 2 * BORDER, image.height - 2 * BORDER)
    return io.BytesIO(inner.pngsave_buffer(keep="none", compression=1))
