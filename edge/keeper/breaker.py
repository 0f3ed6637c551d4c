"""Breakers: an upstream host that keeps failing is left alone, but for one probe per second.

The rule of this file: it counts and answers, and neither reads a clock nor opens a connection. A failure is
whatever the caller reports as one: no connection, no head in time, a body that broke off, 500 to 504.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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

    `clock` gives monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
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
        self._hosts.pop(host, None)

    def failed(self, host: str) -> None:
        """No usable answer came. An open breaker waits PROBE_EVERY from here."""
        state = self._hosts.setdefault(host, _Host())
        state.failures += 1
        state.last_probe = self._clock()

    def open_hosts(self) -> tuple[str, ...]:
        """The hosts whose breakers are open, for metrics and /readyz."""
        return tuple(host for host, state in self._hosts.items() if state.failures >= THRESHOLD)
