"""Structured fields (RFC 9651): items, lists and dictionaries, read and written.

The rule of this file: the algorithms of RFC 9651 §4, step by step. What they call failure is a MalformedField, and
the field is then to be ignored as a whole (§4.2).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal


class MalformedField(ValueError):
    """The text is no structured field of the wanted kind, or the value cannot be written as one."""


class Token(str):
    """A token (§3.3.4), to tell it from a string."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Date:
    """A date (§3.3.7) in seconds since 1970."""

    seconds: int


@dataclass(frozen=True, slots=True)
class DisplayString:
    """A string of any characters (§3.3.8)."""

    text: str


BareItem = int | Decimal | str | Token | bytes | bool | Date | DisplayString
Parameters = Mapping[str, BareItem]


@dataclass(frozen=True, slots=True)
class Item:
    """A bare item with its parameters (§3.3)."""

    value: BareItem
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InnerList:
    """A list within a list, with its parameters (§3.1.1)."""

    items: tuple[Item, ...]
    parameters: Parameters = field(default_factory=dict)


Member = Item | InnerList

_MAX_INTEGER = 999_999_999_999_999
_KEY = re.compile(r"[a-z*][a-z0-9_\-.*]*")
_TOKEN = re.compile(r"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*")
_STRING = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_BYTES = re.compile(r":([A-Za-z0-9+/=]*):")
_DISPLAY = re.compile(r'%"((?:[\x20\x21\x23\x24\x26-\x7e]|%[0-9a-f]{2})*)"')
_BOOLEAN = re.compile(r"\?([01])")


def parse_item(text: str) -> Item:
    """Raises MalformedField."""
    reader = _Reader(text)
    item = reader.item()
    reader.end()
    return item


def parse_list(text: str) -> tuple[Member, ...]:
    """Raises MalformedField."""
    reader = _Reader(text)
    members: list[Member] = []
    while not reader.ended() and (not members or reader.next_member()):
        members.append(reader.member())
    reader.end()
    return tuple(members)


def parse_dictionary(text: str) -> dict[str, Member]:
    """A key without a value is true; of a key that stands twice the last counts. Raises MalformedField."""
    reader = _Reader(text)
    members: dict[str, Member] = {}
    while not reader.ended() and (not members or reader.next_member()):
        key = reader.take(_KEY, "a key")[0]
        members.pop(key, None)
        members[key] = reader.member() if reader.skip("=") else Item(True, reader.parameters())
    reader.end()
    return members


