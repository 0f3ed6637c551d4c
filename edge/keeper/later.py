"""Better later: hot provisional renderings are made again, smaller, while nobody waits for a renderer.

The rule of this file: it works in a process of its own at the lowest priority, begins only while no rendering waits or
runs, and gives up at once when one has to wait. Everything that counts is in the choice records; what is lost with the
keeper is how often something was asked for since.

A rendering is *hot* once it has been given `render.hot` times before it is final (PROVISIONAL_FOR after it was made).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import msgspec
import structlog

from conf.schema import Render
from edge.cache.entry import BodyRef, ChoiceRecord, Representation, rendering_key
from edge.cache.files import BODY_OFFSET, BodyStore, Damaged, NoSpace
from edge.cache.records import RecordStore
from edge.keeper.first import PROVISIONAL_FOR
from edge.keeper.metrics import Metrics
from edge.policy.plan import RenderPlan
from edge.render.errors import RenderError
from edge.render.pool import Rendered, RendererPool, SourceRef

WORTH = 0.9
"""The share of the provisional rendering's bytes that a better one may have."""
LOWEST_NICE = 19
_CANDIDATES = 10_000  # renderings that are counted at once; of more, the oldest become final as they are
_LOOK = 0.1  # seconds between looks whether anybody waits
_LOOK_FOR_IDLE = 0.5

log = structlog.get_logger()


@dataclass(slots=True)
class Candidate:
    """A provisional rendering, and how often it has been given."""

    source_id: str
    plan: str
    final_at: float
    hits: int = 0


class Displaced(Exception):
    """Somebody waits for a renderer."""


