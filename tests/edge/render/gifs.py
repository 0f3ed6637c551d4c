"""GIF files as awkward as the format allows, and what a viewer shows of them: a writer and a player in numpy.

The rule of this file: both follow the GIF89a specification and know nothing of edge.render or libvips.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

ROWS = ((0, 8), (4, 8), (2, 4), (1, 2))
"""The four passes of an interlaced image: first row and step (appendix E)."""


@dataclass(frozen=True)
class Frame:
    """Palette indices of a part of the canvas, which may reach beyond it; delay in hundredths of a second."""

    indices: np.ndarray
    left: int = 0
    top: int = 0
    delay: int = 10
    disposal: int = 1
    transparent: int | None = None
    palette: np.ndarray | None = None
    """A local colour table, shape (colours, 3)."""
    interlaced: bool = False


def written(width: int, height: int, palette: np.ndarray | None, frames: list[Frame], loop: int | None = 0) -> bytes:
    """The file, exactly as described; without a global colour table every frame brings its own."""
    flags, table = _table(palette)
    parts = [b"GIF89a", struct.pack("<HHBBB", width, height, flags, 0, 0), table]
    if loop is not None:
        parts.append(b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", loop) + b"\0")
    for frame in frames:
        tall, wide = frame.indices.shape
        control = frame.disposal << 2 | (frame.transparent is not None)
        parts.append(b"\x21\xf9\x04" + struct.pack("<BHB", control, frame.delay, frame.transparent or 0) + b"\0")
        flags, table = _table(frame.palette)
        flags |= 0x40 if frame.interlaced else 0
        parts.append(b"\x2c" + struct.pack("<HHHHB", frame.left, frame.top, wide, tall, flags) + table)
        order = [row for first, step in ROWS for row in range(first, tall, step)] if frame.interlaced else range(tall)
        parts.append(b"\x08" + _plain_lzw(frame.indices[list(order)].tobytes()))
    return b"".join(parts) + b"\x3b"


def _table(palette: np.ndarray | None) -> tuple[int, bytes]:
    if palette is None:
        return 0, b""
    bits = max(1, (len(palette) - 1).bit_length())
    return 0x80 | (bits - 1), palette.astype(np.uint8).tobytes().ljust(3 << bits, b"\0")


def _plain_lzw(data: bytes) -> bytes:
    """Codes of 9 bits, with a clear code often enough that they never grow (appendix F)."""
    codes: list[int] = []
    for at, value in enumerate(data):
        if at % 200 == 0:
            codes.append(256)
        codes.append(value)
    codes.append(257)
    number = sum(code << (9 * place) for place, code in enumerate(codes))
    packed = number.to_bytes(-(-9 * len(codes) // 8), "little")
    blocks = [packed[at : at + 255] for at in range(0, len(packed), 255)]
    return b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def played(width: int, height: int, palette: np.ndarray | None, frames: list[Frame]) -> np.ndarray:
    """What a viewer sees, shape (frames, height, width, 4), invisible pixels all zero.

    Disposal (§23): 0 and 1 leave the frame, 2 clears its area to transparent as all browsers do, 3 restores what was
    there before it.
    """
    canvas = np.zeros((height, width, 4), np.uint8)
    shown = []
    for frame in frames:
        before = canvas.copy()
        area = canvas[frame.top : frame.top + frame.indices.shape[0], frame.left : frame.left + frame.indices.shape[1]]
        seen = frame.indices[: area.shape[0], : area.shape[1]]
        colours = frame.palette if frame.palette is not None else palette
        assert colours is not None
        opaque = seen != frame.transparent if frame.transparent is not None else np.ones_like(seen, bool)
        area[opaque, :3], area[opaque, 3] = colours[seen[opaque]], 255
        shown.append(canvas.copy())
        if frame.disposal == 2:
            area[:] = 0
        elif frame.disposal == 3:
            canvas = before
    return np.array(shown)


def invented(seed: int) -> tuple[int, int, np.ndarray | None, list[Frame]]:
    """Size, global palette and frames of an animation made up from a seed."""
    chance = np.random.default_rng(seed)
    width, height = (int(side) for side in chance.integers(3, 40, 2))
    palette = chance.integers(0, 256, (int(chance.integers(2, 257)), 3)) if seed % 4 else None
    frames = []
    for _ in range(int(chance.integers(2, 9))):
        own = (
            chance.integers(0, 256, (int(chance.integers(2, 257)), 3))
            if palette is None or chance.random() < 0.3
            else None
        )
        left, top = int(chance.integers(0, width)), int(chance.integers(0, height))
        wide, tall = int(chance.integers(1, width - left + 1)), int(chance.integers(1, height - top + 1))
        colours = own if own is not None else palette
        assert colours is not None
        transparent = int(chance.integers(0, len(colours))) if chance.random() < 0.6 else None
        indices = chance.integers(0, min(len(colours), int(chance.integers(2, 9))), (tall, wide)).astype(np.uint8)
        delay = int(chance.choice([0, 1, 2, 5, 10, 655, 65535]))
        frames.append(
            Frame(indices, left, top, delay, int(chance.integers(0, 4)), transparent, own, bool(chance.random() < 0.3))
        )
    return width, height, palette, frames
