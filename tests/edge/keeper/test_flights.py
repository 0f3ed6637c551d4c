"""Flights: one fill for everybody, whoever comes, waits and leaves."""

from __future__ import annotations

import asyncio
import gc

import pytest

from edge.keeper.flights import Flight, Flights, StreamFlight, WaitedTooLong


def soon() -> float:
    return asyncio.get_running_loop().time() + 10


def now() -> float:
    return asyncio.get_running_loop().time()


class Work:
    """Something to do that ends when it is told to, and counts how often it was begun."""

    def __init__(self) -> None:
        self.begun = 0
        self.gate = asyncio.Event()

    async def run(self) -> str:
        self.begun += 1
        await self.gate.wait()
        return "landed"

    def flight(self) -> Flight[str]:
        flight: Flight[str] = Flight()
        flight.take_off(self.run())
        return flight


async def test_all_who_want_the_same_share_one_flight() -> None:
    work, flights = Work(), Flights[str, Flight[str]]()
    joined = [flights.join("key", work.flight) for _ in range(100)]
    waiting = [asyncio.create_task(flight.landed(soon())) for flight, _ in joined]
    work.gate.set()
    assert await asyncio.gather(*waiting) == ["landed"] * 100
    assert work.begun == 1
    assert [late for _, late in joined] == [False] + [True] * 99
    assert len(flights) == 0


async def test_another_key_is_another_flight() -> None:
    work, flights = Work(), Flights[tuple[str, int], Flight[str]]()
    before, _ = flights.join(("asset", 1), work.flight)
    after, joined = flights.join(("asset", 2), work.flight)
    assert not joined
    assert before is not after
    work.gate.set()
    await before.landed(soon())


async def test_a_waiter_that_leaves_or_gives_up_changes_nothing() -> None:
    work, flights = Work(), Flights[str, Flight[str]]()
    flight, _ = flights.join("key", work.flight)
    leaver = asyncio.create_task(flight.landed(soon()))
    await asyncio.sleep(0)
    leaver.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaver
    with pytest.raises(WaitedTooLong):
        await flight.landed(now() - 1)
    work.gate.set()
    assert await flight.landed(soon()) == "landed"


async def test_a_failure_reaches_every_waiter_and_the_next_flight_is_a_new_one() -> None:
    async def fail() -> str:
        raise ValueError("broken")

    def failing() -> Flight[str]:
        flight: Flight[str] = Flight()
        flight.take_off(fail())
        return flight

    flights = Flights[str, Flight[str]]()
    flight, _ = flights.join("key", failing)
    for _ in range(3):
        with pytest.raises(ValueError, match="broken"):
            await flight.landed(soon())
    assert len(flights) == 0
    assert not flights.join("key", failing)[1]
    await flights.close()


async def test_a_failure_that_nobody_waits_for_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> int:
        raise ValueError("broken")

    flight: StreamFlight[str, int] = StreamFlight()
    flight.take_off(fail())
    await asyncio.wait([flight.task])
    del flight
    gc.collect()
    await asyncio.sleep(0)
    assert not caplog.records


async def test_a_stream_is_seen_from_its_head_to_its_end() -> None:
    flight: StreamFlight[str, int] = StreamFlight()
    steps = [asyncio.Event() for _ in range(3)]

    async def fly() -> int:
        flight.announce("head")
        for number, step in enumerate(steps, start=1):
            await step.wait()
            flight.grew(number * 10)
        return 30

    flight.take_off(fly())
    assert await flight.head(soon()) == "head"
    seen = []

    async def watch() -> None:
        length = 0
        while (more := await flight.beyond(length)) > length:
            seen.append(more)
            length = more

    watchers = [asyncio.create_task(watch()) for _ in range(2)]
    for step in steps:
        await asyncio.sleep(0)
        step.set()
    await asyncio.gather(*watchers)
    assert await flight.landed(soon()) == 30
    assert seen.count(30) == 2
    assert await flight.beyond(30) == 30


async def test_a_flight_may_land_without_a_head() -> None:
    async def fly() -> int:
        return 1

    flight: StreamFlight[str, int] = StreamFlight()
    flight.take_off(fly())
    assert await flight.head(soon()) is None


async def test_watchers_of_a_stream_that_fails_are_told() -> None:
    flight: StreamFlight[str, int] = StreamFlight()

    async def fly() -> int:
        flight.announce("head")
        flight.grew(5)
        raise ValueError("broken")

    flight.take_off(fly())
    assert await flight.head(soon()) == "head"
    assert await flight.beyond(5) == 5
    with pytest.raises(ValueError, match="broken"):
        await flight.landed(soon())


async def test_closing_ends_every_flight_and_lets_it_clean_up() -> None:
    cleaned = []

    async def fly() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(True)
        return ""

    def start() -> Flight[str]:
        flight: Flight[str] = Flight()
        flight.take_off(fly())
        return flight

    flights = Flights[int, Flight[str]]()
    for number in range(3):
        flights.join(number, start)
    await asyncio.sleep(0)
    await flights.close()
    assert cleaned == [True] * 3
    assert len(flights) == 0
