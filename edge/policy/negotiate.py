"""Which format a client gets: RFC 9110 §12 to the letter, and nothing a client did not name.

The rule of this file: AVIF or WebP goes only to a client whose Accept names it, and is glad of it at least as much
as of the source's own format. Wildcards, no Accept at all and requests that came through another CDN get the
source's own format. A format that the URL names is given whatever Accept says: there is no 406.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from edge.policy.variant import JSON_PLACEHOLDERS, PLACEHOLDERS, TEXT_PLACEHOLDERS
from wire.accept import names, parse_accept, weight_of
from wire.fields import split_list, split_parameters

CDN_LOOP_TOKEN = "facet"  # noqa: S105 - RFC 8586 calls it an identifier; it is no secret


class Way(Enum):
    """How a request came here (RFC 8586, RFC 9110 §7.6.3)."""

    DIRECT = "direct"
    FOREIGN_CDN = "foreign-cdn"
    LOOP = "loop"


def way(cdn_loop: str | None, via: str | None) -> Way:
    """How a request came here, from its CDN-Loop and Via fields (lines joined by ", "). LOOP is 508.

    Our own token in CDN-Loop is a loop (RFC 8586 §2). Any other member of CDN-Loop, and any member of Via but our
    own, is somebody between us and the client who may keep one answer for all of them.
    """
    cdns = {split_parameters(member)[0].lower() for member in split_list(cdn_loop or "")}
    if CDN_LOOP_TOKEN in cdns:
        return Way.LOOP
    if cdns or any(_received_by(member) != CDN_LOOP_TOKEN for member in split_list(via or "")):
        return Way.FOREIGN_CDN
    return Way.DIRECT


def _received_by(via: str) -> str:
    """The name in a member of Via: `received-protocol received-by [comment]`."""
    return via.lower().partition(" ")[2].strip().partition(" ")[0]


# The formats a source can have, and the media type by which Accept speaks of each.
MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "jpeg": "image/jpeg",
        "png": "image/png",
        "gif": "image/gif",
        "webp": "image/webp",
        "avif": "image/avif",
        "heic": "image/heic",
        "jxl": "image/jxl",
        "tiff": "image/tiff",
        "svg": "image/svg+xml",
    }
)
SOURCE_FORMATS: Final = ("jpeg", "png", "gif", "webp", "avif", "heic", "jxl", "tiff")
_MODERN: Final = ("avif", "webp")  # in the order of our own preference where the client has none


@dataclass(frozen=True, slots=True)
class AcceptClass:
    """Everything of what a client accepts that can change an answer; few distinct values for all the world's clients.

    offers: for each of SOURCE_FORMATS, in that order, the formats to try instead of it, best first. Empty stands for
    none for any of them. coding: the content coding of texts, where the site has any; empty for none.
    """

    offers: tuple[tuple[str, ...], ...] = ()
    coding: str = ""

    @property
    def avif(self) -> bool:
        """Whether some source may be given as AVIF."""
        return any("avif" in formats for formats in self.offers)

    @property
    def webp(self) -> bool:
        """Whether some source may be given as WebP."""
        return any("webp" in formats for formats in self.offers)

    @property
    def key(self) -> str:
        """The class in a cache key: "own", "avif,webp", …; spelled out for each source format where weights differ."""
        if self.coding:
            return f"coding={self.coding}"
        order = max(self.offers, key=len, default=())
        if self.offers in (_alike(order), ()):
            return ",".join(order) or "own"
        return ";".join(
            f"{source}={','.join(formats)}" for source, formats in zip(SOURCE_FORMATS, self.offers, strict=True)
        )

    def preferred(self, source: str) -> tuple[str, ...]:
        """The formats to try for a source format, best first; empty is its own."""
        if not self.offers or source not in SOURCE_FORMATS:
            return ()
        return self.offers[SOURCE_FORMATS.index(source)]


def _alike(named: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """The offers of a client that names these, best first, and is no gladder of any other format."""
    return tuple(named[: named.index(source)] if source in named else named for source in SOURCE_FORMATS)


OWN = AcceptClass()
"""The class of a client that names neither AVIF nor WebP: the source's own format."""


