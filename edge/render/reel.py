"""The reel of an animation: its frames as a file that libvips shows as browsers do, and how long each is shown.

The rule of this file: bytes are only copied, never decoded. libvips hands out times of 10 ms and less as 100 ms, so
they are read from the file; and where a GIF's frame clears its area without naming a transparent colour, it fills the
area with the file's background colour, and makes what no frame covers black. Such a frame is drawn twice, the second
time naming a transparent colour: over itself that changes nothing, and its area is then cleared to transparency.
A canvas of certain sizes (640 × 480, 800 × 600, …, and above 2048) libvips does not believe: it takes what the first
frame covers. Where that is less, a first frame that nobody sees reaches into the canvas' last corner.
Sources: GIF89a §18 to §23, RFC 9649 §2.7.1.1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from edge.render.containers import EXTENSION, IMAGE, TRAILER, Bytes, gif_blocks, webp_chunks
from edge.render.kinds import Kind

_CONTROL = EXTENSION + b"\xf9"
_CLEARS = 2
_DISPOSAL, _NAMES_TRANSPARENT = 0x1C, 0x01
_LEAVES = 1 << 2
_DOT = b"\x80\0\0\0\0\0\0\x02\x02\x44\x01\0"
"""The rest of a GIF's image of one pixel: its flags, two colours, and the pixel, of the first of them."""
_NOTHING = b"\x21\xf9\x04\x05\0\0\0\0"
"""The control of a frame whose first colour is transparent, and which stays."""
_SHORTEST = 10
"""Times up to this many milliseconds are lost in libvips; browsers show them as 100 ms as well."""


class Reel(NamedTuple):
    """data is to be loaded instead of the source; of its frames only those in `shown` count."""

    data: Bytes
    shown: tuple[int, ...]
    delays: list[int]
    """Milliseconds, one a shown frame."""


class _Image(NamedTuple):
    """A GIF's image: its graphic control extension, or the one it would have without any, and its own block."""

    control: bytes
    block: bytes

    @property
    def clears(self) -> bool:
        return (self.control[3] & _DISPOSAL) >> 2 == _CLEARS

    @property
    def names_transparent(self) -> bool:
        return bool(self.control[3] & _NAMES_TRANSPARENT)

    def controlled(self, flags: int) -> bytes:
        """The same image with other flags."""
        return self.control[:3] + bytes([flags]) + self.control[4:] + self.block


def of(kind: Kind, data: Bytes) -> Reel:
    """The reel of a source; stills of other kinds have one frame. Raises Damaged where the file is cut off."""
    if kind.name == "gif":
        return _of_gif(data)
    return _of_webp(data) if kind.name == "webp" else Reel(data, (0,), [])


def _of_gif(data: Bytes) -> Reel:
    images = list(_images(data))
    delays = [10 * int(struct.unpack_from("<H", image.control, 4)[0]) for image in images]
    plain = not any(image.clears and not image.names_transparent for image in images) and (
        not images or _covers(data, images[0]) or any(image.names_transparent for image in images)
    )
    if not images or (plain and _reaches(data, images[0])):
        return Reel(data, tuple(range(len(images))), delays)
    head = next(gif_blocks(data))
    parts, shown, count = [bytes(data[: head.end]), *_loops(data)], [], 0
    if not _reaches(data, images[0]):
        width, height = struct.unpack_from("<HH", data, 6)
        parts.append(_NOTHING + IMAGE + struct.pack("<HHHH", max(width, 1) - 1, max(height, 1) - 1, 1, 1) + _DOT)
        count = 1
    for image in images:
        shown.append(count)
        flags = image.control[3]
        if image.clears and not image.names_transparent:
            parts.append(image.controlled(flags & ~_DISPOSAL | _LEAVES))
            parts.append(image.controlled(flags | _NAMES_TRANSPARENT))
            count += 2
        else:
            parts.append(image.controlled(flags))
            count += 1
    # A last frame that nobody sees: that one of them names a transparent colour gives them all an alpha band.
    parts.append(images[0].controlled(images[0].control[3] | _NAMES_TRANSPARENT))
    return Reel(b"".join([*parts, TRAILER]), tuple(shown), delays)


def _of_webp(data: Bytes) -> Reel:
    delays = [
        int.from_bytes(data[chunk.start + 20 : chunk.start + 23], "little")
        for chunk in webp_chunks(data)
        if chunk.name == b"ANMF"
    ]
    return Reel(data, tuple(range(max(1, len(delays)))), delays)


def timed(body: bytes, delays: list[int]) -> bytes:
    """An animated WebP with these times: libwebp's encoder knows none of 10 ms and less either. Where it has joined
    frames that look the same, its own times stay."""
    frames = [chunk for chunk in webp_chunks(body) if chunk.name == b"ANMF"]
    if len(frames) != len(delays) or min(delays) > _SHORTEST:
        return body
    exact = bytearray(body)
    for frame, delay in zip(frames, delays, strict=True):
        exact[frame.start + 20 : frame.start + 23] = min(delay, 0xFFFFFF).to_bytes(3, "little")
    return bytes(exact)


def _images(data: Bytes) -> Iterator[_Image]:
    control = none = b"\x21\xf9\x04\0\0\0\0\0"
    for name, start, end in gif_blocks(data):
        if name == _CONTROL and end - start == len(none):
            control = bytes(data[start:end])
        elif name == IMAGE:
            yield _Image(control, bytes(data[start:end]))
            control = none


def _loops(data: Bytes) -> Iterator[bytes]:
    """The application extensions, of which one says how often the animation is played."""
    for name, start, end in gif_blocks(data):
        if name == EXTENSION + b"\xff":
            yield bytes(data[start:end])


def _reaches(data: Bytes, image: _Image) -> bool:
    """Whether an image reaches as far as the canvas, right and down."""
    width, height = struct.unpack_from("<HH", data, 6)
    left, top, wide, tall = struct.unpack_from("<HHHH", image.block, 1)
    return bool(left + wide >= width and top + tall >= height)


def _covers(data: Bytes, image: _Image) -> bool:
    """Whether an image covers the whole canvas."""
    width, height = struct.unpack_from("<HH", data, 6)
    left, top, wide, tall = struct.unpack_from("<HHHH", image.block, 1)
    return not left and not top and bool(wide >= width and tall >= height)
