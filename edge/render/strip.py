"""Taking metadata out of source bytes without touching a pixel.

The rule of this file: what a piece is decides whether it stays, and unknown pieces go. Exif, XMP, IPTC, comments and
whatever follows the picture's end (motion photos, second pictures) go; pixels, colour profile, orientation,
animation and transparency stay.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

from edge.render import boxes, kinds
from edge.render.containers import EXTENSION, SOI, Bytes, gif_blocks, jpeg_segments, png_chunks, webp_chunks
from edge.render.errors import Unreadable

_PNG_PIECES = frozenset(
    b"IHDR PLTE IDAT IEND tRNS cHRM gAMA iCCP sBIT sRGB cICP mDCV cLLI bKGD pHYs acTL fcTL fdAT".split()
)
"""PNG third edition §11.2 and §11.3, without its text, time, Exif, histogram and suggested palette chunks."""

_WEBP_PIECES = (b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP")
_VP8X_EXIF, _VP8X_XMP = 0x08, 0x04

_JXL_BOXES = (b"JXL ", b"ftyp", b"jxll", b"jxlc", b"jxlp", b"jxli")
"""ISO/IEC 18181-2 §9, without Exif, XML, JUMBF and Brotli boxes, and without the one that gives back the JPEG a
file was made of, metadata and all."""

_SAID_IN_EXIF = ("jpeg", "png", "webp")
"""Kinds whose orientation goes with the metadata; it is written again by itself."""

_GIF_APPLICATIONS = (b"NETSCAPE2.0", b"ANIMEXTS1.0", b"ICCRGBG1012")
"""Loop counts and colour profiles; an application extension with another name (XMP) goes."""


def strip(data: Bytes) -> bytes:
    """The same picture without metadata. Raises Unreadable for kinds that have no row here, Damaged for broken ones."""
    kind = kinds.recognise(data)
    stripper = _STRIPPERS.get(kind.name)
    if stripper is None:
        raise Unreadable(f"metadata cannot be taken out of {kind.content_type}")
    with kinds.reading():
        orientation = _orientation(kind, data) if kind.name in _SAID_IN_EXIF else 1
    return stripper(data, orientation)


def _orientation(kind: kinds.Kind, data: Bytes) -> int:
    value = int(kinds.field(kinds.load(kind, data), "orientation", 1))
    return value if 1 <= value <= 8 else 1


def _exif(orientation: int) -> bytes:
    """A TIFF structure (Exif 2.32 §4.5) that says nothing but the orientation."""
    return b"II*\0" + struct.pack("<IHHHIII", 8, 1, 0x0112, 3, 1, orientation, 0)


def _jpeg(data: Bytes, orientation: int) -> bytes:
    """Of the application segments JFIF's APP0, the profile's APP2 and Adobe's APP14 (colour transform) stay."""
    parts: list[bytes] = []
    exif = b"Exif\0\0" + _exif(orientation)
    waiting = orientation != 1
    for name, start, end in jpeg_segments(data):
        body = bytes(data[start + 4 : min(end, start + 24)])
        wanted = not (0xE0 <= name[0] <= 0xEF or name == b"\xfe")
        wanted |= name == b"\xe0" and body.startswith(b"JFIF\0")
        wanted |= name == b"\xe2" and body.startswith(b"ICC_PROFILE\0")
        wanted |= name == b"\xee" and body.startswith(b"Adobe")
        if waiting and name not in (SOI, b"\xe0"):
            parts.append(b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif)
            waiting = False
        if wanted:
            parts.append(bytes(data[start:end]))
    return b"".join(parts)


def _png(data: Bytes, orientation: int) -> bytes:
    parts = [bytes(data[:8])]
    for name, start, end in png_chunks(data):
        if name in _PNG_PIECES:
            parts.append(bytes(data[start:end]))
        if name == b"IHDR" and orientation != 1:
            exif = _exif(orientation)
            checksum = zlib.crc32(b"eXIf" + exif)
            parts.append(struct.pack(">I", len(exif)) + b"eXIf" + exif + struct.pack(">I", checksum))
    return b"".join(parts)


def _webp(data: Bytes, orientation: int) -> bytes:
    parts = []
    for name, start, end in webp_chunks(data):
        if name == b"VP8X":
            head = bytearray(data[start:end])
            head[8] = head[8] & ~(_VP8X_EXIF | _VP8X_XMP) | (_VP8X_EXIF if orientation != 1 else 0)
            parts.append(bytes(head))
        elif name in _WEBP_PIECES:
            parts.append(bytes(data[start:end]))
    if orientation != 1:
        exif = _exif(orientation)
        parts.append(b"EXIF" + struct.pack("<I", len(exif)) + exif)
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _gif(data: Bytes, _orientation: int) -> bytes:
    parts = []
    for name, start, end in gif_blocks(data):
        comment = name == EXTENSION + b"\xfe"
        application = name == EXTENSION + b"\xff"
        if not comment and not (application and bytes(data[start + 3 : start + 14]) not in _GIF_APPLICATIONS):
            parts.append(bytes(data[start:end]))
    return b"".join(parts)


def _jxl(data: Bytes, _orientation: int) -> bytes:
    """Exif, XMP, their packed forms and provenance are boxes of their own; a bare codestream has none of them."""
    if bytes(data[:2]) == b"\xff\n":
        return bytes(data)
    wanted = (box for box in boxes.boxes(data, 0, len(data)) if box.name in _JXL_BOXES)
    return b"".join(bytes(data[box.start : box.end]) for box in wanted)


def _heif(data: Bytes, _orientation: int) -> bytes:
    """AVIF and HEIC: Exif and XMP are overwritten where they lie, so that nothing else moves; orientation is a box of
    its own."""
    bare = bytearray(data)
    for start, end in boxes.metadata(data):
        nothing = _EMPTY_EXIF if end - start >= len(_EMPTY_EXIF) else b""
        bare[start:end] = nothing.ljust(end - start, b"\0")
    return bytes(bare)


_EMPTY_EXIF = struct.pack(">I", 0) + b"II*\0" + struct.pack("<IHI", 8, 0, 0)
"""An AVIF's Exif item (ISO/IEC 23008-12 Annex A) with a directory without entries."""

_STRIPPERS: dict[str, Callable[[Bytes, int], bytes]] = {
    "jpeg": _jpeg,
    "png": _png,
    "webp": _webp,
    "gif": _gif,
    "avif": _heif,
    "heic": _heif,
    "jxl": _jxl,
}
"""A TIFF has no row: its tags point everywhere. It is given as it is stored, and no browser shows it."""