class Later:
    """The provisional renderings of this node."""

    def __init__(
        self,
        settings: Render,
        *,
        records: RecordStore,
        bodies: BodyStore,
        renderers: RendererPool,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._hot = settings.hot
        self._settings = settings.model_copy(update={"renderers": 1})
        self._records = records
        self._bodies = bodies
        self._renderers = renderers
        self._metrics = metrics
        self._clock = clock
        self._candidates: dict[str, Candidate] = {}
        self._wanted = asyncio.Event()

    def begin(
        self, choice: ChoiceRecord, made: Representation, better: RenderPlan | None, source: BodyRef | None
    ) -> None:
        """Note what was chosen, and what may take its place."""
        if better is not None and (final_at := made.made_at + PROVISIONAL_FOR) > self._clock():
            choice = msgspec.structs.replace(choice, better=better.canonical(), final_at=final_at, source=source)
            self._metrics.provisional.inc()
        self._records.put_choice(choice)
        self.consider(choice, made)

    def consider(self, choice: ChoiceRecord, made: Representation) -> None:
        """Count how often a provisional rendering is given."""
        if self._hot and choice.better and choice.plan is not None and made.body.key not in self._candidates:
            if len(self._candidates) >= _CANDIDATES:
                del self._candidates[next(iter(self._candidates))]
            self._candidates[made.body.key] = Candidate(choice.source_id, choice.plan, choice.final_at)

    def note(self, body: str, hits: int) -> None:
        """A body has been given so many times more."""
        candidate = self._candidates.get(body)
        if candidate is not None:
            candidate.hits += hits
            if candidate.hits >= self._hot:
                self._wanted.set()

    async def run(self) -> None:
        """Make what is hot anew, for ever."""
        await self._recall()
        while True:
            await self._wanted.wait()
            if not self._is_idle:
                await asyncio.sleep(_LOOK_FOR_IDLE)
                continue
            pool = RendererPool(self._settings, nice=LOWEST_NICE)
            try:
                await pool.start()
                while self._is_idle and (body := self._hottest()) is not None:
                    await self._improve(pool, body)
            except Displaced:
                self._metrics.rerenders.labels("displaced").inc()
            except Exception:
                log.exception("a better rendering failed unexpectedly")
            finally:
                await pool.close()

    # Which one.

    @property
    def _is_idle(self) -> bool:
        return not (self._renderers.waiting or self._renderers.running)

    def _hottest(self) -> str | None:
        """The body that was given most often; None where none is hot."""
        now = self._clock()
        for body in [body for body, candidate in self._candidates.items() if candidate.final_at <= now]:
            del self._candidates[body]
        hits, hottest = max(((candidate.hits, body) for body, candidate in self._candidates.items()), default=(0, ""))
        if hits >= self._hot:
            return hottest
        self._wanted.clear()
        return None

    async def _recall(self) -> None:
        """What another keeper left provisional."""
        now = self._clock()
        for number, choice in enumerate(self._records.choices()):
            if choice.better and choice.plan is not None and choice.final_at > now:
                made = self._records.get_representation(choice.source_id, choice.plan)
                if made is not None:
                    self.consider(choice, made)
            if number % 256 == 0:
                await asyncio.sleep(0)

    # One of them, top to bottom.

    async def _improve(self, pool: RendererPool, body: str) -> None:
        """Decide about every choice that stands on this body. Raises Displaced."""
        candidate = self._candidates[body]
        made = self._records.get_representation(candidate.source_id, candidate.plan)
        open_choices: dict[str, list[ChoiceRecord]] = {}
        for choice in self._records.choices(candidate.source_id):
            if choice.plan == candidate.plan and choice.better:
                open_choices.setdefault(choice.better, []).append(choice)
        for better, choices in open_choices.items():
            if made is not None:
                await self._decide(pool, made, better, choices)
        self._candidates.pop(body, None)

    async def _decide(self, pool: RendererPool, made: Representation, better: str, choices: list[ChoiceRecord]) -> None:
        """Put the better rendering in the place of the one that was made, or leave that for good."""
        plan, source = RenderPlan.parsed(better), choices[0].source
        outcome, taken = "failed", None
        if plan is not None and source is not None:
            with suppress(RenderError, Damaged, FileNotFoundError, NoSpace):
                rendered = await self._render(pool, source, plan)
                if self._records.get_representation(made.source_id, made.plan) is None:  # purged meanwhile
                    return
                outcome = "not-smaller"
                if len(rendered.body) <= WORTH * made.body.length:
                    taken = self._keep(made, better, rendered)
                    outcome = "kept"
        spared = made.body.length - taken.body.length if taken is not None else 0
        for choice in choices:
            final = msgspec.structs.replace(choice, better="", final_at=0.0, source=None)
            if taken is not None:
                final = msgspec.structs.replace(final, plan=better, replaced=made.etag, spared=spared)
            self._records.put_choice(final)
        self._metrics.rerenders.labels(outcome).inc()
        self._metrics.rerender_saved_bytes.inc(spared)
        log.info("rendered again", outcome=outcome, plan=better, bytes=made.body.length, spared=spared)

    async def _render(self, pool: RendererPool, source: BodyRef, plan: RenderPlan) -> Rendered:
        """The rendering, unless somebody has to wait meanwhile. Raises Displaced, RenderError, Damaged,
        FileNotFoundError."""
        reader = self._bodies.open(source)
        if reader is None:
            raise FileNotFoundError(source.key)
        with reader:
            await asyncio.to_thread(reader.verify)
            work = asyncio.ensure_future(pool.render(SourceRef(str(reader.path), BODY_OFFSET, source.length), plan))
            try:
                while not work.done():
                    await asyncio.wait({work}, timeout=_LOOK)
                    if self._renderers.waiting:
                        raise Displaced
                return work.result()
            finally:
                work.cancel()

    def _keep(self, made: Representation, plan: str, rendered: Rendered) -> Representation:
        """Store a rendering. Raises NoSpace."""
        with self._bodies.create(len(rendered.body)) as writer:
            writer.write(rendered.body)
            body = writer.commit(rendering_key(made.source_id, plan))
        better = Representation(
            source_id=made.source_id,
            plan=plan,
            body=body,
            content_type=rendered.content_type,
            etag=body.digest[:32],
            width=rendered.width,
            height=rendered.height,
            made_at=self._clock(),
        )
        self._records.put_representation(better)
        return better
