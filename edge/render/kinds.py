"""The kinds of picture we read, each with its magic bytes, content type and libvips loader.

The rule of this file: a kind that has no row is unreadable. The bytes alone decide, never a name or a header field,
and libvips is never asked to guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyvips

from edge.render.containers import Bytes
from edge.render.errors import Damaged, TooLarge, Unreadable


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of KINDS. magic is matched at the first byte; loader is a libvips operation that reads a source."""

    name: str
    content_type: str
    magic: re.Pattern[bytes]
    loader: str
    paged: bool = False
    """Whether the loader takes `n`, the number of pages to read."""


_SVG = rb"(?:\xef\xbb\xbf)?(?>\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>)*+<svg[\s>]"
"""An svg element after nothing but white space, processing instructions, comments and a document type.
Atomic and possessive, so that a file of a thousand comments is refused in linear time."""

KINDS = (
    Kind("jpeg", "image/jpeg", re.compile(rb"\xff\xd8\xff"), "jpegload_source"),
    Kind("png", "image/png", re.compile(rb"\x89PNG\r\n\x1a\n"), "pngload_source"),
    Kind("gif", "image/gif", re.compile(rb"GIF8[79]a"), "gifload_source", paged=True),
    Kind("webp", "image/webp", re.compile(rb"RIFF....WEBP", re.DOTALL), "webpload_source", paged=True),
    # An animated AVIF (brand avis) has no row: libheif in the wheel would show its first picture only.
    Kind("avif", "image/avif", re.compile(rb"....ftyp(?:avif|mif1.{4}(?:.{4})*?avif)", re.DOTALL), "heifload_source"),
    Kind("tiff", "image/tiff", re.compile(rb"II\*\0|MM\0\*"), "tiffload_source", paged=True),
    Kind("svg", "image/svg+xml", re.compile(_SVG, re.DOTALL), "svgload_source"),
)

SNIFFED = 4096
"""How many bytes from the start are looked at; an SVG's document type may be long."""


def recognise(data: Bytes) -> Kind:
    """The kind of these bytes. Raises Unreadable for all others."""
    head = bytes(data[:SNIFFED])
    for kind in KINDS:
        if kind.magic.match(head):
            return kind
    raise Unreadable("no known picture by its first bytes")


@contextmanager
def reading() -> Iterator[None]:
    """Turn what libvips says of a source into Damaged, or TooLarge where it ran out of memory."""
    try:
        yield
    except pyvips.Error as error:
        message = str(error).strip()
        raise (TooLarge if "out of memory" in message else Damaged)(message) from None


def field(image: Any, name: str, default: Any = None) -> Any:
    """A header field of a libvips image by its libvips name; the default without.

    Asked for by name and never listed: a file can give its metadata names that are not text, and pyvips cannot list
    those.
    """
    return image.get(name) if image.get_typeof(name) else default


def load(kind: Kind, data: Bytes, **options: Any) -> Any:
    """A lazy pyvips image over these bytes, which are not copied and must stay alive; read top to bottom, once.

    `fail_on=truncated` goes to the loader itself: libvips' thumbnail operations would not pass it on.
    Raises pyvips.Error.
    """
    if kind.paged:
        options.setdefault("n", 1)
    load_source = getattr(pyvips.Image, kind.loader)
    return load_source(pyvips.Source.new_from_memory(data), access="sequential", fail_on="truncated", **options)
