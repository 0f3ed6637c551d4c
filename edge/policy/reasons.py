"""The words of Cache-Status: how an answer came about, in RFC 9211's terms and ours.

The rule of this file: every outcome the edge can have has one word here, one sentence that explains it and, where a
URL that asked for a change cannot be answered because of it, one status. Logs, metrics, problem bodies and
documentation use these words and no others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from wire.structured import BareItem, Item, Token, serialise_item

CACHE_NAME = "facet"


class Forward(StrEnum):
    """Why a request went further than the stored answers (RFC 9211 §2.2)."""

    BYPASS = "bypass"
    """The edge was told not to handle this request as a cache."""
    METHOD = "method"
    """The method's semantics require it."""
    URI_MISS = "uri-miss"
    """Nothing is stored for this URL."""
    VARY_MISS = "vary-miss"
    """The source is stored, the rendering for this client or these parameters is not."""
    MISS = "miss"
    """Nothing stored could be used, for one of the two reasons above."""
    REQUEST = "request"
    """Something usable is stored, but the request's own directives forbid it."""
    STALE = "stale"
    """What is stored is older than its lifetime, or was purged by a change at the origin."""
    PARTIAL = "partial"
    """Only a part of what was asked for is stored."""


class Detail(StrEnum):
    """What else there is to say (RFC 9211 §2.8); the sentence of each word is in DETAILS."""

    UNREADABLE = "pass-unreadable"
    NEEDS_HEIC = "pass-needs-heic"
    NEEDS_JXL = "pass-needs-jxl"
    DAMAGED = "pass-damaged"
    TOO_LARGE = "pass-too-large"
    TOO_MANY_PIXELS = "pass-too-many-pixels"
    TOO_MANY_FRAMES = "pass-too-many-frames"
    RESULT_TOO_LARGE = "pass-result-too-large"
    QUEUE_FULL = "pass-queue-full"
    TIMED_OUT = "pass-timed-out"
    CRASHED = "pass-crashed"
    DISK_FULL = "pass-disk-full"
    NOT_SMALLER = "not-smaller"
    UNCHANGED = "unchanged"
    ORIGINAL = "original"
    NO_TRANSFORM = "no-transform"
    VECTOR = "vector"
    ANIMATION_KEPT = "animation-kept"
    PROVISIONAL = "provisional"
    STALE = "stale"
    REFRESHING = "refreshing"
    NEGATIVE = "negative"
    NOT_STORED = "not-stored"
    TOO_MUCH = "body-too-large"
    NO_STORE = "no-store"
    PRIVATE = "private"
    AUTHORIZED = "authorized"
    UNCACHEABLE = "uncacheable"
    NO_SUCH_OBJECT = "no-such-object"
    BAD_PARAMETER = "bad-parameter"
    NOT_NAMED = "variant-not-named"
    BAD_SIGNATURE = "bad-signature"
    HOTLINK = "hotlink"
    SNAPPED = "snapped"
    TOO_MANY_MISSES = "too-many-misses"
    TOO_MANY_REQUESTS = "too-many-requests"
    TOO_MANY_VARIANTS = "too-many-variants"
    LOOP = "cdn-loop"
    KEEPER_AWAY = "keeper-away"
    UPSTREAM_ERROR = "upstream-error"
    UPSTREAM_UNREACHABLE = "upstream-unreachable"
    UPSTREAM_FORBIDDEN_ADDRESS = "upstream-forbidden-address"
    UPSTREAM_HEAD_TIMEOUT = "upstream-head-timeout"
    UPSTREAM_STALLED = "upstream-stalled"
    UPSTREAM_TOO_SLOW = "upstream-too-slow"
    UPSTREAM_TRUNCATED = "upstream-truncated"
    UPSTREAM_MALFORMED = "upstream-malformed"
    UPSTREAM_BREAKER_OPEN = "upstream-breaker-open"


class DetailRow(NamedTuple):
    """One row of DETAILS: what the word means; the status of a URL that cannot be answered because of it.

    Words that start with "pass-" mean that the stored bytes were given to a URL that asks for no change; a URL that
    asks for one gets the status, and the sentence in its body.
    """

    meaning: str
    status: int | None = None


