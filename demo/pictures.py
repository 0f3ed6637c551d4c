"""Pictures made by code: what the demo uploads and what the tests render.

The rule of this file: every picture comes from arithmetic with fixed seeds, so the same code always gives the
same picture, and nobody else's photograph is needed. Colours of the photo are composed directly as Display-P3
values; the other pictures are sRGB. Only libvips operations and plain Python are used.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyvips

Image = Any
"""A pyvips.Image (pyvips carries no types)."""

Colour = Sequence[float]

PHOTO = "evening-hills.jpg"
TRANSPARENT = "gem.png"
ANIMATION = "orbit.gif"
DRAWING = "facet.svg"


def write_all(folder: Path) -> dict[str, Path]:
    """Write the four demo pictures into the folder (made if missing); their paths by file name."""
    folder.mkdir(parents=True, exist_ok=True)
    makers: dict[str, Callable[[], bytes]] = {
        PHOTO: photo,
        TRANSPARENT: transparent_png,
        ANIMATION: animation,
        DRAWING: drawing,
    }
    paths = {}
    for name, make in makers.items():
        paths[name] = folder / name
        paths[name].write_bytes(make())
    return paths


# The photograph: hills over water in the evening, poppies in front.


def photo(width: int = 3024, height: int = 4032, *, quality: int = 90, orientation: int = 6) -> bytes:
    """A photo-like JPEG as a phone writes it, seen upright at width × height pixels.

    The raster is stored as a sensor would deliver it (for the default orientation 6: 4032 × 3024, turned) with the
    Exif orientation that sets it upright, a Display-P3 profile and a GPS position.
    """
    scene = landscape(width, height)
    stored = turned_for(scene, orientation)
    fields = {
        "exif-ifd0-Make": "Facet",
        "exif-ifd0-Model": "Pictures made by code",
        "exif-ifd0-Copyright": "Public domain",
        "exif-ifd0-DateTime": "2026:06:21 20:45:00",
        **GPS_FIELDS,
    }
    tagged = with_metadata(stored, orientation=orientation, fields=fields, profile=display_p3())
    return bytes(tagged.jpegsave_buffer(Q=quality, keep="all"))


GPS_FIELDS = {
    "exif-ifd3-GPSLatitudeRef": "N",
    "exif-ifd3-GPSLatitude": "52/1 31/1 123/10",
    "exif-ifd3-GPSLongitudeRef": "E",
    "exif-ifd3-GPSLongitude": "13/1 24/1 456/10",
}
"""A position, so that tests can prove that no rendering tells it."""


def landscape(width: int, height: int) -> Image:
    """The scene of `photo`, upright: three bands of 8 bits, Display-P3 values without a profile."""
    at = pyvips.Image.xyz(width, height)
    x, y = at[0] / width, at[1] / height
    unit = max(width, height) / 4032
    horizon = 0.56

    sky = _blend((y / horizon) ** 1.4, (52, 98, 176), (252, 190, 128))
    distance = ((x - 0.68) ** 2 + ((y - 0.385) * height / width) ** 2) ** 0.5
    glow = (distance * -5.5).exp().copy_memory()
    picture = _mix(sky, (255, 226, 158), glow * 0.9)
    sun = _step(distance, 0.036, 0.034)
    picture = _mix(picture, (255, 246, 214), sun)

    clouds = _octaves(width, height, cell=900 * unit, count=7, seed=11, squash=3.2)
    cover = _step(clouds, 0.02, 0.42) * _step(y, horizon, 0.1) * 0.85
    lit = _blend(glow * 1.6 + 0.25, (214, 178, 190), (255, 236, 206))
    picture = _mix(picture, lit, cover)

    ridges = (
        (0.430, 0.070, 700, (150, 142, 172), 21),
        (0.475, 0.060, 520, (104, 112, 148), 22),
        (0.510, 0.045, 340, (66, 84, 108), 23),
        (0.548, 0.030, 220, (34, 54, 58), 24),
    )
    for number, (level, swing, cell, colour, seed) in enumerate(ridges):
        edge = _ridge(width, height, cell * unit, seed) * swing + level
        if number == len(ridges) - 1:
            edge = edge + _ridge(width, height, 14 * unit, 31, count=2) * 0.009
        below = _step(edge - y, 0.0006, -0.0006)
        texture = _octaves(width, height, cell=60 * unit, count=5, seed=seed + 40)
        haze = (y - edge).linear(9, 0)
        shaded = _shade(
            _mix(_plain(width, height, colour), (236, 190, 160), _clip(haze) * 0.45), texture, 0.10 * (number + 1)
        )
        picture = _mix(picture, shaded, below)

    picture = _mix(picture, _water(picture, x, y, horizon, unit), _step(y, horizon, horizon + 0.001))

    meadow = _meadow(width, height, y, unit)
    shore = _ridge(width, height, 600 * unit, 51) * 0.035 + 0.735 + _ridge(width, height, 9 * unit, 52, count=2) * 0.012
    picture = _mix(picture, meadow, _step(shore - y, 0.001, -0.001))

    corner = ((x - 0.5) ** 2 + (y - 0.5) ** 2) * 0.35
    grain = pyvips.Image.gaussnoise(width, height, mean=0, sigma=2.2, seed=61)
    picture = picture * (1 - corner) + grain
    return (picture > 255).ifthenelse(255, picture).cast("uchar").copy(interpretation="srgb")


def _water(picture: Image, x: Image, y: Image, horizon: float, unit: float) -> Image:
    """What stands above the horizon, mirrored, wavy and darker towards the viewer."""
    width, height = picture.width, picture.height
    depth = y - horizon
    waves = _octaves(width, height, cell=120 * unit, count=6, seed=71, squash=9)
    sway = waves * (_clip(depth * 6) * 0.05 + 0.004)
    source_y = ((horizon - depth * 1.25 + sway) * height).clamp(min=0, max=horizon * height - 2)
    source_x = ((x + sway * 0.35) * width).clamp(min=0, max=width - 2)
    above = picture.crop(0, 0, width, math.ceil(horizon * height)).cast("uchar").copy_memory()
    mirrored = above.mapim(source_x.bandjoin(source_y), extend="copy")
    return _shade(_mix(mirrored, (18, 44, 70), _clip(depth * 2.2 + 0.12)), waves, 0.35)


def _meadow(width: int, height: int, y: Image, unit: float) -> Image:
    """Grass in blades that grow towards the viewer, with poppies redder than sRGB can show."""
    blades = _octaves(width, height, cell=52 * unit, count=5, seed=81, squash=0.16, gain=0.8)
    clumps = _octaves(width, height, cell=420 * unit, count=5, seed=82)
    near = _clip((y - 0.72) * 3.4)
    grass = _mix(_blend(_clip(clumps + 0.5), (44, 78, 34), (128, 136, 62)), (24, 46, 22), near * 0.6)
    grass = _shade(grass, blades, 0.8)
    for cell, seed, start in ((70, 91, 0.74), (120, 92, 0.80), (210, 93, 0.88)):
        size = max(4, round(cell * unit))
        distance = pyvips.Image.worley(width, height, cell_size=size, seed=seed)
        wobble = _octaves(width, height, cell=size / 2, count=3, seed=seed + 5)
        radius = distance / size + wobble * 0.18
        thin = _step(_octaves(width, height, cell=size * 4, count=2, seed=seed + 9), 0.02, 0.10)
        petal = _step(radius, 0.20, 0.17) * thin * _step(y, start, start + 0.04)
        red = _shade(_blend(_clip(radius * 5), (255, 84, 30), (226, 12, 20)), blades * 0.4 + wobble, 0.6)
        grass = _mix(grass, red, petal)
        grass = _mix(grass, (44, 10, 18), _step(distance, size * 0.055, size * 0.040) * petal)
    return grass


def _octaves(
    width: int, height: int, *, cell: float, count: int, seed: int, squash: float = 1.0, gain: float = 0.55
) -> Image:
    """Perlin noise of several scales added up, about -0.7 … 0.7; `squash` > 1 lays it flat, < 1 stretches it up."""
    wide = math.ceil(width / max(squash, 1))
    tall = math.ceil(height * min(squash, 1))
    total = pyvips.Image.black(wide, tall)
    for octave in range(count):
        size = round(cell / 2**octave)
        if size < 3:
            break
        total = total + pyvips.Image.perlin(wide, tall, cell_size=size, seed=seed + 100 * octave) * gain**octave
    if squash != 1:
        total = total.resize(width / wide, vscale=height / tall, kernel="cubic").crop(0, 0, width, height)
    return total.copy_memory()


def _ridge(width: int, height: int, cell: float, seed: int, count: int = 7) -> Image:
    """One noisy line over the width, -0.7 … 0.7, repeated down the picture."""
    row = _octaves(width, 1, cell=max(cell, 2), count=count, seed=seed, gain=0.5)
    return row.replicate(1, height)


def _plain(width: int, height: int, colour: Colour) -> Image:
    return pyvips.Image.black(width, height, bands=3).linear([1, 1, 1], list(colour))


def _clip(image: Image) -> Image:
    """Values kept within 0 … 1."""
    return image.clamp(min=0, max=1)


def _step(image: Image, zero: float, one: float) -> Image:
    """0 where the image is at `zero` or beyond, 1 at `one` or beyond, smooth between."""
    return (_clip((image - zero) / (one - zero)) * 180).cos() * -0.5 + 0.5


def _blend(t: Image, low: Colour, high: Colour) -> Image:
    """The colour between low (t = 0) and high (t = 1) for every pixel."""
    return _clip(t).linear([b - a for a, b in zip(low, high, strict=True)], list(low))


def _mix(below: Image, above: Image | Colour, mask: Image) -> Image:
    """`above` over `below` by a mask of 0 … 1; every input is read once, so a chain of these stays linear in cost."""
    top = list(above) if isinstance(above, tuple) else above
    return (_clip(mask) * 255).cast("uchar").ifthenelse(top, below, blend=True)


def _shade(image: Image, texture: Image, strength: float) -> Image:
    """The image made lighter and darker by a texture around zero."""
    return image * (texture * strength + 1)


# The other pictures.


def drawing() -> bytes:
    """An SVG: a cut stone on a transparent ground, 480 × 480."""
    return _gem(background=True).encode()


def transparent_png(size: int = 1024) -> bytes:
    """The cut stone as a PNG with soft, half-transparent edges and a shadow."""
    gem = pyvips.Image.svgload_buffer(_gem(background=False).encode(), scale=size / 480).copy(interpretation="srgb")
    shade = gem[3].gaussblur(size / 40).linear([0.45], [0])
    shadow = _plain(gem.width, gem.height, (16, 20, 60)).bandjoin(shade).cast("uchar").copy(interpretation="srgb")
    both = shadow.wrap(x=0, y=round(size / 40)).composite2(gem, "over")
    return bytes(both.cast("uchar").pngsave_buffer(compression=6))


def _gem(*, background: bool) -> str:
    """An SVG of a stone with eight facets around a table."""
    rim = [_polar(170, 22.5 + 45 * n) for n in range(8)]
    table = [_polar(88, 45 * n) for n in range(8)]
    shades = ("#7ad7ff", "#4fb6f5", "#2f86e0", "#2a5fc9", "#3b46b8", "#5a3fc0", "#8a55d8", "#8fb2ff")
    shapes = []
    for n in range(8):
        after = (n + 1) % 8
        shapes.append(_polygon((rim[n], rim[n - 1], table[n]), shades[n], 0.88))
        shapes.append(_polygon((rim[n], table[n], table[after]), shades[(n + 3) % 8], 0.72))
    shapes.append(_polygon(table, "url(#light)", 0.92))
    ground = '<rect width="480" height="480" rx="96" fill="url(#ground)"/>' if background else ""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="480" height="480" viewBox="0 0 480 480"><defs>'
        '<linearGradient id="light" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="#ffffff"/>'
        '<stop offset="1" stop-color="#9fd4ff"/></linearGradient>'
        '<radialGradient id="ground" cx="0.35" cy="0.3" r="0.9"><stop offset="0" stop-color="#fdf6e8"/>'
        '<stop offset="1" stop-color="#e9d3c8"/></radialGradient></defs>'
        f"{ground}{''.join(shapes)}</svg>"
    )


def _polar(radius: float, degrees: float) -> tuple[float, float]:
    angle = math.radians(degrees)
    return 240 + radius * math.cos(angle), 240 + radius * math.sin(angle)


def _polygon(points: Iterable[tuple[float, float]], fill: str, opacity: float) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polygon points="{path}" fill="{fill}" fill-opacity="{opacity}" stroke="#ffffff" stroke-width="1.5"/>'


def animation(size: int = 240, frames: int = 12) -> bytes:
    """An animated GIF: marbles circling on a transparent ground, unequal delays, endless, written frame by frame.

    Each frame is a part of the canvas that is cleared again before the next (disposal 2), so only a reader that
    follows disposal shows one marble of each colour.
    """
    palette = [(0, 0, 0), (255, 255, 255), *(_marble_shades((40, 120, 230))), *(_marble_shades((240, 110, 40)))]
    made = []
    for number in range(frames):
        turn = 2 * math.pi * number / frames
        canvas = bytearray(size * size)
        for offset, first in ((0.0, 2), (math.pi, 10)):
            cx = size / 2 + math.cos(turn + offset) * size * 0.33
            cy = size / 2 + math.sin(turn + offset) * size * 0.33
            _draw_marble(canvas, size, cx, cy, size * 0.13, first)
        top, bottom, left, right = _bounds(canvas, size)
        part = b"".join(bytes(canvas[row * size + left : row * size + right]) for row in range(top, bottom))
        delay = 4 + (number % 4) * 2
        made.append(GifFrame(part, left, top, right - left, bottom - top, delay=delay, disposal=2, transparent=0))
    return gif(size, size, palette, made, loop=0)


def _marble_shades(colour: tuple[int, int, int]) -> list[tuple[int, int, int]]:
    """Eight shades of one colour, dark to nearly white."""
    r, g, b = colour
    dark = [(round(r * f), round(g * f), round(b * f)) for f in (0.35, 0.55, 0.75, 0.9, 1.0)]
    light = [(round(r + (255 - r) * f), round(g + (255 - g) * f), round(b + (255 - b) * f)) for f in (0.3, 0.6, 0.9)]
    return dark + light


def _draw_marble(canvas: bytearray, size: int, cx: float, cy: float, radius: float, first: int) -> None:
    for row in range(max(0, math.floor(cy - radius)), min(size, math.ceil(cy + radius))):
        for column in range(max(0, math.floor(cx - radius)), min(size, math.ceil(cx + radius))):
            dx, dy = (column + 0.5 - cx) / radius, (row + 0.5 - cy) / radius
            if dx * dx + dy * dy <= 1:
                light = 1 - math.hypot(dx + 0.4, dy + 0.4) / 1.6
                canvas[row * size + column] = first + min(7, max(0, round(light * 8)))


def _bounds(canvas: bytearray, size: int) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of what is drawn (ends exclusive)."""
    used = [number for number, value in enumerate(canvas) if value]
    columns = [number % size for number in used]
    return used[0] // size, used[-1] // size + 1, min(columns), max(columns) + 1


