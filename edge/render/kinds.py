"""The kinds of picture we read, each with its magic bytes, content type and libvips loader.

The rule of this file: a kind that has no row is unreadable. The bytes alone decide, never a name or a header field,
and libvips is never asked to guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyvips

from edge.render import extras
from edge.render.containers import Bytes
from edge.render.errors import Damaged, TooLarge, Unreadable


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of KINDS. magic says whether the first bytes are of this kind; loader is a libvips operation that reads
    a source, or a function of the bytes that gives an image."""

    name: str
    content_type: str
    magic: Callable[[bytes], object]
    loader: str | Callable[[Bytes], Any]
    paged: bool = False
    """Whether the loader takes `n`, the number of pages to read."""
    header: Callable[[Bytes], Any] | None = None
    """Gives an image whose header alone is true, for a kind whose loader decodes at once."""
    size: Callable[[Bytes], tuple[int, int]] | None = None
    """Width and height by the bytes alone, for a kind that has nothing better."""


_SVG = rb"(?:\xef\xbb\xbf)?(?>\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>)*+<svg[\s>]"
"""An svg element after nothing but white space, processing instructions, comments and a document type.
Atomic and possessive, so that a file of a thousand comments is refused in linear time."""

_BRANDS, _PACKAGES = {"avif": (b"avif", b"avis"), "heic": (b"heic", b"heix", b"heim", b"heis")}, (b"mif1", b"miaf")


def _is_brand(name: str, head: bytes) -> bool:
    """Whether a file's type box (ISO/IEC 14496-12 §4.3) says that this is a picture of a kind, by its major brand.

    A moving HEIC (hevc, msf1) has no row; a moving AVIF (avis) has one for its first picture, which is all that
    libheif shows.
    """
    if head[4:8] != b"ftyp":
        return False
    major, end = head[8:12], int.from_bytes(head[:4], "big")
    if major in _PACKAGES:
        return any(head[at : at + 4] in _BRANDS[name] for at in range(16, min(end, len(head)), 4))
    return major in _BRANDS[name]


KINDS = (
    Kind("jpeg", "image/jpeg", re.compile(rb"\xff\xd8\xff").match, "jpegload_source"),
    Kind("png", "image/png", re.compile(rb"\x89PNG\r\n\x1a\n").match, "pngload_source"),
    Kind("gif", "image/gif", re.compile(rb"GIF8[79]a").match, "gifload_source", paged=True),
    Kind("webp", "image/webp", re.compile(rb"RIFF....WEBP", re.DOTALL).match, "webpload_source", paged=True),
    Kind("avif", "image/avif", partial(_is_brand, "avif"), "heifload_source"),
    Kind("heic", "image/heic", partial(_is_brand, "heic"), extras.heic, header=extras.heic_header),
    Kind("jxl", "image/jxl", re.compile(rb"\xff\n|\0\0\0\x0cJXL \r\n\x87\n").match, extras.jxl, size=extras.jxl_size),
    Kind("tiff", "image/tiff", re.compile(rb"II\*\0|MM\0\*").match, "tiffload_source", paged=True),
    Kind("svg", "image/svg+xml", re.compile(_SVG, re.DOTALL).match, "svgload_source"),
)

SNIFFED = 4096
"""How many bytes from the start are looked at; an SVG's document type may be long."""


def recognise(data: Bytes) -> Kind:
    """The kind of these bytes. Raises Unreadable for all others."""
    head = bytes(data[:SNIFFED])
    for kind in KINDS:
        if kind.magic(head):
            return kind
    raise Unreadable("no known picture by its first bytes")


_NO_MEMORY = ("out of memory", "unable to encode", "Memory allocation")
"""How libvips says it, for libwebp and libheif too, which could not write what was read well."""


@contextmanager
def reading() -> Iterator[None]:
    """Turn what libvips says of a source into Damaged, or TooLarge where it ran out of memory."""
    try:
        yield
    except pyvips.Error as error:
        message = str(error).strip()
        raise (TooLarge if any(words in message for words in _NO_MEMORY) else Damaged)(message) from None


def field(image: Any, name: str, default: Any = None) -> Any:
    """A header field of a libvips image by its libvips name; the default without.

    Asked for by name and never listed: a file can give its metadata names that are not text, and pyvips cannot list
    those.
    """
    return image.get(name) if image.get_typeof(name) else default


def load(kind: Kind, data: Bytes, **options: Any) -> Any:
    """A lazy pyvips image over these bytes, which are not copied and must stay alive; read top to bottom, once.

    `fail_on=truncated` goes to the loader itself: libvips' thumbnail operations would not pass it on.
    Raises pyvips.Error, and what edge.render.extras raises.
    """
    if not isinstance(kind.loader, str):
        return kind.loader(data)
    if kind.paged:
        options.setdefault("n", 1)
    load_source = getattr(pyvips.Image, kind.loader)
    return load_source(pyvips.Source.new_from_memory(data), access="sequential", fail_on="truncated", **options)
