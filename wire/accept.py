"""Accept (RFC 9110 §12.5.1): what a client is willing to get, and how gladly.

The rule of this file: weights are whole thousandths; a member that is not a media range with a valid weight is as if
it were not there.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from wire.fields import TOKEN, split_list, split_parameters

MAX_RANGES = 64  # browsers send up to a dozen; what comes after is not read

_WEIGHT = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")  # RFC 9110 §12.4.2


class MediaRange(NamedTuple):
    """One member: `*` stands for any type or subtype; weight in thousandths, 0–1000."""

    type: str
    subtype: str
    parameters: tuple[tuple[str, str], ...]
    weight: int

    @property
    def specificity(self) -> int:
        """The more specific range has precedence (RFC 9110 §12.5.1): 0 for */*, 1 for type/*, 2 for type/subtype."""
        return (self.type != "*") + (self.subtype != "*")


def parse_accept(value: str) -> tuple[MediaRange, ...]:
    """The media ranges of an Accept field, in order."""
    parsed = (_media_range(member) for member in split_list(value)[:MAX_RANGES])
    return tuple(media_range for media_range in parsed if media_range is not None)


def parse_weights(value: str) -> dict[str, int]:
    """The members of a weighted list of names, such as Accept-Encoding (RFC 9110 §12.5.3), and their weights."""
    weights: dict[str, int] = {}
    for member in split_list(value)[:MAX_RANGES]:
        name, parameters = split_parameters(member.lower())
        text = dict(parameters).get("q", "1")
        if TOKEN.fullmatch(name) and _WEIGHT.fullmatch(text):
            weights.setdefault(name, _thousandths(text))
    return weights


def _media_range(member: str) -> MediaRange | None:
    head, parameters = split_parameters(member)
    kind, slash, subtype = head.lower().partition("/")
    if not slash or not TOKEN.fullmatch(kind) or not TOKEN.fullmatch(subtype) or (kind == "*" != subtype):
        return None
    own: list[tuple[str, str]] = []
    for name, text in parameters:
        if name == "q":  # ends the range's own parameters; what follows is of no meaning any more
            return None if not _WEIGHT.fullmatch(text) else MediaRange(kind, subtype, tuple(own), _thousandths(text))
        own.append((name, text))
    return MediaRange(kind, subtype, tuple(own), 1000)


def _thousandths(text: str) -> int:
    whole, _, fraction = text.partition(".")
    return int(whole) * 1000 + int(fraction.ljust(3, "0"))


def weight_of(ranges: tuple[MediaRange, ...], media_type: str) -> int:
    """The weight of a media type without parameters: that of the most specific range that matches, 0 without one.

    Ranges with parameters match only types that have them, so none of them matches here. Of equally specific ranges
    the first counts.
    """
    kind, _, subtype = media_type.partition("/")
    matching = [
        media_range
        for media_range in ranges
        if not media_range.parameters and media_range.type in ("*", kind) and media_range.subtype in ("*", subtype)
    ]
    return max(matching, key=lambda media_range: media_range.specificity).weight if matching else 0


def names(ranges: tuple[MediaRange, ...], media_type: str) -> bool:
    """Whether a range names exactly this type, and does not refuse it."""
    kind, _, subtype = media_type.partition("/")
    named = [r for r in ranges if not r.parameters and (r.type, r.subtype) == (kind, subtype)]
    return bool(named) and named[0].weight > 0
