"""Animated WebP files made frame by frame, and what a viewer shows of them: a writer and a player in numpy.

The rule of this file: both follow RFC 9649 §2.7 and know nothing of edge.render; pyvips only packs single pictures.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from tests.edge.render import oracle


@dataclass(frozen=True)
class Frame:
    """RGBA pixels of a part of the canvas; left and top are even; delay in milliseconds."""

    pixels: np.ndarray
    left: int = 0
    top: int = 0
    delay: int = 100
    blends: bool = True
    clears: bool = False


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)


def written(
    width: int, height: int, frames: list[Frame], loop: int = 0, more: dict[bytes, bytes] | None = None
) -> bytes:
    """The file; `more` are further chunks by name (ICCP comes first, EXIF last)."""
    more = more or {}
    flags = 0x12 | (0x20 if b"ICCP" in more else 0) | (0x08 if b"EXIF" in more else 0)
    parts = [chunk(b"VP8X", bytes([flags, 0, 0, 0]) + _three(width - 1) + _three(height - 1))]
    parts += [chunk(name, more[name]) for name in (b"ICCP",) if name in more]
    parts.append(chunk(b"ANIM", struct.pack("<IH", 0xFF00FF00, loop)))
    for frame in frames:
        tall, wide = frame.pixels.shape[:2]
        head = b"".join(map(_three, (frame.left // 2, frame.top // 2, wide - 1, tall - 1, frame.delay)))
        head += bytes([(0 if frame.blends else 2) | (1 if frame.clears else 0)])
        still = oracle.to_vips(frame.pixels).webpsave_buffer(lossless=True, exact=True, keep="none")
        at = still.index(b"VP8L")
        parts.append(chunk(b"ANMF", head + still[at:]))
    parts += [chunk(name, more[name]) for name in (b"EXIF",) if name in more]
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _three(value: int) -> bytes:
    return value.to_bytes(3, "little")


def played(width: int, height: int, frames: list[Frame]) -> np.ndarray:
    """What a viewer sees, shape (frames, height, width, 4): over a transparent canvas, as browsers take it whatever
    background the file suggests."""
    canvas = np.zeros((height, width, 4))
    shown = []
    for frame in frames:
        area = canvas[frame.top : frame.top + frame.pixels.shape[0], frame.left : frame.left + frame.pixels.shape[1]]
        new = frame.pixels.astype(np.float64)
        if frame.blends:
            above, below = new[..., 3:] / 255, area[..., 3:] / 255
            alpha = above + below * (1 - above)
            colours = new[..., :3] * above + area[..., :3] * below * (1 - above)
            mixed = np.concatenate([colours / np.maximum(alpha, 1e-9), alpha * 255], axis=2)
            area[:] = mixed
        else:
            area[:] = new
        shown.append(canvas.copy())
        if frame.clears:
            area[:] = 0
    return np.array(shown)


def invented(seed: int) -> tuple[int, int, list[Frame]]:
    """Size and frames of an animation made up from a seed."""
    chance = np.random.default_rng(seed)
    width, height = (int(side) for side in chance.integers(4, 40, 2))
    frames = []
    for _ in range(int(chance.integers(2, 9))):
        left, top = (2 * int(chance.integers(0, side // 2)) for side in (width, height))
        wide, tall = int(chance.integers(1, width - left + 1)), int(chance.integers(1, height - top + 1))
        pixels = chance.integers(0, 256, (tall, wide, 4)).astype(np.uint8)
        pixels[..., 3] = chance.choice([0, 255] if seed % 3 else [0, 64, 160, 255], (tall, wide))
        delay = int(chance.choice([0, 5, 10, 33, 100, 1000, 65535]))
        frames.append(Frame(pixels, left, top, delay, bool(chance.random() < 0.6), bool(chance.random() < 0.4)))
    return width, height, frames
