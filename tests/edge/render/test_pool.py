"""The pool: real renderer processes that crash, hang and are replaced."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from conf.schema import Render
from demo import pictures
from edge.render.errors import Crashed, Damaged, QueueFull, TimedOut, Unreadable
from edge.render.pool import RendererPool, SourceRef
from tests.edge.render import oracle
from tests.edge.render.oracle import plan

SLOW = plan(2400, 3200, "webp", lossless=True)
"""Seconds of work for one renderer."""


@asynccontextmanager
async def running(settings: Render | None = None, **options: int) -> AsyncIterator[RendererPool]:
    pool = RendererPool(settings or Render(renderers=2), **options)
    await pool.start()
    try:
        yield pool
    finally:
        await pool.close()


async def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition; pytest's timeout ends a wait for nothing."""
    while not holds():
        await asyncio.sleep(0.005)


@pytest.fixture(scope="module")
def photo_bytes() -> bytes:
    return pictures.photo(480, 640)


@pytest.fixture
def photo(tmp_path: Path, photo_bytes: bytes) -> SourceRef:
    return stored(tmp_path / "photo", photo_bytes)


def stored(path: Path, body: bytes) -> SourceRef:
    """The bytes in a file, with others before and behind."""
    path.write_bytes(b"head of five thousand bytes".ljust(5000) + body + b"tail")
    return SourceRef(str(path), 5000, len(body))


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_probe_render_and_strip(photo: SourceRef) -> None:
    async with running() as pool:
        found = await pool.probe(photo)
        assert (found.format, found.width, found.height, found.orientation, found.profile) == (
            "jpeg",
            640,
            480,
            6,
            "p3",
        )
        made = await pool.render(photo, plan(120, 160, "webp"), found)
        assert (made.content_type, made.width, made.height) == ("image/webp", 120, 160)
        assert oracle.pixels_of(made.body).shape == (160, 120, 3)
        assert made == await pool.render(photo, plan(120, 160, "webp"))
        bare = await pool.strip(photo)
        assert bare.content_type == "image/jpeg"
        assert oracle.field(bare.body, "exif-ifd3-GPSLatitude") is None


async def test_errors_keep_their_kind_and_the_renderer(tmp_path: Path, photo_bytes: bytes) -> None:
    text = stored(tmp_path / "text", b"just a text")
    half = stored(tmp_path / "half", photo_bytes[: len(photo_bytes) // 2])
    async with running() as pool:
        before = pool.pids
        for nothing in (text, stored(tmp_path / "empty", b"")):
            with pytest.raises(Unreadable):
                await pool.probe(nothing)
            with pytest.raises(Unreadable):
                await pool.strip(nothing)
        with pytest.raises(Damaged):
            await pool.render(half, plan(60, 80))
        with pytest.raises(Crashed):
            await pool.probe(SourceRef(str(tmp_path / "missing"), 0, 10))
        with pytest.raises(Crashed):
            await pool.probe(SourceRef(text.path, 0, 1_000_000))
        assert pool.pids == before


async def test_a_killed_renderer_costs_one_request_and_is_replaced(photo: SourceRef) -> None:
    async with running() as pool:
        cheap, dear = pool.pids
        found = await pool.probe(photo)
        slow = asyncio.create_task(pool.render(photo, SLOW, found))
        await until(lambda: pool.running == 1)
        os.kill(dear, signal.SIGKILL)
        with pytest.raises(Crashed):
            await slow
        assert (await pool.render(photo, plan(60, 80), found)).width == 60
        await until(lambda: len(pool.pids) == 2)
        assert pool.pids[0] == cheap
        assert pool.pids[1] != dear
        assert (await pool.render(photo, plan(900, 1200, "avif", resize_width=900), found)).width == 900


async def test_a_renderer_that_died_idle_costs_no_request(photo: SourceRef) -> None:
    async with running(Render(renderers=1)) as pool:
        (pid,) = pool.pids
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not alive(pid) or "Z" in Path(f"/proc/{pid}/stat").read_text())
        await asyncio.sleep(0)
        assert (await pool.render(photo, plan(60, 80))).width == 60


async def test_a_rendering_over_its_deadline_is_killed(photo: SourceRef) -> None:
    async with running(Render(renderers=2, deadline=0.4)) as pool:
        found = await pool.probe(photo)
        dear = pool.pids[1]
        with pytest.raises(TimedOut):
            await pool.render(photo, SLOW, found)
        assert not alive(dear)
        assert (await pool.render(photo, plan(60, 80), found)).width == 60


async def test_a_full_queue_refuses_at_once(photo: SourceRef) -> None:
    async with running(Render(renderers=1, queue=2)) as pool:
        found = await pool.probe(photo)
        tasks = [asyncio.create_task(pool.render(photo, SLOW, found))]
        await until(lambda: pool.running == 1)
        tasks += [asyncio.create_task(pool.render(photo, SLOW, found)) for _ in range(2)]
        await until(lambda: pool.waiting == 2)
        with pytest.raises(QueueFull):
            await pool.render(photo, plan(60, 80), found)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_cheap_jobs_are_done_while_dear_ones_run_and_wait(photo: SourceRef) -> None:
    async with running() as pool:
        found = await pool.probe(photo)
        slow = [asyncio.create_task(pool.render(photo, SLOW, found)) for _ in range(3)]
        await until(lambda: pool.waiting == 2)
        for _ in range(5):
            await pool.render(photo, plan(60, 80), found)
        assert not any(task.done() for task in slow[1:])
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)


