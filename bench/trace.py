"""What a fediverse server's readers ask for, made from published figures: kinds and sizes of media, who asks for what.

The rule of this file: one seed makes one trace, the same on every machine; nothing here does I/O. Shares by count:
30 % avatars and headers, 20 % small previews, 20 % originals, 20 % preview cards, 8 % emoji, 2 % video. Nine requests
in ten go to the newest 5 % of the keys by Zipf's law (exponent 0.9), the others to all keys alike. 70 % come from
browsers (Accept names AVIF and WebP), 25 % from servers that send no Accept, 5 % are parts of videos.
"""

from __future__ import annotations

import itertools
import math
import random
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SHARES = {"avatar": 30, "preview": 20, "original": 20, "card": 20, "emoji": 8, "video": 2}
SIZES = {
    "avatar": (40_000, 300_000, 2_000_000),
    "preview": (38_000, 60_000, 120_000),
    "original": (250_000, 2_000_000, 16_000_000),
    "card": (25_000, 60_000, 200_000),
    "emoji": (17_000, 60_000, 256_000),
    "video": (4_000_000, 40_000_000, 99_000_000),
}
"""Median, 95th percentile and most bytes of each kind; log-normal between."""

ZIPF, NEWEST, HOT = 0.9, 0.05, 0.9
"""Zipf's exponent, the share of keys that are new, and the share of requests that go there."""
BROWSERS, SERVERS = 0.70, 0.25
"""Shares of the requests; the rest are parts of videos."""
_Z95 = 1.645


@dataclass(frozen=True, slots=True)
class Media:
    """One key."""

    number: int
    kind: str
    size: int

    @property
    def name(self) -> str:
        return f"{self.kind}/{self.number}.{'mp4' if self.kind == 'video' else 'jpg'}"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: for which media, by whom (`browser`, `server`, `player`), and which part."""

    media: Media
    client: str
    part: tuple[int, int] | None = None
    """First and last byte."""


def library(keys: int, seed: int = 1, *, scale: float = 1.0) -> list[Media]:
    """So many media, the newest first; `scale` makes all of them smaller (or larger)."""
    chance = random.Random(seed)
    kinds, weights = list(SHARES), list(SHARES.values())
    made = []
    for number, kind in enumerate(chance.choices(kinds, weights, k=keys)):
        median, high, most = SIZES[kind]
        size = median * math.exp(chance.gauss(0, math.log(high / median) / _Z95))
        made.append(Media(number, kind, max(1000, int(min(size, most) * scale))))
    return made


class Zipf:
    """Ranks from 0 with probabilities 1 / (rank + 1) ** exponent. Raises ValueError for no ranks."""

    def __init__(self, ranks: int, exponent: float) -> None:
        if ranks < 1:
            raise ValueError("Zipf's law needs a rank")
        self._sums = list(itertools.accumulate((rank + 1) ** -exponent for rank in range(ranks)))

    def rank(self, chance: random.Random) -> int:
        """A rank by chance."""
        return bisect_left(self._sums, chance.random() * self._sums[-1])


def requests(media: Sequence[Media], count: int, seed: int = 2) -> Iterator[Asked]:
    """So many requests. A player asks for two bytes first, then for parts of a megabyte from somewhere on."""
    chance = random.Random(seed)
    videos = [one for one in media if one.kind == "video"]
    newest = Zipf(max(1, int(len(media) * NEWEST)), ZIPF)
    which = Zipf(len(videos), ZIPF) if videos else None
    for _ in range(count):
        client = chance.random()
        if client >= BROWSERS + SERVERS and which is not None:
            film = videos[which.rank(chance)]
            start = chance.choice([0, 0, chance.randrange(film.size)])
            part = (0, 1) if chance.random() < 0.2 else (start, min(start + 1_000_000, film.size) - 1)
            yield Asked(film, "player", part)
        else:
            one = media[newest.rank(chance) if chance.random() < HOT else chance.randrange(len(media))]
            yield Asked(one, "browser" if client < BROWSERS else "server")
