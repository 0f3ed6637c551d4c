"""What an upstream's answer says about caching: Cache-Control, or the field meant for CDNs (RFC 9111 §5.2, RFC 9213).

The rule of this file: it finds the directives that count and reads their arguments; what they mean is said where
they are used. Headers are mappings of lower-case names to combined values (`wire.fields.combine`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from wire.fields import delta_seconds, parse_cache_control, split_list
from wire.structured import InnerList, Item, MalformedField, Token, parse_dictionary

Headers: TypeAlias = Mapping[str, str]

TARGETED: Final = "cdn-cache-control"
"""The one field of RFC 9213 that is meant for us (its §3.1)."""

_SECONDS: Final = frozenset({"max-age", "s-maxage", "stale-if-error", "stale-while-revalidate"})
_FLAGS: Final = frozenset(
    {"immutable", "must-revalidate", "must-understand", "no-store", "no-transform", "proxy-revalidate", "public"}
)
_LISTS: Final = frozenset({"no-cache", "private"})


@dataclass(frozen=True, slots=True)
class Control:
    """The directives that count for the edge."""

    directives: Mapping[str, str | None]
    """Lower-case name → unquoted argument or None."""
    targeted: bool = False
    """They come from CDN-Cache-Control: Cache-Control and Expires are to be ignored (RFC 9213 §2.2)."""

    def says(self, name: str) -> bool:
        """Whether a directive stands there without field names as its argument."""
        return name in self.directives and not self.fields(name)

    def seconds(self, name: str) -> int | None:
        """The argument of a directive in seconds: 0 where it cannot be read (§4.2.1), None without the directive."""
        return (delta_seconds(self.directives[name]) or 0) if name in self.directives else None

    def fields(self, name: str) -> frozenset[str]:
        """The field names, in lower case, that a no-cache or private is about (§5.2.2.4, §5.2.2.7)."""
        if name not in ("no-cache", "private"):
            return frozenset()
        return frozenset(field.lower() for field in split_list(self.directives.get(name) or ""))


def control(headers: Headers) -> Control:
    """The directives of an answer that count for the edge."""
    targeted = _targeted(headers.get(TARGETED, ""))
    if targeted:
        return Control(targeted, targeted=True)
    return Control(parse_cache_control(headers.get("cache-control")))


def _targeted(value: str) -> dict[str, str | None]:
    """The directives of a targeted field: a dictionary of structured fields (RFC 9213 §2.1).

    It is ignored as a whole where it is none, or where a directive has a value of another type than its own: half of
    what somebody meant is not what he meant. A false member is as good as none; parameters mean nothing.
    """
    try:
        members = parse_dictionary(value)
    except MalformedField:
        return {}
    if not all(_typed(name, member) for name, member in members.items()):
        return {}
    return {name: _argument(member) for name, member in members.items() if _argument(member) != str(False)}


def _typed(name: str, member: Item | InnerList) -> bool:
    """Whether a directive's value has the type that §2.1 infers; those that we do not know may have any."""
    kind = InnerList if isinstance(member, InnerList) else type(member.value)
    if name in _SECONDS:
        return kind is int
    if name in _FLAGS:
        return kind is bool
    return name not in _LISTS or kind in (bool, str, Token)


def _argument(member: Item | InnerList) -> str | None:
    if isinstance(member, InnerList):
        return ", ".join(str(item.value) for item in member.items)
    return None if member.value is True else str(member.value)
