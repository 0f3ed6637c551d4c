"""What a source's flight is about, and what its waiters learn of it: where it is going, its head, how it ended.

The rule of this file: plain data, and the one permit that hands an answer which may not be shared to one waiter.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from edge.cache.entry import AssetRecord
from edge.keeper.flights import StreamFlight
from edge.policy.reasons import Detail, Forward
from edge.policy.sites import Site
from edge.upstream.http import UpstreamAnswer

_CLAIM_WAIT = 1.0  # seconds that an answer which may not be shared waits for somebody to take it

Lines: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Aim:
    """What a flight fetches, and what was known of it before the upstream was asked."""

    site: Site
    path: str
    key: bytes
    epoch: int
    moment: int
    """Of the epochs of groups: which groups an answer belongs to is not known before it comes."""


@dataclass(frozen=True, slots=True)
class Landed:
    """How a source's flight ended: with a record that may be used now."""

    record: AssetRecord
    forward: Forward
    fwd_status: int | None
    stored: bool = False
    detail: Detail | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """A source whose body has begun to arrive: the record as far as it is known, and the file that grows."""

    draft: AssetRecord
    path: Path
    offset: int
    length: int | None
    once: Lines
    """Header lines for the client whose request this was."""
    completes: bool = False
    """Only a part of it comes from the upstream."""


class Unshared:
    """An answer that may not be shared: whoever takes it first has it to himself."""

    def __init__(self, draft: AssetRecord, answer: UpstreamAnswer, detail: Detail, once: Lines = ()) -> None:
        self.draft = draft
        self.answer = answer
        self.detail = detail
        self.once = once
        self._taken = asyncio.Event()
        self._released = asyncio.Event()

    def take(self) -> bool:
        """Whether the answer is the caller's now, who must release it."""
        if self._taken.is_set():
            return False
        self._taken.set()
        return True

    def release(self) -> None:
        """The answer is not read any more."""
        self._released.set()

    async def done(self) -> None:
        """Wait until whoever took it has released it; if nobody takes it, not for long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLAIM_WAIT):
                await self._taken.wait()
        if not self.take():
            await self._released.wait()


SourceHead: TypeAlias = Opening | Unshared
SourceFlight: TypeAlias = StreamFlight[SourceHead, Landed]
