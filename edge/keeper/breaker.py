"""Breakers: an upstream host that keeps failing is left alone, but for one probe per second.

The rule of this file: it counts and answers, and neither reads a clock nor opens a connection. A failure is
whatever the caller reports as one: no connection, no head in time, a body that broke off, 500 to 504.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge.keeper.metrics import Metrics

THRESHOLD = 5
"""Consecutive failures that open a breaker."""
PROBE_EVERY = 1.0
"""Seconds between two probes of a host whose breaker is open."""


@dataclass(slots=True)
class _Host:
    failures: int = 0
    last_probe: float = 0.0


class Breakers:
    """One breaker for each upstream host (host and port, as the caller spells it).

    `clock` gives monotonic seconds. Hosts come from the settings, so there are few.
    """

    def __init__(self, clock: Callable[[], float], metrics: Metrics | None = None) -> None:
        self._clock = clock
        self._metrics = metrics or Metrics()
        self._hosts: dict[str, _Host] = {}

    def allows(self, host: str) -> bool:
        """Whether a request may go to `host` now. While open, True is a probe: at most one in PROBE_EVERY."""
        state = self._hosts.get(host)
        if state is None or state.failures < THRESHOLD:
            return True
        now = self._clock()
        if now - state.last_probe < PROBE_EVERY:
            return False
        state.last_probe = now
        return True

    def succeeded(self, host: str) -> None:
        """An answer came: the breaker closes."""
        state = self._hosts.pop(host, None)
        if state is not None and state.failures >= THRESHOLD:
            self._metrics.breaker_open.labels(host).set(0)

    def failed(self, host: str) -> None:
        """No usable answer came. An open breaker waits PROBE_EVERY from here."""
        state = self._hosts.setdefault(host, _Host())
        state.failures += 1
        state.last_probe = self._clock()
        if state.failures == THRESHOLD:
            self._metrics.breaker_open.labels(host).set(1)

    def open_hosts(self) -> tuple[str, ...]:
        """The hosts whose breakers are open, for metrics and /readyz."""
        return tuple(host for host, state in self._hosts.items() if state.failures >= THRESHOLD)
