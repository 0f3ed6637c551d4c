"""Placeholders: a picture in a few characters, to be shown until the picture is there.

The rule of this file: a small sRGB picture comes in, text goes out. Sums of cosines are taken along rows first and
then along columns. Sources: the BlurHash algorithm description (woltapp/blurhash, Algorithm.md), the ThumbHash
reference encoder (evanw/thumbhash).
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

Image = Any
"""A pyvips.Image (pyvips carries no types)."""
Channel = list[list[float]]
"""Rows of numbers."""

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"


def blurhash(image: Image) -> bytes:
    """The BlurHash: 4 components along the longer side, 3 along the other; transparent parts on white."""
    rows = _pixels(image.flatten(background=255) if image.hasalpha() else image)
    across, down = (4, 3) if image.width >= image.height else (3, 4)
    factors = []
    for band in range(3):
        light = [[_light(pixel[band]) for pixel in row] for row in rows]
        sums = _cosines(light, across, down, 0.0)
        factors.append([sums[y][x] * (1 if x == y == 0 else 2) for y in range(down) for x in range(across)])
    most = max(abs(value) for channel in factors for value in channel[1:])
    scale = max(0, min(82, math.floor(most * 166 - 0.5)))
    text = _base83(across - 1 + (down - 1) * 9, 1) + _base83(scale, 1)
    red, green, blue = (_display(channel[0]) for channel in factors)
    text += _base83(red << 16 | green << 8 | blue, 4)
    for values in list(zip(*factors, strict=True))[1:]:
        code = 0
        for value in values:
            part = value / ((scale + 1) / 166)
            code = code * 19 + max(0, min(18, math.floor(math.copysign(abs(part) ** 0.5, part) * 9 + 9.5)))
        text += _base83(code, 2)
    return text.encode()


def thumbhash(image: Image) -> bytes:
    """The ThumbHash in Base64; keeps the ratio and transparency."""
    rows = _pixels(image)
    count = image.width * image.height
    seen = [[(pixel[3] / 255 if len(pixel) > 3 else 1.0) for pixel in row] for row in rows]
    visible = sum(map(sum, seen)) or 1.0
    weighted = [
        (pixel, a) for row, alphas in zip(rows, seen, strict=True) for pixel, a in zip(row, alphas, strict=True)
    ]
    mean = [sum(pixel[band] / 255 * a for pixel, a in weighted) / visible for band in range(3)]
    has_alpha = visible < count
    luma: Channel = []
    yellow_blue: Channel = []
    red_green: Channel = []
    for row, alphas in zip(rows, seen, strict=True):
        colours = [
            [mean[band] * (1 - a) + pixel[band] / 255 * a for band in range(3)]
            for pixel, a in zip(row, alphas, strict=True)
        ]
        luma.append([(r + g + b) / 3 for r, g, b in colours])
        yellow_blue.append([(r + g) / 2 - b for r, g, b in colours])
        red_green.append([r - g for r, g, _ in colours])

    limit = 5 if has_alpha else 7
    longer = max(image.width, image.height)
    across, down = (max(1, math.floor(limit * side / longer + 0.5)) for side in (image.width, image.height))
    l_dc, l_ac, l_scale = _coefficients(luma, max(3, across), max(3, down))
    p_dc, p_ac, p_scale = _coefficients(yellow_blue, 3, 3)
    q_dc, q_ac, q_scale = _coefficients(red_green, 3, 3)
    landscape = image.width > image.height
    head = _part(l_dc, 63) | _part(0.5 + 0.5 * p_dc, 63) << 6 | _part(0.5 + 0.5 * q_dc, 63) << 12
    head |= _part(l_scale, 31) << 18 | has_alpha << 23
    tail = (down if landscape else across) | _part(p_scale, 63) << 3 | _part(q_scale, 63) << 9 | landscape << 15
    body = head.to_bytes(3, "little") + tail.to_bytes(2, "little")
    nibbles = [_part(value, 15) for value in (*l_ac, *p_ac, *q_ac)]
    if has_alpha:
        a_dc, a_ac, a_scale = _coefficients(seen, 5, 5)
        body += bytes([_part(a_dc, 15) | _part(a_scale, 15) << 4])
        nibbles += [_part(value, 15) for value in a_ac]
    nibbles += [0] * (len(nibbles) % 2)
    return b64encode(body + bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True)))


def colour(image: Image) -> bytes:
    """The dominant colour as #rrggbb: the mean of the fullest of 8 × 8 × 8 boxes, by what is visible."""
    weights: Counter[tuple[int, ...]] = Counter()
    sums: dict[tuple[int, ...], list[float]] = {}
    for row in _pixels(image):
        for pixel in row:
            weight = pixel[3] if len(pixel) > 3 else 255
            box = tuple(value >> 5 for value in pixel[:3])
            weights[box] += weight
            total = sums.setdefault(box, [0.0, 0.0, 0.0])
            for band in range(3):
                total[band] += pixel[band] * weight
    box, weight = weights.most_common(1)[0]
    mean = [round(value / weight) for value in sums[box]] if weight else [255, 255, 255]
    return ("#" + bytes(mean).hex()).encode()


