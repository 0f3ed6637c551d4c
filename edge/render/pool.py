"""The renderers of a node and the one queue before them.

The rule of this file: every job ends in a result or a RenderError, whatever happens to the process that works on it.
A renderer that crashes, hangs or has grown old is replaced, and nobody but its own job notices.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from pathlib import Path
from typing import NamedTuple

import msgspec
import structlog

from conf.errors import StartError
from conf.schema import Render
from edge.policy.plan import RenderPlan
from edge.render import cost
from edge.render.errors import Crashed, RenderError, TimedOut
from edge.render.facts import Facts, Limits
from edge.render.messages import LENGTH, Answer, Job, SourceRef, Start, decode_answer, framed
from edge.render.queue import JobQueue, Waiting

__all__ = ["Rendered", "RendererPool", "SourceRef"]

RECYCLE_AFTER = 1000
"""Jobs, after which a renderer is replaced, so that no leak of any codec adds up. A start takes 0.1 s."""

START_SECONDS = 20.0
"""How long a renderer may take to say hello."""

DEAR_NICE = 10
"""The nice level of all renderers but the one for cheap jobs: answering requests comes first."""

_ENVIRONMENT = {
    "VIPS_BLOCK_UNTRUSTED": "1",
    "VIPS_CONCURRENCY": "1",
    "VIPS_DISC_THRESHOLD": "64g",  # never a temporary file
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": "1048576",
    "MALLOC_TRIM_THRESHOLD_": "1048576",
    "LANG": "C.UTF-8",
}
"""All that a renderer is told; the parent's environment holds secrets. (A threaded run with the default number of
arenas grew to 431 MB, with two to 144 MB: 2-core x86-64 virtual machine, 200 renderings to 512 px. Thresholds that
are said do not move: without, what glibc keeps for the next large buffer added 40 MB to progressive JPEGs of 12
megapixels.)"""

_ROOT = str(Path(__file__).resolve().parents[2])
"""The folder of the packages, for the child to import them from."""

_log = structlog.get_logger()


class Rendered(NamedTuple):
    """A finished body; width and height are in pixels, 0 for a stripped source."""

    body: bytes
    content_type: str
    width: int
    height: int


class RendererPool:
    """Renderer processes for one node. `start` before the first job; `close` ends them. nice: the level of those for
    dear jobs; above DEAR_NICE, of all."""

    def __init__(self, settings: Render, recycle_after: int = RECYCLE_AFTER, *, nice: int = DEAR_NICE) -> None:
        self._settings = settings
        self._limits = Limits(settings.max_pixels, settings.max_frames, settings.memory)
        self._count = settings.renderers or max(2, os.cpu_count() or 1)
        self._recycle_after = recycle_after
        self._nice = nice
        self._queue = JobQueue(settings.queue, settings.total_memory, settings.wait)
        self._lanes: list[asyncio.Task[None]] = []
        self._renderers: dict[int, _Renderer] = {}

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return len(self._queue)

    @property
    def running(self) -> int:
        """Jobs that renderers are working on."""
        return self._queue.taken

    @property
    def pids(self) -> list[int]:
        """The process ids of the renderers that are alive, the one for cheap jobs first."""
        return [renderer.process.pid for _, renderer in sorted(self._renderers.items())]

    async def start(self) -> None:
        """Start all renderers and wait until they are ready. Raises StartError."""
        try:
            for lane in range(self._count):
                self._renderers[lane] = await self._start_renderer(lane)
        except (OSError, EOFError, TimeoutError) as error:
            await self.close()
            raise StartError(f"render: a renderer process did not start ({error or 'it took too long'})") from error
        self._lanes = [asyncio.create_task(self._work(lane)) for lane in range(self._count)]

    async def close(self) -> None:
        """End all renderers; what runs or waits fails with Crashed."""
        for lane in self._lanes:
            lane.cancel()
        await asyncio.gather(*self._lanes, return_exceptions=True)
        for waiting in self._queue.drain():
            waiting.fail(Crashed("the renderers are being stopped"))
        for renderer in self._renderers.values():
            await renderer.kill()
        self._renderers.clear()

    async def probe(self, source: SourceRef) -> Facts:
        """What the source's header says. Raises Unreadable, Damaged, TooManyPixels, TooManyFrames, QueueFull …"""
        answer, _ = await self._do(Job("probe", source), cost.BASE_MS, cost.BASE_BYTES)
        assert answer.facts is not None
        return answer.facts

    async def render(self, source: SourceRef, plan: RenderPlan, facts: Facts | None = None) -> Rendered:
        """The source rendered by a plan; `facts`, if known, save a probe for the job's place in the queue.

        Raises RenderError's kinds.
        """
        facts = facts or await self.probe(source)
        milliseconds, memory = cost.milliseconds(facts, plan), cost.memory(facts, plan)
        answer, body = await self._do(Job("render", source, plan), milliseconds, memory)
        return Rendered(body, answer.content_type, answer.width, answer.height)

    async def strip(self, source: SourceRef) -> Rendered:
        """The source's own bytes without metadata (edge.render.strip). Raises RenderError's kinds."""
        milliseconds, memory = cost.BASE_MS + source.length / 1e6, cost.BASE_BYTES + 3 * source.length
        answer, body = await self._do(Job("strip", source), milliseconds, memory)
        return Rendered(body, answer.content_type, 0, 0)

    async def _do(self, job: Job, milliseconds: float, memory: int) -> tuple[Answer, bytes]:
        """Queue a job and wait for its answer. Raises RenderError's kinds."""
        job = msgspec.structs.replace(job, cpu_seconds=int(self._settings.deadline) + 1)
        answer, body = await self._queue.put(job, milliseconds, memory)
        if answer.error:
            raise RenderError.named(answer.error, answer.message)
        return answer, body

    async def _work(self, lane: int) -> None:
        """One lane: a renderer, always replaced, that takes jobs for ever. Lane 0 takes cheap ones alone, if there
        are others."""
        cheap_alone = lane == 0 and self._count > 1
        while True:
            renderer = await self._ready_renderer(lane)
            waiting = await self._queue.take(cheap_alone)
            try:
                if renderer.gone:
                    renderer = await self._ready_renderer(lane)
                await self._run(lane, renderer, waiting)
            finally:
                waiting.fail(Crashed("the renderers are being stopped"))
                await self._queue.release(waiting)

    async def _run(self, lane: int, renderer: _Renderer, waiting: Waiting) -> None:
        """One job in one renderer; the job is finished or failed, and a renderer that was lost by it is gone."""
        try:
            async with asyncio.timeout(self._settings.deadline):
                waiting.finish(await renderer.ask(waiting.job))
            return
        except TimeoutError:
            error: RenderError = TimedOut(f"longer than {self._settings.deadline:g} s")
        except (OSError, EOFError, msgspec.DecodeError):
            error = Crashed("the renderer ended")
        del self._renderers[lane]
        code = await renderer.kill()
        _log.warning("renderer lost", lane=lane, reason=error.reason, exit=code, source=waiting.job.source.path)
        waiting.fail(error)

    async def _ready_renderer(self, lane: int) -> _Renderer:
        """The lane's renderer; a fresh one where it is gone or worn. Tries for ever, ever more slowly."""
        renderer = self._renderers.get(lane)
        if renderer is not None and not renderer.gone and renderer.jobs < self._recycle_after:
            return renderer
        if renderer is not None:
            del self._renderers[lane]
            await renderer.kill()
        pause = 0.1
        while True:
            try:
                self._renderers[lane] = await self._start_renderer(lane)
            except (OSError, EOFError, TimeoutError) as error:
                _log.error("renderer did not start", lane=lane, error=str(error), retry_in=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 10.0)
            else:
                return self._renderers[lane]

    async def _start_renderer(self, lane: int) -> _Renderer:
        nice = 0 if lane == 0 and self._nice <= DEAR_NICE else self._nice
        return await _Renderer.start(Start(self._limits, nice))