async def test_a_renderer_is_replaced_after_so_many_jobs(photo: SourceRef) -> None:
    async with running(Render(renderers=1), recycle_after=3) as pool:
        seen = set()
        for _ in range(7):
            await pool.probe(photo)
            seen |= set(pool.pids)
        assert len(seen) == 3


async def test_closing_ends_processes_and_waiting_jobs(photo: SourceRef) -> None:
    async with running(Render(renderers=1)) as pool:
        pids = pool.pids
        found = await pool.probe(photo)
        slow = [asyncio.create_task(pool.render(photo, SLOW, found)) for _ in range(2)]
        await until(lambda: pool.waiting == 1)
        await pool.close()
        results = await asyncio.gather(*slow, return_exceptions=True)
        assert [type(result) for result in results] == [Crashed, Crashed]
        assert not any(map(alive, pids))


async def test_a_renderer_is_told_no_secret_and_is_confined(photo: SourceRef, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACET_ROOT_SECRET_KEY", "do-not-tell")
    async with running() as pool:
        for number, pid in enumerate(pool.pids):
            environment = Path(f"/proc/{pid}/environ").read_bytes()
            assert b"do-not-tell" not in environment
            assert b"VIPS_BLOCK_UNTRUSTED=1" in environment
            limits = Path(f"/proc/{pid}/limits").read_text()
            assert _limit(limits, "Max address space") == str(Render().memory)
            assert _limit(limits, "Max file size") == "0"
            nice = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[16]
            assert int(nice) >= (0, 10)[number]


def _limit(limits: str, name: str) -> str:
    line = next(line for line in limits.splitlines() if line.startswith(name))
    return line[len(name) :].split()[0]


async def test_svg_is_rendered_though_untrusted_loaders_are_blocked(tmp_path: Path) -> None:
    drawing = stored(tmp_path / "svg", pictures.drawing())
    async with running(Render(renderers=1)) as pool:
        for _ in range(2):
            assert (await pool.render(drawing, plan(96, 96))).content_type == "image/png"
            with pytest.raises(Unreadable):
                await pool.probe(stored(tmp_path / "pdf", b"%PDF-1.7\n"))


async def test_memory_stays_flat_over_many_renderings(photo: SourceRef) -> None:
    def resident(pid: int) -> int:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    async with running(Render(renderers=1)) as pool:
        found = await pool.probe(photo)
        plans = [plan(120, 160, form) for form in ("jpeg", "webp", "avif", "png", "gif")]

        async def rounds(count: int) -> None:
            for wanted in plans * count:
                await pool.render(photo, wanted, found)

        await rounds(4)
        warm = resident(pool.pids[0])
        await rounds(16)
        assert resident(pool.pids[0]) < warm + 24 * 1024 * 1024


async def test_jobs_wait_for_memory_and_all_get_it(photo: SourceRef) -> None:
    async with running(Render(renderers=2, total_memory=1)) as pool:
        found = await pool.probe(photo)
        wanted: list[Awaitable[object]] = [pool.render(photo, plan(60, 80), found) for _ in range(6)]
        assert len(await asyncio.gather(*wanted)) == 6
