"""Which format a client gets: RFC 9110 §12 to the letter, and nothing a client did not name.

The rule of this file: AVIF or WebP goes only to a client whose Accept names it. Wildcards, no Accept at all and
requests that came through another CDN get the source's own format. There is no 406.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

CDN_LOOP_TOKEN = "facet"  # noqa: S105 - RFC 8586's name for it


class Way(Enum):
    """How a request came here (RFC 8586, RFC 9110 §7.6.3)."""

    DIRECT = "direct"
    FOREIGN_CDN = "foreign-cdn"
    LOOP = "loop"


def way(cdn_loop: str | None, via: str | None) -> Way:
    """How a request came here, from its CDN-Loop and Via fields (lines joined by ", "). LOOP is 508."""
    raise NotImplementedError


@dataclass(frozen=True, slots=True)
class AcceptClass:
    """Everything about an Accept field that can change an answer; few distinct values for all the world's clients.

    offers: for each of SOURCE_FORMATS, in that order, the formats to try instead of it, best first.
    """

    offers: tuple[tuple[str, ...], ...] = ()

    @property
    def avif(self) -> bool:
        """Whether the client names image/avif."""
        raise NotImplementedError

    @property
    def webp(self) -> bool:
        """Whether the client names image/webp."""
        raise NotImplementedError

    @property
    def key(self) -> str:
        """The class in a cache key: "own", "avif,webp", …"""
        raise NotImplementedError

    def preferred(self, source: str) -> tuple[str, ...]:
        """The formats to try for a source format, best first; empty is its own."""
        raise NotImplementedError


OWN = AcceptClass()
"""The class of a client that names neither AVIF nor WebP: the source's own format."""


def accept_class(accept: str | None, transformed_by_cdn: bool = False) -> AcceptClass:
    """The class of an Accept field (lines joined by ", "; None where there is none).

    transformed_by_cdn: came through another CDN and the site does not set downstream_vary.
    """
    raise NotImplementedError


def choose_format(
    source: str, asked: str, accept: AcceptClass, *, animated: bool, has_alpha: bool, short_side: int, offered: frozenset[str]
) -> str:
    """The output format of a rendering.

    source: format of the source ("jpeg", "gif", "tiff", …); asked: the variant's format. short_side: of the
    rendering, in pixels. offered: which of "avif" and "webp" the settings offer to negotiation.
    """
    raise NotImplementedError
