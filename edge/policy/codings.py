"""Which content coding a client gets of a text, and which texts have any (RFC 9110 §8.4.1, §12.5.3).

The rule of this file: a coding is given only to a client that is as glad of it as of none, and never instead of
what a hash in the page was made of: decoded, it is the source, byte for byte.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from edge.policy.directives import Headers
from wire.accept import parse_weights
from wire.fields import media_type

CODINGS: Final = ("br", "zstd", "gzip")
"""In the order of our own preference where the client has none: that of their size for scripts and styles."""
SMALLEST: Final = 256
"""Bytes below which a text is not coded: what would be saved is less than a header."""
LARGEST: Final = 16 * 1024 * 1024
"""Bytes above which it is not, because it is held whole while it is coded."""

_TEXTS: Final = frozenset(
    {
        "application/atom+xml",
        "application/geo+json",
        "application/javascript",
        "application/json",
        "application/ld+json",
        "application/manifest+json",
        "application/rss+xml",
        "application/vnd.ms-fontobject",
        "application/wasm",
        "application/x-javascript",
        "application/xhtml+xml",
        "application/xml",
        "font/otf",
        "font/ttf",
        "image/bmp",
        "image/svg+xml",
        "image/x-icon",
        "image/vnd.microsoft.icon",
    }
)
"""What is worth coding beside text/…; pictures, films and WOFF fonts are compressed already."""


@lru_cache(maxsize=512)  # browsers send a handful of different fields
def coding_for(accept_encoding: str | None) -> str:
    """The coding of a client's Accept-Encoding that it weighs most; empty for none."""
    weights = parse_weights(accept_encoding or "")
    if "x-gzip" in weights:  # §8.4.1.3
        weights.setdefault("gzip", weights["x-gzip"])
    others = weights.get("*", 0)
    best = max(CODINGS, key=lambda coding: weights.get(coding, others))
    weight = weights.get(best, others)
    return best if weight and weight >= weights.get("identity", 0) else ""


def is_text(content_type: str | None) -> bool:
    """Whether bodies of a type are offered in codings; all answers of such a type vary by Accept-Encoding."""
    kind = media_type(content_type)
    return kind in _TEXTS or (kind.startswith("text/") and kind != "text/event-stream")


def is_codable(content_type: str | None, length: int, headers: Headers, *, no_transform: bool) -> bool:
    """Whether a stored body is given in codings: a text that has none yet, and that may be changed (§7.7)."""
    plain = "content-encoding" not in headers and not no_transform
    return plain and SMALLEST <= length <= LARGEST and is_text(content_type)