class _Renderer:
    """One renderer process and its socket."""

    def __init__(self, process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.process = process
        self._reader = reader
        self._writer = writer
        self.jobs = 0

    @classmethod
    async def start(cls, start: Start) -> _Renderer:
        """A fresh process (exec, never a fork of this one) that has said hello. Raises OSError, EOFError,
        TimeoutError."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "edge.render.renderer",
                str(theirs.fileno()),
                msgspec.json.encode(start).decode(),
                stdin=DEVNULL,
                stdout=DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=_ENVIRONMENT | {"PYTHONPATH": _ROOT},
            )
        ours.setblocking(False)
        renderer = cls(process, *await asyncio.open_unix_connection(sock=ours, limit=1 << 20))
        try:
            async with asyncio.timeout(START_SECONDS):
                await renderer._receive()
        except BaseException:
            await renderer.kill()
            raise
        return renderer

    @property
    def gone(self) -> bool:
        """Whether the process has ended by itself, between jobs."""
        return self.process.returncode is not None or self._reader.at_eof()

    async def ask(self, job: Job) -> tuple[Answer, bytes]:
        """The answer to one job. Raises OSError or EOFError where the process dies of it."""
        self.jobs += 1
        self._writer.write(framed(job))
        await self._writer.drain()
        return await self._receive()

    async def _receive(self) -> tuple[Answer, bytes]:
        size = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))[0]
        answer = decode_answer(await self._reader.readexactly(size))
        return answer, await self._reader.readexactly(answer.body)

    async def kill(self) -> int:
        """End the process at once, whatever it does, and wait for it; its exit status."""
        self._writer.close()
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        return await self.process.wait()
