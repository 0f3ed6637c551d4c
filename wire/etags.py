"""Entity tags (RFC 9110 §8.8.3) and how they are compared.

The rule of this file: strict in what is written, tolerant in what is read, since S3 clients send tags without
their quotes.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final, Literal, NamedTuple

# etagc = %x21 / %x23-7E / obs-text (RFC 9110 §8.8.3). An opaque tag without quotes ends at a comma or a space.
_ETAG = re.compile(r'(?P<weak>W/)?(?:"(?P<quoted>[\x21\x23-\x7e\x80-\U0010ffff]*)"|(?P<bare>[^\s",]+))')
_BETWEEN = re.compile(r"[ \t,]*")


class ETag(NamedTuple):
    """An entity tag: its opaque value without quotes, and whether it is weak."""

    value: str
    weak: bool = False

    def __str__(self) -> str:
        return f'{"W/" if self.weak else ""}"{self.value}"'


class _Any(Enum):
    ANY = "*"


ANY: Final = _Any.ANY
"""What `*` in If-Match and If-None-Match reads as."""

ETagList = tuple[ETag, ...] | Literal[_Any.ANY]


def parse_etag(text: str) -> ETag | None:
    """The entity tag of a field value, quoted or not; None where it is neither."""
    match = _ETAG.fullmatch(text.strip(" \t"))
    return None if match is None else _tag(match)


def _tag(match: re.Match[str]) -> ETag:
    value = match["quoted"] if match["quoted"] is not None else match["bare"]
    return ETag(value, match["weak"] is not None)


def parse_etag_list(text: str) -> ETagList:
    """The tags of If-Match or If-None-Match, or ANY for `*`; reading ends where a text is no tag."""
    if text.strip(" \t") == "*":
        return ANY
    tags = []
    position = 0
    while (start := _BETWEEN.match(text, position)) and (match := _ETAG.match(text, start.end())):
        tags.append(_tag(match))
        position = match.end()
    return tuple(tags)


def strong_match(one: ETag, other: ETag) -> bool:
    """RFC 9110 §8.8.3.2: neither is weak, and the values are equal."""
    return not one.weak and not other.weak and one.value == other.value


def weak_match(one: ETag, other: ETag) -> bool:
    """RFC 9110 §8.8.3.2: the values are equal."""
    return one.value == other.value