# Helpers for tests: pictures whose every pixel is known.

QUADRANTS: tuple[tuple[int, int, int], ...] = ((230, 30, 30), (30, 200, 40), (30, 60, 230), (240, 220, 40))
"""Red, green, blue, yellow: top left, top right, bottom left, bottom right of `quadrants`, seen upright."""


def solid(width: int, height: int, colour: Colour) -> Image:
    """One colour everywhere: 1 (grey), 3 (sRGB) or 4 (sRGB and alpha) bands of 8 bits."""
    interpretation = "b-w" if len(colour) < 3 else "srgb"
    ground = pyvips.Image.black(width, height, bands=len(colour)) + list(colour)
    return ground.cast("uchar").copy(interpretation=interpretation)


def quadrants(width: int, height: int) -> Image:
    """Four colours in four quarters, so that every turn and mirroring shows."""
    half_width, half_height = width // 2, height // 2
    right, low = width - half_width, height - half_height
    tiles = [
        solid(tile_width, tile_height, colour)
        for (tile_width, tile_height), colour in zip(
            ((half_width, half_height), (right, half_height), (half_width, low), (right, low)), QUADRANTS, strict=True
        )
    ]
    top, bottom = tiles[0].join(tiles[1], "horizontal"), tiles[2].join(tiles[3], "horizontal")
    return top.join(bottom, "vertical")


