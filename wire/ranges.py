"""Byte ranges (RFC 9110 §14): which bytes of a representation a Range asks for.

The rule of this file: a Range is a wish. What cannot be read, or would cost more to answer than the whole, is
ignored (§14.2), which is `Full`; only a well-formed range with nothing in it is `Unsatisfiable`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

MAX_RANGES = 16
MAX_OVERLAPS = 2  # §14.2: "more than two overlapping ranges" are a sign of an attack
MAX_HEADER = 1024  # characters; 16 ranges of two 19-digit positions fit

_RANGE = re.compile(r"(?P<first>[0-9]+)-(?P<last>[0-9]*)|-(?P<suffix>[0-9]+)")


class Part(NamedTuple):
    """The bytes from start to end, both included, both within the representation."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """How many bytes it has."""
        return self.end - self.start + 1


@dataclass(frozen=True, slots=True)
class Full:
    """The whole representation: 200."""


@dataclass(frozen=True, slots=True)
class Parts:
    """At least two parts that do not touch each other: 206 as multipart/byteranges."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """Nothing of what was asked for exists: 416."""


Selection = Full | Part | Parts | Unsatisfiable


def parse_range(header: str | None, size: int) -> Selection:
    """What a Range field selects of a representation of `size` bytes. Any other unit than bytes is ignored."""
    if header is None or len(header) > MAX_HEADER:
        return Full()
    unit, equals, specs = header.partition("=")
    if not equals or unit.strip(" \t").lower() != "bytes":
        return Full()
    # §5.6.1.2: empty members of a list are nothing
    members = [member for spec in specs.split(",") if (member := spec.strip(" \t"))]
    if not members or len(members) > MAX_RANGES:
        return Full()
    parts = []
    for member in members:
        match = _RANGE.fullmatch(member)
        if match is None or (match["last"] and int(match["last"]) < int(match["first"])):
            return Full()  # §14.1.1: last before first makes the whole field invalid
        if part := _part(match, size):
            parts.append(part)
    if not parts:
        return Unsatisfiable()
    return _coalesced(parts)


def _part(match: re.Match[str], size: int) -> Part | None:
    """The part that one range selects, or None where it is unsatisfiable (§14.1.2)."""
    if match["suffix"] is not None:
        start, end = max(0, size - int(match["suffix"])), size - 1
    else:
        start, end = int(match["first"]), min(int(match["last"] or size), size - 1)
    return Part(start, end) if start <= end else None


def _coalesced(parts: list[Part]) -> Selection:
    """Parts that overlap or touch become one (§15.3.7.2); the order asked for stays where none do."""
    ordered = sorted(parts)
    merged = [ordered[0]]
    overlaps = 0
    for part in ordered[1:]:
        if part.start <= merged[-1].end:
            overlaps += 1
        if part.start <= merged[-1].end + 1:
            merged[-1] = Part(merged[-1].start, max(merged[-1].end, part.end))
        else:
            merged.append(part)
    if overlaps > MAX_OVERLAPS:
        return Full()
    if len(merged) == 1:
        return merged[0]
    return Parts(tuple(parts if len(merged) == len(parts) else merged))


def content_range(start: int, end: int, size: int) -> str:
    """The Content-Range of a 206 (§14.4)."""
    return f"bytes {start}-{end}/{size}"


def unsatisfied_range(size: int) -> str:
    """The Content-Range of a 416 (§14.4)."""
    return f"bytes */{size}"
