"""The retry budget: an upstream that fails is not asked twice by everybody.

The rule of this file: retries are a share of all requests, so that they cannot multiply the load of an upstream in
trouble. It counts and answers, no more.
"""

from __future__ import annotations

RESERVE = 10.0
"""Retries that may be saved up."""


class RetryBudget:
    """One upstream's budget; each request earns `share` of a retry."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._saved = RESERVE if share else 0.0

    def asked(self) -> None:
        """A request goes to the upstream."""
        self._saved = min(RESERVE, self._saved + self._share)

    def take(self) -> bool:
        """Whether there is a retry left; then it is taken."""
        if self._saved < 1:
            return False
        self._saved -= 1
        return True
