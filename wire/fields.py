"""Field values of HTTP: lists, directives, media types, and the fields that belong to one connection.

The rule of this file: reading never raises, and takes time linear in the length of the value. Structured fields
have a file of their own (structured.py), Accept too (accept.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# RFC 9110 §7.6.1, and Proxy-Connection, which RFC 9110's appendix to HTTP/1.0 names.
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 §5.6.2
_MEMBER = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*"?)+')
_PIECE = re.compile(r'(?:[^";]|"(?:[^"\\]|\\.)*"?)+')
_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED = re.compile(r"\\(.)")


def combine(lines: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Field lines as one value a name, lower-case names, lines joined by ", " in order (RFC 9110 §5.3).

    Set-Cookie cannot be split again afterwards; it is only ever asked for its presence. Bytes that are no UTF-8 (lone
    surrogates here) are read as Latin-1, so that every value can be written again.
    """
    fields: dict[str, str] = {}
    for name, line in lines:
        lower = name.lower()
        value = line if line.isascii() or not _SURROGATE.search(line) else _latin_1(line)
        fields[lower] = f"{fields[lower]}, {value}" if lower in fields else value
    return fields


def _latin_1(value: str) -> str:
    return value.encode("utf-8", "surrogateescape").decode("latin-1")


def split_list(value: str) -> list[str]:
    """The members of a list (RFC 9110 §5.6.1), stripped; commas within quoted strings do not separate."""
    return [member for match in _MEMBER.finditer(value) if (member := match[0].strip(" \t"))]


def split_parameters(member: str) -> tuple[str, list[tuple[str, str]]]:
    """What stands before the first ";", and the parameters (lower-case name, unquoted value) after it
    (RFC 9110 §5.6.6)."""
    head, *rest = [match[0].strip(" \t") for match in _PIECE.finditer(member)] or [""]
    parameters = []
    for piece in rest:
        name, _, text = piece.partition("=")
        parameters.append((name.strip(" \t").lower(), unquote(text.strip(" \t"))))
    return head, parameters


def unquote(text: str) -> str:
    """The text of a quoted string (RFC 9110 §5.6.4), or the text itself where it is not one."""
    if len(text) < 2 or not (text.startswith('"') and text.endswith('"')):
        return text
    return _ESCAPED.sub(r"\1", text[1:-1])


def quote(text: str) -> str:
    """The text as a quoted string. It must hold no control characters."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def parse_cache_control(values: str | Iterable[str] | None) -> dict[str, str | None]:
    """The directives of Cache-Control (RFC 9111 §5.2): lower-case name → unquoted argument or None.

    Of a directive that stands twice the first counts (§4.2.1). Blanks beside the equals sign are no part of the
    grammar: the directive is there, and its argument is not one that can be read.
    """
    if values is None:
        return {}
    directives: dict[str, str | None] = {}
    for value in (values,) if isinstance(values, str) else values:
        for member in split_list(value):
            before, equals, argument = member.partition("=")
            name = before.strip(" \t")
            spaced = argument != argument.lstrip(" \t") or before != name
            directives.setdefault(name.lower(), ("" if spaced else unquote(argument)) if equals else None)
    return directives


def delta_seconds(text: str | None) -> int | None:
    """The seconds of a directive's argument (RFC 9111 §1.2.2), at most 2³¹; None where it is not a number."""
    if text is None or not (text.isascii() and text.isdigit()):
        return None
    return min(int(text[:20]), 2**31)


def media_type(content_type: str | None) -> str:
    """type/subtype in lower case without parameters; empty for None (RFC 9110 §8.3.1)."""
    return (content_type or "").partition(";")[0].strip(" \t").lower()


def connection_options(value: str | None) -> frozenset[str]:
    """The fields that a Connection field names (lower case): they end at this connection too (RFC 9110 §7.6.1)."""
    return frozenset(option.lower() for option in split_list(value or ""))
