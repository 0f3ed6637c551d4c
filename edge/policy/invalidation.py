"""What an unsafe request makes unusable (RFC 9111 §4.4), and groups of answers (RFC 9875).

The rule of this file: it names what is to be invalidated, by raw path and query of the same host, or by group.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urljoin, urlsplit

from edge.policy.directives import Headers
from wire.structured import Item, MalformedField, parse_list

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""The safe methods (RFC 9110 §9.2.1); any other, known to us or not, may have changed something."""

_MAX_GROUPS: Final = 32  # of one answer, and characters of a name: what RFC 9875 §2 asks for at least
_MAX_NAME: Final = 128


def invalidates(method: str, status: int) -> bool:
    """Whether an answer means that something has changed: not an error, to an unsafe method (§4.4)."""
    return method not in SAFE and 200 <= status < 400


def targets(scheme: str, host: str, target: str, answer: Headers) -> tuple[str, ...]:
    """The request targets whose stored answers are invalid now: the request's, Location's and Content-Location's.

    Only those of the same origin count, so that no host empties another's cache.
    """
    base = f"{scheme}://{host}{target}"
    named = [base, *(resolved(base, answer[name]) for name in ("location", "content-location") if name in answer)]
    return tuple(dict.fromkeys(_target(url) for url in named if _origin(url) == _origin(base)))


def resolved(base: str, reference: str) -> str:
    """A reference as a URL; one that cannot be read is empty."""
    try:
        return urljoin(base, reference)
    except ValueError:
        return ""


def same_resource(scheme: str, host: str, target: str, reference: str) -> bool:
    """Whether a Content-Location names what was asked for, so that a POST's answer may answer a GET
    (RFC 9110 §9.3.3)."""
    base = f"{scheme}://{host}{target}"
    return resolved(base, reference) == base


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()


def _target(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"


def groups(headers: Headers) -> tuple[str, ...]:
    """The groups that an answer belongs to (RFC 9875 §2)."""
    return _strings(headers.get("cache-groups", ""))


def invalidated_groups(method: str, headers: Headers) -> tuple[str, ...]:
    """The groups that an answer invalidates; only those to unsafe methods may (RFC 9875 §3)."""
    return () if method in SAFE else _strings(headers.get("cache-group-invalidation", ""))


def _strings(value: str) -> tuple[str, ...]:
    try:
        members = parse_list(value)
    except MalformedField:
        return ()
    strings = (member.value for member in members if isinstance(member, Item) and type(member.value) is str)
    return tuple(text for text in strings if isinstance(text, str) and len(text) <= _MAX_NAME)[:_MAX_GROUPS]
