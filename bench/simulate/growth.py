"""How a media store grows with its users, and what deduplication saves.

The rule of this file: every assumption is a field with its source or the word *assumed*; the arithmetic is a sum
over days. A file that has been seen before costs nothing but its row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MEAN = 354_000
"""Bytes of a file: 93.5 TiB in 290.8 million objects of a store that several instances share (Jortage)."""


@dataclass(frozen=True)
class Instance:
    """What a server's users cause."""

    users: int
    active: float = 0.2
    """Share of the users who are there on a day (assumed)."""
    posted: float = 0.3
    """Files an active user uploads a day (assumed)."""
    fetched_base: float = 2_000
    """Files of other servers fetched a day, however small the instance (assumed)."""
    fetched_exponent: float = 0.65
    """They grow more slowly than users, who follow the same accounts (assumed)."""
    fetched_factor: float = 200.0
    """550 GB at 30 days of retention (metalhead.club) for some 5,000 users (assumed) are 52,000 files a day."""
    retention: int = 14
    """Days that other servers' files are kept (a usual setting of Mastodon)."""
    duplicate: float = 0.55
    """Share of the bytes that are there already: 52.7-62.6 % in a store shared by 43-85 instances (Jortage)."""
    overhead: float = 1 + 28 / 65_536 + 0.002
    """Sealing (a tag for every 64 KiB) and catalog rows."""

    @property
    def own(self) -> float:
        """Bytes uploaded a day, kept for good."""
        return self.users * self.active * self.posted * 2 * MEAN  # an original and its preview

    @property
    def foreign(self) -> float:
        """Bytes fetched a day, kept for `retention` days."""
        return (self.fetched_base + self.fetched_factor * self.users**self.fetched_exponent) * MEAN


@dataclass(frozen=True)
class Day:
    """Bytes at the end of a day: as the applications count them, and on the disk."""

    day: int
    logical: float
    stored: float


def grow(instance: Instance, days: int, duplicate: float | None = None) -> Iterator[Day]:
    """Day by day from an empty store."""
    share = instance.duplicate if duplicate is None else duplicate
    for day in range(1, days + 1):
        logical = instance.own * day + instance.foreign * min(day, instance.retention)
        yield Day(day, logical, logical * (1 - share) * instance.overhead)
