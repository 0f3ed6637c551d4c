"""The order of the queue."""

from __future__ import annotations

import asyncio

import pytest

from edge.render import cost
from edge.render.errors import QueueFull
from edge.render.facts import Facts
from edge.render.messages import Answer, Job, SourceRef
from edge.render.queue import JobQueue
from tests.edge.render.oracle import plan


def job(name: str) -> Job:
    return Job("probe", SourceRef(name, 0, 1))


async def put(queue: JobQueue, name: str, milliseconds: float, memory: int = 1) -> asyncio.Task[object]:
    task: asyncio.Task[object] = asyncio.create_task(queue.put(job(name), milliseconds, memory))
    before = len(queue)
    while len(queue) == before:
        await asyncio.sleep(0)
    return task


async def names(queue: JobQueue, count: int, cheap_alone: bool = False) -> list[str]:
    return [(await queue.take(cheap_alone)).job.source.path for _ in range(count)]


async def test_cheaper_jobs_come_first_and_equals_in_order() -> None:
    queue = JobQueue(10, 100, 60)
    tasks = [await put(queue, name, ms) for name, ms in (("dear", 5000), ("a", 10), ("b", 10), ("middle", 900))]
    taken = await names(queue, 4)
    assert taken[0] == "a"
    assert taken == ["a", "b", "middle", "dear"]
    for task in tasks:
        task.cancel()


async def test_a_dear_job_that_waited_long_enough_goes_first() -> None:
    queue = JobQueue(10, 100, 60)
    tasks = [await put(queue, "old and dear", 200)]
    tasks.append(await put(queue, "new and dearer", 300))
    assert await names(queue, 2) == ["old and dear", "new and dearer"]
    for task in tasks:
        task.cancel()


async def test_the_cheap_lane_never_takes_a_dear_job() -> None:
    queue = JobQueue(10, 100, 60)
    dear = await put(queue, "dear", cost.CHEAP_MS + 1)
    waiting = asyncio.create_task(names(queue, 1, cheap_alone=True))
    cheap = await put(queue, "cheap", cost.CHEAP_MS)
    assert await waiting == ["cheap"]
    assert len(queue) == 1
    for task in (dear, cheap):
        task.cancel()


async def test_the_job_of_a_caller_who_left_is_skipped() -> None:
    queue = JobQueue(10, 100, 60)
    left, stayed = await put(queue, "left", 1), await put(queue, "stayed", 2)
    left.cancel()
    await asyncio.gather(left, return_exceptions=True)
    assert await names(queue, 1) == ["stayed"]
    stayed.cancel()


async def test_memory_is_given_out_once() -> None:
    queue = JobQueue(10, 100, 60)
    tasks = [await put(queue, name, 1, memory=60) for name in ("first", "second")]
    first = await queue.take(False)
    second = asyncio.create_task(queue.take(False))
    await asyncio.sleep(0)
    assert not second.done()
    first.finish((Answer(), b""))
    await queue.release(first)
    assert (await second).job.source.path == "second"
    for task in tasks:
        task.cancel()


async def test_no_more_than_the_limit_wait() -> None:
    queue = JobQueue(1, 100, 60)
    task = await put(queue, "only", 1)
    with pytest.raises(QueueFull):
        await queue.put(job("another"), 1, 1)
    task.cancel()


async def test_nobody_waits_for_ever_and_what_was_taken_is_not_given_up() -> None:
    queue = JobQueue(10, 100, 0.01)
    taken, left = await put(queue, "taken", 1), await put(queue, "left", 2)
    first = await queue.take(False)
    with pytest.raises(QueueFull):
        await left
    assert not taken.done()
    first.finish((Answer(), b""))
    assert await taken == (Answer(), b"")
    assert len(queue) == 0


def test_an_avatar_of_a_large_photo_is_cheap_and_a_large_avif_is_not() -> None:
    photo = Facts(format="jpeg", content_type="image/jpeg", width=4032, height=3024)
    assert cost.milliseconds(photo, plan(96, 128, "avif")) <= cost.CHEAP_MS
    assert cost.milliseconds(photo, plan(1536, 2048, "avif")) > cost.CHEAP_MS
    assert cost.memory(photo, plan(960, 1280, "jpeg")) <= 150 * 1024 * 1024