def accept_class(accept: str | None, transformed_by_cdn: bool = False) -> AcceptClass:
    """The class of an Accept field (lines joined by ", "; None where there is none).

    transformed_by_cdn: came through another CDN, and the site does not set downstream_vary.
    """
    if not accept or transformed_by_cdn:
        return OWN
    return _remembered(accept) if len(accept) <= _USUAL else _classified(accept)


_USUAL: Final = 512  # characters; browsers send up to 200. Longer ones are not worth the memory.


def _classified(accept: str) -> AcceptClass:
    ranges = parse_accept(accept)
    named = [modern for modern in _MODERN if names(ranges, MEDIA_TYPES[modern])]
    if not named:
        return OWN
    weights = {name: weight_of(ranges, media_type) for name, media_type in MEDIA_TYPES.items()}
    named.sort(key=lambda modern: -weights[modern])  # stable: avif before webp where the client is as glad of both

    def offers(source: str) -> tuple[str, ...]:
        if source in named:  # it yields only to one that the client, or else we, prefer to it
            return tuple(named[: named.index(source)])
        return tuple(modern for modern in named if weights[modern] >= weights[source])

    classes = tuple(offers(source) for source in SOURCE_FORMATS)
    return AcceptClass(classes) if any(classes) else OWN


_remembered = lru_cache(maxsize=1024)(_classified)


def placeholder_format(asked: str, accept: str | None, transformed_by_cdn: bool = False) -> str:
    """The format of a placeholder that a URL names (one of TEXT_PLACEHOLDERS): JSON for a client whose Accept names it
    and is glad of it at least as much as of text; text for all others.

    accept, transformed_by_cdn: as in accept_class.
    """
    ranges = parse_accept(accept or "")
    if transformed_by_cdn or not names(ranges, _JSON) or weight_of(ranges, _JSON) < weight_of(ranges, _TEXT):
        return asked
    return JSON_PLACEHOLDERS[TEXT_PLACEHOLDERS.index(asked)]


_JSON: Final = "application/json"
_TEXT: Final = "text/plain"


# What each output format can do.
ANIMATED: Final = frozenset({"gif", "webp"})
TRANSPARENT: Final = frozenset({"avif", "webp", "png", "gif", *PLACEHOLDERS})
MAX_SIDE: Mapping[str, int] = MappingProxyType(
    {"avif": 16_384, "webp": 16_383, "jpeg": 65_535, "png": 65_535, "gif": 65_535} | dict.fromkeys(PLACEHOLDERS, 65_535)
)
_NEAREST: Final = ("jpeg", "png", "gif")  # what stands in for a source format that cannot be written
AVIF_MIN_SIDE = 16  # below, AV1 encoders fail or waste (imgproxy switches format there, too)


@dataclass(frozen=True, slots=True)
class Result:
    """What is known about a rendering before its format: pixels, frames, transparency."""

    width: int
    height: int
    animated: bool
    has_alpha: bool

    def fits(self, format: str) -> bool:
        """Whether a format can hold it at all."""
        if format == "avif" and min(self.width, self.height) < AVIF_MIN_SIDE:
            return False
        return max(self.width, self.height) <= MAX_SIDE[format]

    def keeps(self, format: str) -> bool:
        """Whether a format can hold it without loss of frames or transparency."""
        return (
            self.fits(format)
            and (format in ANIMATED or not self.animated)
            and (format in TRANSPARENT or not self.has_alpha)
        )


def choose_format(source: str, asked: str, accept: AcceptClass, offered: frozenset[str], result: Result) -> str | None:
    """The output format of a rendering; None where no format can hold it.

    source: format of the source; asked: the variant's format. offered: what the settings let negotiation pick. A
    format that the URL names is taken even where it flattens an animation (a poster, asked for by name), but never
    where it would fail: a small AVIF becomes PNG.
    """
    if asked not in ("auto", "original"):
        candidates = (asked, "png") if asked == "avif" else (asked,)
        return next((format for format in candidates if result.fits(format)), None)
    if asked == "auto":
        for format in accept.preferred(source):
            if format in offered and result.keeps(format):
                return format
    # The source's own format; where that cannot be written or cannot hold the result, the nearest that can.
    for format in (source, *_NEAREST):
        if format in MAX_SIDE and result.keeps(format):
            return format
    return None
