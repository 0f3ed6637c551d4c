"""Raw request targets: percent-encoding without normalising anything away (RFC 3986 §2.1, RFC 9112 §3.2).

The rule of this file: `//`, `%2F`, dots and every other spelling stay as they were sent; only octets that may not
stand in a request line at all are written as escapes.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NOT_IN_A_TARGET = re.compile(r"[^\x21\x22\x24-\x7e]")  # controls, space, "#" and everything beyond ASCII


def decode_path(raw: str) -> bytes:
    """The octets that a raw path stands for. A broken escape stands for itself; `+` is a plus."""
    return unquote_to_bytes(raw.encode("utf-8", "surrogateescape"))


def is_well_escaped(raw: str) -> bool:
    """Whether every "%" starts a whole escape."""
    return _BROKEN_ESCAPE.search(raw) is None


def request_target(raw: str) -> str:
    """The target in a form that every server reads alike: octets a request line may not hold become escapes.

    Characters from a surrogateescape'd request line become the octets they were.
    """
    return _NOT_IN_A_TARGET.sub(_escape, raw)


def _escape(match: re.Match[str]) -> str:
    return "".join(f"%{octet:02X}" for octet in match[0].encode("utf-8", "surrogateescape"))


def dot_segments(raw: str) -> bool:
    """Whether a segment of the path, decoded once, is "." or "..": what lenient servers walk along (RFC 3986 §5.2.4).

    `%2F` and `\\` count as separators too, since some upstream may decode before it splits.
    """
    return any(segment in (b".", b"..") for segment in re.split(rb"[/\\]", decode_path(raw)))