def turned_for(upright: Image, orientation: int) -> Image:
    """The raster that a file with this Exif orientation (1 … 8) must store to be seen as `upright`."""
    undo: dict[int, Callable[[Image], Image]] = {
        1: lambda image: image,
        2: lambda image: image.fliphor(),
        3: lambda image: image.rot180(),
        4: lambda image: image.flipver(),
        5: lambda image: image.rot90().fliphor(),
        6: lambda image: image.copy_memory().rot270(),
        7: lambda image: image.rot270().fliphor(),
        8: lambda image: image.copy_memory().rot90(),
    }
    return undo[orientation](upright)


def with_metadata(
    image: Image, *, orientation: int = 1, fields: dict[str, str] | None = None, profile: bytes | None = None
) -> Image:
    """The image with Exif orientation, Exif fields by libvips name, and an ICC profile; saved with keep="all"."""
    tagged = image.copy()
    tagged.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    tagged.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Orientation", str(orientation))
    for name, value in (fields or {}).items():
        tagged.set_type(pyvips.GValue.gstr_type, name, value)
    if profile is not None:
        tagged.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return tagged


def display_p3() -> bytes:
    """A Display-P3 ICC profile (the one that libvips carries)."""
    return bytes(pyvips.Operation.call("profile_load", "p3"))


