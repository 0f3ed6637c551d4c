"""What one request wants, and what was found for it.

The rule of this file: plain data, which the phases of a journey hand on to one another.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.keeper import link
from edge.keeper.answer import Answer
from edge.keeper.selection import Wish
from edge.message import Body, Reply, Request
from edge.policy.demand import Demand
from edge.policy.freshness import NEGATIVE
from edge.policy.reasons import CacheStatus, Detail
from edge.policy.sites import Site


@dataclass(frozen=True, slots=True)
class Errand:
    """What one request wants: an asset of a site, for a client that accepts this and asks for that."""

    request: Request
    site: Site
    path: str
    key: bytes
    wish: Wish
    demand: Demand
    fixed: bool = False
    """Signed or a preset: exactly this variant, however many there are."""
    passed: link.Passed | None = None
    """The request as it goes upstream, on a transparent site."""

    @property
    def reads(self) -> bool:
        """Whether something stored may answer (RFC 9111 §2)."""
        return self.request.method in ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Found:
    """What answers an errand, how that came about, and the bytes. `stored`: they are, or are about to be."""

    answer: Answer
    outcome: CacheStatus
    body: Body | None
    stored: bool = True
    once: tuple[tuple[str, str], ...] = ()
    """Header lines for this client alone."""


class NoAnswer(Exception):
    """The journey ends early, with this reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def hit(answer: Answer, now: float) -> CacheStatus:
    """How an answer came about that is given without asking anybody."""
    ttl = int(answer.asset.edge_expires - now)
    detail = Detail.NEGATIVE if answer.asset.status in NEGATIVE else answer.detail(now)
    return CacheStatus(hit=True, ttl=ttl, detail=detail)
