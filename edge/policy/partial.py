"""Parts of answers: what a stored 206 is good for (RFC 9111 §3.3, §3.4; RFC 9110 §14.4, §15.3.7).

The rule of this file: a part answers requests for what lies within it, and joins another only where both carry the
same strong tag; of what else there is, it says nothing.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from edge.policy.directives import Headers
from wire.conditions import if_range_holds
from wire.etags import parse_etag
from wire.ranges import Part, content_range, parse_range

_CONTENT_RANGE: Final = re.compile(r"bytes +([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
_OTHER_CONDITIONS: Final = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")


class Held(NamedTuple):
    """Which part of how many bytes an answer holds."""

    part: Part
    size: int

    @property
    def whole(self) -> bool:
        """Whether nothing is missing."""
        return self.part == (0, self.size - 1)

    @property
    def said(self) -> str:
        """Its Content-Range."""
        return content_range(*self.part, self.size)


def held(headers: Headers) -> Held | None:
    """What a 206 holds; None where it is several parts, or does not say of how many bytes."""
    match = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
    if match is None:
        return None
    start, end, size = map(int, match.groups())
    return Held(Part(start, end), size) if start <= end < size else None


def wanted(request: Headers, stored: Headers, last_modified: int | None) -> Part | None:
    """What a request wants of the bytes that a stored part holds; None where that is not one range within them."""
    has = held(stored)
    if has is None or "range" not in request or any(name in request for name in _OTHER_CONDITIONS):
        return None
    if not if_range_holds(request.get("if-range"), stored.get("etag"), last_modified):
        return None
    part = parse_range(request["range"], has.size)
    if isinstance(part, Part) and has.part.start <= part.start and part.end <= has.part.end:
        return part
    return None


def asks_for_all(request: Headers) -> bool:
    """Whether a request wants the whole, whatever its version."""
    return "range" not in request and not any(name in request for name in _OTHER_CONDITIONS)


def rest_of(stored: Headers) -> dict[str, str] | None:
    """How to ask for what follows a stored part, of the same version; None where it has no strong tag, or no start."""
    has, tag = held(stored), parse_etag(stored.get("etag", ""))
    if has is None or has.part.start != 0 or tag is None or tag.weak:
        return None
    return {"range": f"bytes={has.part.end + 1}-", "if-range": stored["etag"]}


def joined(one: Headers, other: Headers) -> Held | None:
    """What two parts are together; None where they are of two versions, or leave a gap."""
    first, second = held(one), held(other)
    tags = [parse_etag(headers.get("etag", "")) for headers in (one, other)]
    if first is None or second is None or first.size != second.size:
        return None
    if tags[0] is None or tags[0].weak or tags[0] != tags[1]:
        return None
    left, right = sorted((first.part, second.part))
    if right.start > left.end + 1:
        return None
    return Held(Part(left.start, max(left.end, right.end)), first.size)
