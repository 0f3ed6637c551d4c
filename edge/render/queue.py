"""The one queue of renderings: cheap before dear, but nobody waits for ever.

The rule of this file: a job's rank is the moment it came plus AGEING times its predicted cost; the smallest rank is
taken first. A job is overtaken only by jobs that come within that time, so ageing needs no clockwork.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from edge.render import cost
from edge.render.errors import QueueFull, RenderError
from edge.render.messages import Answer, Job

AGEING = 10.0
"""A job that will take 0.5 s can be overtaken by cheaper ones for 5 s."""

Result = tuple[Answer, bytes]


@dataclass(order=True, slots=True)
class Waiting:
    """A job in the queue, ordered by rank and then by arrival."""

    rank: float
    number: int
    job: Job = field(compare=False)
    memory: int = field(compare=False)
    """Predicted, in bytes."""
    cheap: bool = field(compare=False)
    result: asyncio.Future[Result] = field(compare=False)
    patience: asyncio.TimerHandle | None = field(compare=False, default=None)
    """Ends the wait."""

    def finish(self, result: Result) -> None:
        """Answer whoever waits, if anybody still does."""
        if not self.result.done():
            self.result.set_result(result)

    def fail(self, error: RenderError) -> None:
        """Tell whoever waits that nothing will come."""
        if not self.result.done():
            self.result.set_exception(error)


class JobQueue:
    """At most `limit` waiting jobs, none for longer than `patience` seconds, and at most about `memory` predicted bytes
    in those that are taken and not yet released (one job alone may need more). For one asyncio event loop."""

    def __init__(self, limit: int, memory: int, patience: float) -> None:
        self._limit = limit
        self._patience = patience
        self._memory = memory
        self._used = 0
        self.taken = 0
        """Jobs that are being worked on."""
        self._numbers = itertools.count()
        self._cheap: list[Waiting] = []
        self._dear: list[Waiting] = []
        self._changed = asyncio.Condition()

    def __len__(self) -> int:
        return len(self._cheap) + len(self._dear)

    async def put(self, job: Job, milliseconds: float, memory: int) -> Result:
        """Wait for a job's result; milliseconds and memory (bytes) are predictions.

        Raises QueueFull, at once or when patience ends, and whatever error the job ends in. The job of a caller that
        is cancelled is not done.
        """
        if len(self) >= self._limit:
            raise QueueFull(f"{len(self)} renderings are waiting")
        loop = asyncio.get_running_loop()
        rank = loop.time() + AGEING * milliseconds / 1000
        cheap = milliseconds <= cost.CHEAP_MS
        waiting = Waiting(rank, next(self._numbers), job, memory, cheap, loop.create_future())
        waiting.patience = loop.call_later(self._patience, self._give_up, waiting)
        heapq.heappush(self._cheap if cheap else self._dear, waiting)
        await self._tell()
        try:
            return await waiting.result
        finally:
            waiting.patience.cancel()
            self._forget(waiting)

    def _give_up(self, waiting: Waiting) -> None:
        waiting.fail(QueueFull(f"waited for {self._patience:g} s"))

    def _forget(self, waiting: Waiting) -> None:
        """Take out a job that nobody waits for any more, unless it was taken."""
        heap = self._cheap if waiting.cheap else self._dear
        if waiting in heap:
            heap.remove(waiting)
            heapq.heapify(heap)

    async def take(self, cheap_alone: bool) -> Waiting:
        """The job of smallest rank that memory allows, once there is one; with cheap_alone, of the cheap jobs. To be
        released when it is done."""
        async with self._changed:
            while (waiting := self._pick(cheap_alone)) is None:
                await self._changed.wait()
        if waiting.patience is not None:
            waiting.patience.cancel()
        self._used += waiting.memory
        self.taken += 1
        return waiting

    def _pick(self, cheap_alone: bool) -> Waiting | None:
        heaps = (self._cheap,) if cheap_alone else (self._cheap, self._dear)
        for heap in heaps:
            while heap and heap[0].result.done():
                heapq.heappop(heap)
        fitting = [heap for heap in heaps if heap and (not self._used or self._used + heap[0].memory <= self._memory)]
        return heapq.heappop(min(fitting, key=lambda heap: heap[0])) if fitting else None

    async def release(self, waiting: Waiting) -> None:
        """Give back the memory of a job that was taken."""
        self._used -= waiting.memory
        self.taken -= 1
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def drain(self) -> Iterator[Waiting]:
        """Take everything out."""
        while self._cheap or self._dear:
            yield (self._cheap or self._dear).pop()