@dataclass(frozen=True)
class GifFrame:
    """Palette indices of one part of the canvas, row by row; the delay is in hundredths of a second."""

    pixels: bytes
    left: int
    top: int
    width: int
    height: int
    delay: int
    disposal: int = 1
    transparent: int | None = None


def gif(
    width: int,
    height: int,
    palette: Sequence[tuple[int, int, int]],
    frames: Iterable[GifFrame],
    *,
    loop: int | None = 0,
) -> bytes:
    """A GIF89a file exactly as described: no frame is merged, cropped or reordered.

    `loop` 0 is endless, None leaves the looping block out. At most 256 colours.
    """
    bits = max(2, (len(palette) - 1).bit_length())
    table = b"".join(bytes(colour) for colour in palette).ljust(3 << bits, b"\0")
    parts = [b"GIF89a", struct.pack("<HHBBB", width, height, 0x80 | (bits - 1), 0, 0), table]
    if loop is not None:
        parts.append(b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", loop) + b"\0")
    for frame in frames:
        flags = frame.disposal << 2 | (frame.transparent is not None)
        parts.append(b"\x21\xf9\x04" + struct.pack("<BHB", flags, frame.delay, frame.transparent or 0) + b"\0")
        parts.append(b"\x2c" + struct.pack("<HHHHB", frame.left, frame.top, frame.width, frame.height, 0))
        parts.append(bytes([bits]) + _blocks(_lzw(frame.pixels, bits)) + b"\0")
    return b"".join(parts) + b"\x3b"


def _blocks(data: bytes) -> bytes:
    """Sub-blocks of at most 255 bytes, each with its length first."""
    return b"".join(bytes([len(data[at : at + 255])]) + data[at : at + 255] for at in range(0, len(data), 255))


def _lzw(pixels: bytes, bits: int) -> bytes:
    """GIF's LZW (codes least significant bit first, at most 12 bits wide)."""
    clear, end = 1 << bits, (1 << bits) + 1
    out, held, count = bytearray(), 0, 0
    table: dict[bytes, int] = {}
    width = bits + 1

    def emit(code: int) -> None:
        nonlocal held, count
        held |= code << count
        count += width
        while count >= 8:
            out.append(held & 255)
            held >>= 8
            count -= 8

    emit(clear)
    table = {bytes([value]): value for value in range(clear)}
    following = end + 1
    run = b""
    for value in pixels:
        longer = run + bytes([value])
        if longer in table:
            run = longer
            continue
        emit(table[run])
        if following < 4096:
            table[longer] = following
            if following == 1 << width:
                width += 1
            following += 1
        else:
            emit(clear)
            table = {bytes([single]): single for single in range(clear)}
            following, width = end + 1, bits + 1
        run = bytes([value])
    emit(table[run])
    emit(end)
    if count:
        out.append(held & 255)
    return bytes(out)