DETAILS: Mapping[Detail, DetailRow] = MappingProxyType(
    {
        Detail.UNREADABLE: DetailRow("the source is not a picture of a type that can be rendered", 415),
        Detail.NEEDS_HEIC: DetailRow("HEIC can be read once the extra facet-edge[heic] is installed", 415),
        Detail.NEEDS_JXL: DetailRow("JPEG XL can be read once the extra facet-edge[jxl] is installed", 415),
        Detail.DAMAGED: DetailRow("the source is a damaged or truncated picture", 422),
        Detail.TOO_LARGE: DetailRow("the source has more bytes than edge.max_source", 413),
        Detail.TOO_MANY_PIXELS: DetailRow("the source has more pixels than render.max_pixels", 413),
        Detail.TOO_MANY_FRAMES: DetailRow("the source has more frames than render.max_frames", 413),
        Detail.RESULT_TOO_LARGE: DetailRow("the result has a longer side than its format or the edge allows", 413),
        Detail.QUEUE_FULL: DetailRow("too many renderings are waiting", 503),
        Detail.TIMED_OUT: DetailRow("the rendering took longer than render.deadline", 503),
        Detail.CRASHED: DetailRow("the renderer ended while it worked on this picture", 503),
        Detail.DISK_FULL: DetailRow("there is no room on the edge's disk to render", 503),
        Detail.NOT_SMALLER: DetailRow("the rendering was not smaller than the source, which stands in for it"),
        Detail.UNCHANGED: DetailRow("what the URL asks for is what the source already is"),
        Detail.ORIGINAL: DetailRow("the URL asks for the stored bytes (format=original)"),
        Detail.NO_TRANSFORM: DetailRow("the source's Cache-Control says no-transform"),
        Detail.VECTOR: DetailRow("the source is a vector picture and the URL names no raster format"),
        Detail.ANIMATION_KEPT: DetailRow("the source is an animation that could only be rendered as a still"),
        Detail.PROVISIONAL: DetailRow("made fast for a first request; a smaller rendering may follow"),
        Detail.STALE: DetailRow("given beyond its lifetime because the upstream could not be asked"),
        Detail.REFRESHING: DetailRow("given beyond its lifetime while the upstream is asked in the background"),
        Detail.NOT_STORED: DetailRow("the request wants nothing but what is stored, and nothing that is will do", 504),
        Detail.TOO_MUCH: DetailRow("the request's body is longer than edge.max_body", 413),
        Detail.NEGATIVE: DetailRow("a stored 404 or 410"),
        Detail.NO_STORE: DetailRow("the upstream forbids storing (no-store)", 422),
        Detail.PRIVATE: DetailRow("the upstream allows storing to the client alone (private)", 422),
        Detail.AUTHORIZED: DetailRow("the request had credentials, and the upstream does not say public", 422),
        Detail.UNCACHEABLE: DetailRow("the upstream answered in a way that cannot be stored", 422),
        Detail.NO_SUCH_OBJECT: DetailRow("the path cannot be the name of an object", 404),
        Detail.BAD_PARAMETER: DetailRow("a parameter of the URL has a value that is not allowed", 400),
        Detail.NOT_NAMED: DetailRow("the site makes no variants but its presets and those of signed URLs", 403),
        Detail.BAD_SIGNATURE: DetailRow("the URL's signature does not hold", 403),
        Detail.HOTLINK: DetailRow("the site does not show this on pages of others", 403),
        Detail.SNAPPED: DetailRow("the source has many renderings: the size is the next one of a ladder"),
        Detail.TOO_MANY_MISSES: DetailRow("the client asks for more that is not stored than it may", 429),
        Detail.TOO_MANY_REQUESTS: DetailRow("the client has more requests running than it may", 429),
        Detail.TOO_MANY_VARIANTS: DetailRow("the source has as many renderings as it may", 503),
        Detail.LOOP: DetailRow("the request has been through this edge before (CDN-Loop)", 508),
        Detail.KEEPER_AWAY: DetailRow("the process that fills the cache is being restarted", 503),
        Detail.UPSTREAM_ERROR: DetailRow("the upstream answered with an error", 502),
        Detail.UPSTREAM_UNREACHABLE: DetailRow("no connection to the upstream", 502),
        Detail.UPSTREAM_FORBIDDEN_ADDRESS: DetailRow("the upstream's name leads into a private network", 502),
        Detail.UPSTREAM_HEAD_TIMEOUT: DetailRow("the upstream did not answer in time", 504),
        Detail.UPSTREAM_STALLED: DetailRow("the upstream's answer stood still", 504),
        Detail.UPSTREAM_TOO_SLOW: DetailRow("the upstream's answer took too long altogether", 504),
        Detail.UPSTREAM_TRUNCATED: DetailRow("the upstream's answer broke off", 502),
        Detail.UPSTREAM_MALFORMED: DetailRow("the upstream's answer is not HTTP", 502),
        Detail.UPSTREAM_BREAKER_OPEN: DetailRow("the upstream failed repeatedly and is left alone for a moment", 503),
    }
)


@dataclass(frozen=True, slots=True)
class CacheStatus:
    """How one answer came about; `header()` is the field's value."""

    hit: bool = False
    """Answered from what is stored, without asking anybody."""
    fwd: Forward | None = None
    fwd_status: int | None = None
    """The upstream's status, where it is not the answer's."""
    ttl: int | None = None
    """Seconds the answer stays usable at the edge; negative where it was given beyond that."""
    stored: bool = False
    collapsed: bool = False
    """Joined a fill that was under way."""
    detail: Detail | None = None

    def header(self) -> str:
        """The Cache-Status member, such as `facet; fwd=uri-miss; stored` (RFC 9211 §2)."""
        given: dict[str, BareItem | None] = {
            "hit": self.hit or None,
            "fwd": None if self.fwd is None else Token(self.fwd),
            "fwd-status": self.fwd_status,
            "ttl": self.ttl,
            "stored": self.stored or None,
            "collapsed": self.collapsed or None,
            "detail": None if self.detail is None else Token(self.detail),
        }
        parameters = {name: value for name, value in given.items() if value is not None}
        # Only tokens and integers: the spaces are those of the RFC's examples, for people.
        return serialise_item(Item(Token(CACHE_NAME), parameters)).replace(";", "; ")


def table_markdown() -> str:
    """The detail words as a Markdown table, for the documentation."""
    rows = (f"| `{word}` | {row.meaning} | {row.status or ''} |" for word, row in DETAILS.items())
    return "\n".join(("| detail | meaning | status |", "|---|---|---|", *rows)) + "\n"
