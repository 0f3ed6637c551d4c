"""What can go wrong on this node between an upstream's answer and a client's."""

from __future__ import annotations

from dataclasses import replace

from edge.policy.reasons import CacheStatus

_RETRY_AFTER = 1  # seconds


class NoRoom(Exception):
    """The disk has no room for what was fetched or made."""


class SourceGone(Exception):
    """A source's body is not on the disk (any more), or damaged: fetch it again."""


class NotGiven(Exception):
    """There is no answer; what to tell the client instead."""

    def __init__(self, status: int, outcome: CacheStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.outcome = replace(outcome, stored=False)
        self.retry_after = _RETRY_AFTER if status == 503 else None
