"""Flights: one fill for everybody who waits for the same thing.

The rule of this file: a flight belongs to the table it is in, never to a waiter. Waiters come, watch with deadlines of
their own, and leave; the flight flies on and leaves the table when it has landed. What makes two requests the same
is the key alone, and a source's key holds its epoch: whoever asks after a purge never joins a flight from before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Landing = TypeVar("Landing")
Key = TypeVar("Key", bound=Hashable)
AnyFlight = TypeVar("AnyFlight", bound="Flight[Any]")


class WaitedTooLong(Exception):
    """A waiter's deadline has passed; the flight goes on."""


async def within(awaitable: Awaitable[T], deadline: float) -> T:
    """The result of `awaitable`, which is left to itself when the deadline (of the loop's clock) passes.

    Raises WaitedTooLong.
    """
    try:
        async with asyncio.timeout_at(deadline):
            return await asyncio.shield(awaitable)
    except TimeoutError:
        raise WaitedTooLong from None


class Flight(Generic[Landing]):
    """Work under way whose result any number of waiters share."""

    def __init__(self) -> None:
        self._task: asyncio.Task[Landing] | None = None

    def take_off(self, work: Coroutine[Any, Any, Landing]) -> asyncio.Task[Landing]:
        """Start the work. A failure that nobody waits for is not an error of the program."""
        self._task = asyncio.create_task(work)
        self._task.add_done_callback(_seen)
        return self._task

    @property
    def task(self) -> asyncio.Task[Landing]:
        """The work, once it has taken off."""
        assert self._task is not None, "a flight joined before it took off"
        return self._task

    async def landed(self, deadline: float) -> Landing:
        """The result. Raises what the work raised, or WaitedTooLong."""
        return await within(self.task, deadline)


Head = TypeVar("Head")


class StreamFlight(Flight[Landing], Generic[Head, Landing]):
    """A flight that can be watched: first its head is known, then its body grows, then it lands."""

    def __init__(self) -> None:
        super().__init__()
        self._head: asyncio.Future[Head | None] = asyncio.get_running_loop().create_future()
        self._moved: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.length = 0
        self.hear: Callable[[int, tuple[tuple[str, str], ...]], None] | None = None
        """Who is told of interim answers: whoever began the flight."""

    def take_off(self, work: Coroutine[Any, Any, Landing]) -> asyncio.Task[Landing]:
        """Start the work; once it is over, whoever still watches is told."""
        task = super().take_off(work)
        task.add_done_callback(self._over)
        return task

    @property
    def announced(self) -> bool:
        """Whether the head is known."""
        return self._head.done()

    def announce(self, head: Head) -> None:
        """The head is known."""
        if not self._head.done():
            self._head.set_result(head)

    def grew(self, length: int) -> None:
        """The body is `length` bytes long now."""
        self.length = length
        self._move()

    async def head(self, deadline: float) -> Head | None:
        """The head, or None where the flight landed without one. Raises what the work raised, or WaitedTooLong."""
        return await within(self._head, deadline)

    async def beyond(self, length: int) -> int:
        """Wait until the body is longer than `length` or the flight is over; how long it is then."""
        while self.length <= length and not self.task.done():
            await asyncio.shield(self._moved)
        return self.length

    def _move(self) -> None:
        moved, self._moved = self._moved, asyncio.get_running_loop().create_future()
        moved.set_result(None)

    def _over(self, task: asyncio.Task[Landing]) -> None:
        if not self._head.done():
            if task.cancelled():
                self._head.cancel()
            elif (error := task.exception()) is not None:
                self._head.set_exception(error)
                self._head.exception()  # a failure that nobody waits for
            else:
                self._head.set_result(None)
        self._move()


class Flights(Generic[Key, AnyFlight]):
    """The flights under way on this node, by what they fetch or make."""

    def __init__(self) -> None:
        self._flights: dict[Key, AnyFlight] = {}

    def __len__(self) -> int:
        return len(self._flights)

    def join(self, key: Key, start: Callable[[], AnyFlight]) -> tuple[AnyFlight, bool]:
        """The flight of `key`, started if there is none; and whether it was under way already."""
        flight = self._flights.get(key)
        if flight is not None:
            return flight, True
        flight = self._flights[key] = start()
        flight.task.add_done_callback(lambda _: self._landed(key, flight))
        return flight, False

    def _landed(self, key: Key, flight: AnyFlight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]

    async def close(self) -> None:
        """Cancel what is under way and wait until it has cleaned up."""
        tasks = [flight.task for flight in self._flights.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _seen(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()
