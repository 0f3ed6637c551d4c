"""The boxes of an AVIF: where its metadata lies, and what its colours mean.

The rule of this file: only the boxes that answer these two questions are read, nothing is decoded, and whatever does
not fit raises Damaged. Sources: ISO/IEC 14496-12 §8.11 (meta, iloc, iinf), §12.1.5 (colr), ISO/IEC 23008-12 §6, §9.3.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from edge.render.containers import Bytes, Piece
from edge.render.errors import Damaged

_MOST_ITEMS = 10_000


class Coding(NamedTuple):
    """The code points of an nclx colour box (ITU-T H.273 §8)."""

    primaries: int
    transfer: int


def boxes(data: Bytes, start: int, end: int) -> Iterator[Piece]:
    """The boxes in data[start:end], header included."""
    at = start
    while at < end:
        head = bytes(data[at : min(at + 16, end)])
        if len(head) < 8:
            raise Damaged(f"no box at byte {at}")
        size = int.from_bytes(head[:4], "big")
        if size == 1 and len(head) == 16:
            size = int.from_bytes(head[8:], "big")
        size = size or end - at
        if size < 8 or at + size > end:
            raise Damaged("an AVIF box ends beyond its file")
        yield Piece(head[4:8], at, at + size)
        at += size


def _inner(data: Bytes, box: Piece) -> int:
    """Where a box's content starts: behind its size and type, and a full box's version and flags."""
    at = box.start + (16 if bytes(data[box.start : box.start + 4]) == b"\0\0\0\1" else 8)
    return at + (4 if box.name in (b"meta", b"iinf", b"iloc", b"infe") else 0)


def _children(data: Bytes, box: Piece, skip: int = 0) -> dict[bytes, Piece]:
    """The boxes within a box by their names; of several with one name, the first."""
    found: dict[bytes, Piece] = {}
    for child in boxes(data, _inner(data, box) + skip, box.end):
        found.setdefault(child.name, child)
    return found


def _meta(data: Bytes) -> tuple[Piece, dict[bytes, Piece]]:
    for box in boxes(data, 0, len(data)):
        if box.name == b"meta":
            return box, _children(data, box)
    raise Damaged("an AVIF without its meta box")


def coding(data: Bytes) -> Coding | None:
    """What the first nclx colour box says; None without, or where an ICC profile says it. Raises Damaged."""
    _, inside = _meta(data)
    if b"iprp" not in inside:
        return None
    container = _children(data, inside[b"iprp"]).get(b"ipco")
    found: Coding | None = None
    for box in boxes(data, _inner(data, container), container.end) if container else ():
        content = bytes(data[box.start + 8 : box.start + 16])
        if box.name == b"colr" and content[:4] in (b"prof", b"rICC"):
            return None
        if box.name == b"colr" and content[:4] == b"nclx" and found is None:
            found = Coding(*struct.unpack(">HH", content[4:8]))
    return found


def metadata(data: Bytes) -> list[tuple[int, int]]:
    """Where Exif and XMP lie, as (start, end) offsets into the bytes. Raises Damaged."""
    try:
        meta, inside = _meta(data)
        if b"iinf" not in inside or b"iloc" not in inside:
            return []
        wanted = set(_metadata_items(data, inside[b"iinf"]))
        places = _places(data, inside[b"iloc"], _inner(data, inside[b"idat"]) if b"idat" in inside else None)
        found = [(start, end) for item, start, end in places if item in wanted]
    except (IndexError, struct.error):
        raise Damaged("an AVIF whose boxes are too short") from None
    if any(not meta.start <= start <= end <= len(data) for start, end in found):
        raise Damaged("an AVIF whose metadata lies beyond its file")
    return found


def _metadata_items(data: Bytes, iinf: Piece) -> Iterator[int]:
    """The ids of Exif items and of MIME items (XMP)."""
    wide = data[_inner(data, iinf) - 4] != 0
    for box in boxes(data, _inner(data, iinf) + (4 if wide else 2), iinf.end):
        if box.name != b"infe":
            continue
        at = _inner(data, box)
        size = 4 if data[at - 4] == 3 else 2
        kind = bytes(data[at + size + 2 : at + size + 6])
        if kind in (b"Exif", b"mime", b"uri "):
            yield int.from_bytes(data[at : at + size], "big")


class _Reader:
    """Big-endian numbers one after another."""

    def __init__(self, data: Bytes, at: int, end: int) -> None:
        self._data, self._at, self._end = data, at, end

    def number(self, size: int) -> int:
        self._at += size
        if self._at > self._end:
            raise Damaged("an AVIF whose item locations are cut off")
        return int.from_bytes(self._data[self._at - size : self._at], "big")


def _places(data: Bytes, iloc: Piece, idat: int | None) -> Iterator[tuple[int, int, int]]:
    """(item, start, end) of every extent that lies in the file or in the idat box, which starts at this offset."""
    at = _inner(data, iloc)
    version = data[at - 4]
    read = _Reader(data, at, iloc.end).number
    sizes, more = read(1), read(1)
    offset_size, length_size, base_size = sizes >> 4, sizes & 15, more >> 4
    index_size = more & 15 if version in (1, 2) else 0
    for _ in range(min(read(4 if version == 2 else 2), _MOST_ITEMS)):
        item = read(4 if version == 2 else 2)
        method = read(2) & 15 if version in (1, 2) else 0
        read(2)
        base = read(base_size)
        for _ in range(read(2)):
            read(index_size)
            start, length = base + read(offset_size), read(length_size)
            if method == 0:
                yield item, start, start + length
            elif method == 1 and idat is not None:
                yield item, idat + start, idat + start + length
