"""The outer structure of picture files: segments, chunks and blocks, without looking at a pixel.

The rule of this file: a walker yields every piece of a file in order, as (name, start, end) offsets into the bytes,
and raises Damaged where a piece ends after the bytes do, and where there are more than MOST_PIECES. Nothing here
decodes or copies.
Sources: ITU-T T.81 Annex B (JPEG), PNG third edition §5, RFC 9649 §2 (WebP), GIF89a specification.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import wraps
from typing import NamedTuple

from edge.render.errors import Damaged

Bytes = bytes | memoryview

MOST_PIECES = 100_000
"""A PNG of 800 MB in usual chunks has as many, a GIF of 600 frames 1,300; who has more wants to be walked through:
3 million empty comments of a GIF took 3 s each time (0.1 s for so many as are allowed)."""


def _counted(walk: Callable[[Bytes], Iterator[Piece]]) -> Callable[[Bytes], Iterator[Piece]]:
    """The same walker, which gives up after MOST_PIECES."""

    @wraps(walk)
    def counted(data: Bytes) -> Iterator[Piece]:
        for number, piece in enumerate(walk(data)):
            if number >= MOST_PIECES:
                raise Damaged(f"more than {MOST_PIECES} pieces")
            yield piece

    return counted


class Piece(NamedTuple):
    """One piece of a file, data[start:end], header included."""

    name: bytes
    start: int
    end: int


_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""What ends entropy-coded data: a marker that is neither a stuffed byte nor a restart nor fill (T.81 §B.1.1.5)."""

SOI, EOI, SOS = b"\xd8", b"\xd9", b"\xda"


@_counted
def jpeg_segments(data: Bytes) -> Iterator[Piece]:
    """The segments of a JPEG up to and with EOI, named by their marker's second byte; a scan belongs to its SOS."""
    yield Piece(SOI, 0, 2)
    at = 2
    while True:
        while bytes(data[at : at + 2]) == b"\xff\xff":
            at += 1
        head = bytes(data[at : at + 4])
        if len(head) < 2 or head[0] != 0xFF:
            raise Damaged(f"no JPEG marker at byte {at}")
        name = head[1:2]
        if name == EOI:
            yield Piece(name, at, at + 2)
            return
        if len(head) < 4:
            raise Damaged("JPEG ends before its end marker")
        end = at + 2 + struct.unpack(">H", head[2:])[0]
        if name == SOS:
            following = _MARKER_IN_SCAN.search(data, end)
            if following is None:
                raise Damaged("JPEG ends within a scan")
            end = following.start()
        if end > len(data):
            raise Damaged("JPEG ends within a segment")
        yield Piece(name, at, end)
        at = end


@_counted
def png_chunks(data: Bytes) -> Iterator[Piece]:
    """The chunks of a PNG up to and with IEND."""
    at, name = 8, b""
    while name != b"IEND":
        head = bytes(data[at : at + 8])
        end = at + 12 + struct.unpack(">I", head[:4])[0] if len(head) == 8 else len(data) + 1
        if end > len(data):
            raise Damaged("PNG ends before its IEND chunk")
        name = head[4:]
        yield Piece(name, at, end)
        at = end


MOST_PACKED = 64 * 1024
"""Bytes of compressed text in a PNG, of which zlib makes a thousand times as many: 349 KB took libpng 10 s to unpack,
for nobody to read."""


def packed_text(data: Bytes) -> int:
    """Bytes of compressed text in a PNG, as far as its chunks can be read (PNG third edition §11.3.3)."""
    packed = 0
    with suppress(Damaged):
        for chunk in png_chunks(data):
            if chunk.name == b"zTXt" or (chunk.name == b"iTXt" and _is_packed(bytes(data[chunk.start + 8 :][:81]))):
                packed += chunk.end - chunk.start
    return packed


def _is_packed(head: bytes) -> bool:
    """Whether the text after an iTXt's keyword is compressed, by the flag that follows the keyword's NUL."""
    _, _, rest = head.partition(b"\0")
    return rest[:1] != b"\0"


@_counted
def webp_chunks(data: Bytes) -> Iterator[Piece]:
    """The chunks within a WebP's RIFF header, padding included."""
    stop = 8 + struct.unpack("<I", bytes(data[4:8]).ljust(4, b"\0"))[0]
    if stop > len(data):
        raise Damaged("WebP is shorter than its header says")
    at = 12
    while at + 8 <= stop:
        size = struct.unpack("<I", bytes(data[at + 4 : at + 8]))[0]
        end = at + 8 + size + (size & 1)
        if at + 8 + size > stop:
            raise Damaged("WebP ends within a chunk")
        yield Piece(bytes(data[at : at + 4]), at, min(end, stop))
        at = end


EXTENSION, IMAGE, TRAILER = b"\x21", b"\x2c", b"\x3b"


@_counted
def gif_blocks(data: Bytes) -> Iterator[Piece]:
    """A GIF's head, then its extensions (named by their introducer and label), images and trailer.

    A file that stops after a complete block, without the trailer, counts as whole: browsers show such files and no
    pixel is missing.
    """
    if len(data) < 13:
        raise Damaged("GIF ends within its header")
    at = 13 + _colour_table(data[10])
    yield Piece(b"GIF", 0, at)
    while at < len(data):
        name = bytes(data[at : at + 1])
        if name == TRAILER:
            yield Piece(name, at, at + 1)
            return
        if name == EXTENSION:
            name = bytes(data[at : at + 2])
            end = _sub_blocks_end(data, at + 2)
        elif name == IMAGE and at + 10 <= len(data):
            end = _sub_blocks_end(data, at + 11 + _colour_table(data[at + 9]))
        else:
            raise Damaged(f"no GIF block at byte {at}")
        yield Piece(name, at, end)
        at = end
    if at > len(data):
        raise Damaged("GIF ends within its header")


def _colour_table(flags: int) -> int:
    """The length in bytes of the colour table that these flags announce."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _sub_blocks_end(data: Bytes, at: int) -> int:
    """Where the sub-blocks that start here end, their terminator included."""
    while at < len(data):
        size = data[at]
        at += 1 + size
        if size == 0:
            return at
    raise Damaged("GIF ends within a block")