class _Reader:
    """A position in a text (§4.2)."""

    def __init__(self, text: str) -> None:
        self._text = text.strip(" ")
        self._at = 0

    def ended(self) -> bool:
        return self._at == len(self._text)

    def end(self) -> None:
        if not self.ended():
            raise self._failure("the end")

    def skip(self, text: str) -> bool:
        found = self._text.startswith(text, self._at)
        self._at += len(text) if found else 0
        return found

    def blanks(self, characters: str) -> None:
        while not self.ended() and self._text[self._at] in characters:
            self._at += 1

    def take(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise self._failure(what)
        self._at = match.end()
        return match

    def _failure(self, wanted: str) -> MalformedField:
        return MalformedField(f"expected {wanted} at position {self._at}")

    def next_member(self) -> bool:
        """Past the comma between two members; a trailing one is a failure (§4.2.1)."""
        self.blanks(" \t")
        if not self.skip(","):
            raise self._failure("a comma")
        self.blanks(" \t")
        if self.ended():
            raise self._failure("a member")
        return True

    def member(self) -> Member:
        return self.inner_list() if self.skip("(") else self.item()

    def inner_list(self) -> InnerList:
        items: list[Item] = []
        while True:
            self.blanks(" ")
            if self.skip(")"):
                return InnerList(tuple(items), self.parameters())
            items.append(self.item())
            if not self.ended() and self._text[self._at] not in " )":
                raise self._failure("a space or )")

    def item(self) -> Item:
        return Item(self.bare_item(), self.parameters())

    def parameters(self) -> Parameters:
        parameters: dict[str, BareItem] = {}
        while self.skip(";"):
            self.blanks(" ")
            key = self.take(_KEY, "a key")[0]
            parameters.pop(key, None)
            parameters[key] = self.bare_item() if self.skip("=") else True
        return parameters

    def bare_item(self) -> BareItem:
        """The kind of an item shows in its first character (§4.2.3.1)."""
        match self._text[self._at : self._at + 1]:
            case '"':
                return re.sub(r"\\(.)", r"\1", self.take(_STRING, "a string")[1])
            case ":":
                return self._bytes(self.take(_BYTES, "bytes")[1])
            case "?":
                return self.take(_BOOLEAN, "a boolean")[1] == "1"
            case "%":
                return self._display(self.take(_DISPLAY, "a display string")[1])
            case "@":
                self._at += 1
                seconds = self._number()
                if isinstance(seconds, Decimal):
                    raise self._failure("an integer")
                return Date(seconds)
            case first if first in tuple("-0123456789"):
                return self._number()
            case _:
                return Token(self.take(_TOKEN, "an item")[0])

    def _number(self) -> int | Decimal:
        """At most 15 digits, or 12 and 3 after the point (§4.2.4)."""
        text = self.take(_NUMBER, "a number")[0]
        if self._text[self._at : self._at + 1] == ".":
            raise self._failure("a digit")
        whole, point, fraction = text.lstrip("-").partition(".")
        if len(whole) > (12 if point else 15) or len(fraction) > 3:
            raise self._failure("a shorter number")
        return Decimal(text) if point else int(text)

    def _bytes(self, text: str) -> bytes:
        try:
            return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except binascii.Error:
            raise self._failure("base64") from None

    def _display(self, text: str) -> DisplayString:
        octets = re.sub(rb"%(..)", lambda match: bytes.fromhex(match[1].decode()), text.encode("ascii"))
        try:
            return DisplayString(octets.decode("utf-8"))
        except UnicodeDecodeError:
            raise self._failure("UTF-8") from None


def serialise_item(item: Item) -> str:
    """Raises MalformedField where the value has no such form."""
    return _bare(item.value) + _parameters(item.parameters)


def serialise_list(members: Sequence[Member]) -> str:
    """Raises MalformedField. An empty list is the empty text: such a field is not to be sent (§4.1)."""
    return ", ".join(_member(member) for member in members)


def serialise_dictionary(members: Mapping[str, Member]) -> str:
    """Raises MalformedField. An empty dictionary is the empty text: such a field is not to be sent (§4.1)."""
    return ", ".join(
        _key(key) + (_parameters(member.parameters) if _is_true(member) else "=" + _member(member))
        for key, member in members.items()
    )


def _is_true(member: Member) -> bool:
    return isinstance(member, Item) and member.value is True


def _member(member: Member) -> str:
    if isinstance(member, Item):
        return serialise_item(member)
    return f"({' '.join(map(serialise_item, member.items))}){_parameters(member.parameters)}"


def _parameters(parameters: Parameters) -> str:
    return "".join(
        f";{_key(key)}" if value is True else f";{_key(key)}={_bare(value)}" for key, value in parameters.items()
    )


def _key(key: str) -> str:
    return _checked(_KEY, key, "a key")


def _checked(pattern: re.Pattern[str], text: str, what: str) -> str:
    if not pattern.fullmatch(text):
        raise MalformedField(f"{text!r} cannot be {what}")
    return text


def _bare(value: BareItem) -> str:
    match value:
        case bool():
            return f"?{value:d}"
        case int():
            if abs(value) > _MAX_INTEGER:
                raise MalformedField(f"{value} has more than 15 digits")
            return str(value)
        case Decimal():
            return _decimal(value)
        case Token():
            return _checked(_TOKEN, value, "a token")
        case str():
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            return _checked(_STRING, f'"{escaped}"', "a string")
        case bytes():
            return f":{base64.b64encode(value).decode()}:"
        case Date(seconds):
            return "@" + _bare(seconds)
        case DisplayString(text):
            octets = text.encode("utf-8")
            return '%"' + "".join(chr(o) if 0x20 <= o < 0x7F and o not in b'%"' else f"%{o:02x}" for o in octets) + '"'


def _decimal(value: Decimal) -> str:
    """Rounded half to even to three places (§4.1.5)."""
    if not value.is_finite() or abs(value) >= 10**12 or abs(rounded := value.quantize(Decimal("0.001"))) >= 10**12:
        raise MalformedField(f"{value} is no number of at most 12 digits before the point")
    whole, _, fraction = f"{rounded:f}".partition(".")
    return f"{whole}.{fraction.rstrip('0') or '0'}"
