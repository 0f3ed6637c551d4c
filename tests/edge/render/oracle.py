"""What pictures should look like, computed with numpy alone; nothing here comes from edge.render.

pyvips only packs and unpacks files.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyvips

from demo import pictures
from edge.policy.plan import RenderPlan
from edge.render.facts import Limits

LIMITS = Limits(max_pixels=100_000_000, max_frames=600, memory=1536 * 1024 * 1024)

P3_TO_SRGB = np.array([[1.224940, -0.224940, 0.0], [-0.042057, 1.042057, 0.0], [-0.019638, -0.078636, 1.098274]])
"""Linear Display-P3 to linear sRGB (both D65), from the primaries of SMPTE EG 432-1 and IEC 61966-2-1."""


def plan(width: int, height: int, format: str = "png", **changes: Any) -> RenderPlan:
    """A plan that resizes to exactly this size, unless changes say otherwise."""
    values = {"resize_width": width, "resize_height": height, "width": width, "height": height, "format": format}
    if format in ("jpeg", "webp", "avif") and not changes.get("lossless"):
        values["quality"] = 90
    return RenderPlan(**(values | changes))


def to_vips(pixels: np.ndarray, interpretation: str | None = None) -> Any:
    """An image of an array of shape (height, width, bands)."""
    height, width, bands = pixels.shape
    form = {"uint8": "uchar", "uint16": "ushort"}[str(pixels.dtype)]
    image = pyvips.Image.new_from_memory(np.ascontiguousarray(pixels).tobytes(), width, height, bands, form)
    guess = {1: "b-w", 2: "b-w", 3: "srgb", 4: "srgb"}[bands]
    return image.copy(interpretation=interpretation or guess)


def pixels_of(body: bytes, **options: Any) -> np.ndarray:
    """The pixels of a file as stored, shape (height, width, bands)."""
    image = pyvips.Image.new_from_buffer(body, "", **options)
    array: np.ndarray = np.ndarray(
        buffer=image.write_to_memory(), dtype=np.uint8, shape=(image.height, image.width, image.bands)
    )
    return array


def frames_of(body: bytes) -> np.ndarray:
    """All frames of an animation, shape (frames, height, width, bands)."""
    tall = pixels_of(body, n=-1)
    return tall.reshape(field(body, "n-pages"), -1, tall.shape[1], tall.shape[2])


def field(body: bytes, name: str) -> Any:
    """A libvips header field of a file; None without."""
    image = pyvips.Image.new_from_buffer(body, "", **({"n": -1} if name in ("delay", "loop", "n-pages") else {}))
    return image.get(name) if name in image.get_fields() else None


def fields(body: bytes) -> set[str]:
    """The names of all libvips header fields of a file."""
    return set(pyvips.Image.new_from_buffer(body, "").get_fields())


def quadrants(width: int, height: int) -> np.ndarray:
    """The four colours of demo.pictures.QUADRANTS in four quarters."""
    array = np.zeros((height, width, 3), np.uint8)
    red, green, blue, yellow = pictures.QUADRANTS
    array[: height // 2, : width // 2] = red
    array[: height // 2, width // 2 :] = green
    array[height // 2 :, : width // 2] = blue
    array[height // 2 :, width // 2 :] = yellow
    return array


def stored_for(upright: np.ndarray, orientation: int) -> np.ndarray:
    """The raster that Exif 2.32 §4.6.4 wants stored for an upright picture.

    Its table says which upright edges the 0th row and the 0th column are: 1 top/left, 2 top/right, 3 bottom/right,
    4 bottom/left, 5 left/top, 6 right/top, 7 right/bottom, 8 left/bottom.
    """
    rows_are_columns = orientation >= 5
    row_edge, column_edge = {
        1: ("top", "left"),
        2: ("top", "right"),
        3: ("bottom", "right"),
        4: ("bottom", "left"),
        5: ("left", "top"),
        6: ("right", "top"),
        7: ("right", "bottom"),
        8: ("left", "bottom"),
    }[orientation]
    stored = upright.swapaxes(0, 1) if rows_are_columns else upright
    if row_edge in ("bottom", "right"):
        stored = stored[::-1]
    if column_edge in ("bottom", "right"):
        stored = stored[:, ::-1]
    return np.ascontiguousarray(stored)


def linear(values: Any) -> np.ndarray:
    """sRGB numbers (0 … 255) as light (0 … 1), IEC 61966-2-1."""
    v = np.asarray(values, np.float64) / 255
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def gamma(light: Any) -> np.ndarray:
    """Light (0 … 1) as sRGB numbers (0 … 255)."""
    v = np.clip(light, 0, 1)
    return np.where(v <= 0.0031308, v * 12.92, 1.055 * v ** (1 / 2.4) - 0.055) * 255


def p3_as_srgb(colour: Any) -> np.ndarray:
    """Display-P3 numbers as sRGB numbers, clipped."""
    return gamma(P3_TO_SRGB @ linear(colour))


def close(actual: Any, expected: Any, tolerance: float) -> bool:
    """Whether no number is further off than the tolerance."""
    difference = np.abs(np.asarray(actual, np.float64) - np.asarray(expected, np.float64))
    return bool(difference.max() <= tolerance)


def centres(pixels: np.ndarray) -> np.ndarray:
    """The colours in the middle of the four quarters, in the order of QUADRANTS."""
    height, width = pixels.shape[:2]
    return np.array([pixels[y, x, :3] for y in (height // 4, height * 3 // 4) for x in (width // 4, width * 3 // 4)])


def times_of(body: bytes) -> list[int]:
    """The milliseconds of every frame of an animated WebP or a GIF, from the file's own bytes: libvips hands out short
    times as 100."""
    if body.startswith(b"GIF"):
        found = re.findall(rb"\x21\xf9\x04.(..).\0\x2c", body, re.DOTALL)
        return [10 * int.from_bytes(delay, "little") for delay in found]
    times, at = [], 12
    while at < len(body):
        name, size = body[at : at + 4], int.from_bytes(body[at + 4 : at + 8], "little")
        if name == b"ANMF":
            times.append(int.from_bytes(body[at + 20 : at + 23], "little"))
        at += 8 + size + (size & 1)
    return times