_MAKERS: Mapping[str, Callable[[Image], bytes]] = {"blurhash": blurhash, "thumbhash": thumbhash, "color": colour}


def as_json(name: str) -> Callable[[Image], bytes]:
    """What makes a placeholder as JSON: an object of one member, which has the placeholder's name."""
    return lambda image: msgspec.json.encode({name: _MAKERS[name](image).decode()})


def _pixels(image: Image) -> list[list[tuple[int, ...]]]:
    """Rows of (red, green, blue) or (red, green, blue, alpha)."""
    shown = image.colourspace("srgb")
    data, bands, width = bytes(shown.write_to_memory()), shown.bands, shown.width
    flat = [tuple(data[at : at + bands]) for at in range(0, len(data), bands)]
    return [flat[at : at + width] for at in range(0, len(flat), width)]


def _cosines(channel: Channel, across: int, down: int, middle: float) -> list[list[float]]:
    """The means of the channel times cos(π x (i + middle) / width) cos(π y (j + middle) / height), by y and x.

    BlurHash takes a pixel's first edge (0), ThumbHash its middle (½).
    """
    width, height = len(channel[0]), len(channel)
    columns = [[math.cos(math.pi * x * (i + middle) / width) / width for i in range(width)] for x in range(across)]
    along = [[sum(map(float.__mul__, row, column)) for column in columns] for row in channel]
    return [
        [
            sum(along[j][x] * math.cos(math.pi * y * (j + middle) / height) for j in range(height)) / height
            for x in range(across)
        ]
        for y in range(down)
    ]


def _coefficients(channel: Channel, across: int, down: int) -> tuple[float, list[float], float]:
    """ThumbHash: the constant part, the others of the triangle of low frequencies as 0 … 1, and their scale."""
    sums = _cosines(channel, across, down, 0.5)
    kept = [sums[y][x] for y in range(down) for x in range(across) if (x or y) and x * down < across * (down - y)]
    scale = max((abs(value) for value in kept), default=0.0)
    return sums[0][0], [0.5 + 0.5 * value / scale for value in kept] if scale else [0.0] * len(kept), scale


def _part(value: float, most: int) -> int:
    """0 … 1 as a whole number up to most, halves up."""
    return max(0, min(most, math.floor(value * most + 0.5)))


def _light(value: int) -> float:
    share = value / 255
    return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)


def _display(light: float) -> int:
    light = max(0.0, min(1.0, light))
    share = light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055
    return int(share * 255 + 0.5)


def _base83(value: int, length: int) -> str:
    return "".join(_DIGITS[value // 83 ** (length - 1 - place) % 83] for place in range(length))
