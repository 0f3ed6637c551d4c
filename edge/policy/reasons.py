"""The words of Cache-Status: how an answer came about, in RFC 9211's terms and ours.

The rule of this file: every outcome the edge can have has one word here, one sentence that explains it and, where a
URL that asked for a change cannot be answered because of it, one status. Logs, metrics, problem bodies and
documentation use these words and no others.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

CACHE_NAME = "facet"


class Forward(StrEnum):
    """Why a request went further than the stored answers (RFC 9211 §2.2)."""

    BYPASS = "bypass"
    METHOD = "method"
    URI_MISS = "uri-miss"
    VARY_MISS = "vary-miss"
    MISS = "miss"
    REQUEST = "request"
    STALE = "stale"
    PARTIAL = "partial"


class Detail(StrEnum):
    """What else there is to say (RFC 9211 §2.8); the sentence of each word is in DETAILS."""

    UNREADABLE = "pass-unreadable"
    DAMAGED = "pass-damaged"
    TOO_LARGE = "pass-too-large"
    TOO_MANY_PIXELS = "pass-too-many-pixels"
    TOO_MANY_FRAMES = "pass-too-many-frames"
    QUEUE_FULL = "pass-queue-full"
    TIMED_OUT = "pass-timed-out"
    CRASHED = "pass-crashed"
    NOT_SMALLER = "not-smaller"
    NO_TRANSFORM = "no-transform"
    NOT_AN_IMAGE = "not-an-image"
    VECTOR = "vector"
    ANIMATION_KEPT = "animation-kept"
    ORIGINAL = "original"
    UNCHANGED = "unchanged"
    STALE = "stale"
    NEGATIVE = "negative"
    PROVISIONAL = "provisional"
    UPSTREAM_DOWN = "upstream-down"
    UPSTREAM_SLOW = "upstream-slow"
    UPSTREAM_BROKEN = "upstream-broken"
    NO_SUCH_OBJECT = "no-such-object"
    LOOP = "cdn-loop"
    NO_STORE = "no-store"
    PRIVATE = "private"
    AUTHORIZED = "authorized"
    UNCACHEABLE = "uncacheable"
    DISK_FULL = "disk-full"


class DetailRow(NamedTuple):
    """One row of DETAILS: what the word means; the status when the URL asked for a change that it prevents."""

    meaning: str
    status_if_asked: int | None = None


@dataclass(frozen=True, slots=True)
class CacheStatus:
    """How one answer came about; `header()` is the field's value."""

    hit: bool = False
    fwd: Forward | None = None
    fwd_status: int | None = None
    ttl: int | None = None
    stored: bool = False
    collapsed: bool = False
    detail: Detail | None = None

    def header(self) -> str:
        """The Cache-Status member, such as `facet; fwd=uri-miss; stored` (RFC 9211 §2)."""
        raise NotImplementedError
