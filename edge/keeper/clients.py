"""How much of the keeper's work one client gets.

The rule of this file: a bucket of tokens for each client, filled by the clock and emptied by misses. Clients that have
a full bucket are forgotten; where there are too many others, those that asked longest ago are.
"""

from __future__ import annotations

import math
from collections.abc import Callable

_MOST = 100_000  # clients that are remembered


class MissLimits:
    """`rate` misses a second and client, `burst` at once. `clock` gives monotonic seconds."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._clients: dict[str, tuple[float, float]] = {}

    def wait(self, client: str) -> int:
        """0 where a miss is let through, which counts it; else after how many seconds the next one is."""
        now = self._clock()
        tokens, since = self._clients.pop(client, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - since) * self._rate)
        let = tokens >= 1
        if let:
            tokens -= 1
        self._clients[client] = (tokens, now)  # at the end: what comes first has asked longest ago
        if len(self._clients) > _MOST:
            del self._clients[next(iter(self._clients))]
        return 0 if let else max(1, math.ceil((1 - tokens) / self._rate))
