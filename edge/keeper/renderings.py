"""Filling a rendering: one flight for each, from the stored source through a renderer to a stored body.

The rule of this file: a rendering is named by what its source's bytes are and by its plan, never by a URL.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeAlias

import structlog

from edge.cache.entry import AssetRecord, Representation, rendering_key
from edge.cache.files import BODY_OFFSET, BodyReader, BodyStore, Damaged, NoSpace
from edge.cache.records import RecordStore
from edge.cache.remote import RemoteTier, Shared
from edge.keeper.flights import Flight, Flights
from edge.keeper.metrics import Metrics
from edge.keeper.purge import Purger
from edge.keeper.selection import Unmade
from edge.keeper.trouble import NoRoom, SourceGone
from edge.policy.reasons import Detail
from edge.render.errors import RenderError
from edge.render.pool import Rendered, RendererPool, SourceRef
from edge.render.text import Coder

FAILURE_MEMORY = 60.0  # seconds for which what a renderer crashed on or took too long over is let alone
_LONG_TRIES = 2  # renderings of one source that may take too long before none is tried
_FAILED_LIMIT = 10_000

RenderingFlight: TypeAlias = Flight[Representation | None]

log = structlog.get_logger()


class Renderings:
    """The renderings under way on this node."""

    def __init__(
        self,
        *,
        records: RecordStore,
        bodies: BodyStore,
        renderers: RendererPool,
        purger: Purger,
        metrics: Metrics,
        remote: RemoteTier | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._records = records
        self._bodies = bodies
        self._renderers = renderers
        self._coder = Coder()
        self._purger = purger
        self._remote = remote
        self._metrics = metrics
        self._clock = clock
        self._flights: Flights[tuple[str, bool], RenderingFlight] = Flights()
        self._failed: dict[str, tuple[float, RenderError]] = {}
        self._long: dict[str, int] = {}

    def join(self, asset: AssetRecord, unmade: Unmade) -> tuple[RenderingFlight, bool]:
        """The flight that makes a rendering, and whether it was under way already.

        It lands with the stored representation, or with None for one that yields to its source. It raises
        RenderError, SourceGone and NoRoom.
        """
        key = (rendering_key(asset.source_id, unmade.name), unmade.may_yield)
        return self._flights.join(key, lambda: self._take_off(asset, unmade))

    async def close(self) -> None:
        """End every flight."""
        await self._flights.close()
        self._coder.close()

    def _take_off(self, asset: AssetRecord, unmade: Unmade) -> RenderingFlight:
        flight: RenderingFlight = Flight()
        flight.take_off(self._make(asset, unmade))
        return flight

    async def _make(self, asset: AssetRecord, unmade: Unmade) -> Representation | None:
        assert asset.source is not None, "only what is stored is rendered"
        name = rendering_key(asset.source_id, unmade.name)
        for failed in (name, asset.source_id):
            until, error = self._failed.get(failed, (0.0, None))
            if error is not None and self._clock() < until:
                raise error
        reader = self._bodies.open(asset.source)
        if reader is None:
            raise SourceGone
        with reader:
            far = await self._far(asset, name)
            rendered = far or await self._render(reader, unmade, asset, name)
        yields = unmade.may_yield and len(rendered.body) >= asset.source.length
        log.info(
            "shared" if far else "rendered",
            site=asset.site,
            path=asset.path,
            plan=unmade.name,
            bytes=len(rendered.body),
            source_bytes=asset.source.length,
            yields=yields,
        )
        if not self._purger.stands(asset):  # purged meanwhile: what was made of it must not come to the disk
            raise SourceGone
        if self._remote is not None and far is None and asset.identity is not None and not yields:
            self._remote.put(name, Shared(rendered.content_type, rendered.width, rendered.height, rendered.body))
        self._metrics.renders.labels(asset.site, "shared" if far else "yielded" if yields else "made").inc()
        return None if yields else self._keep(asset, unmade, rendered, name)

    async def _far(self, asset: AssetRecord, name: str) -> Rendered | None:
        """The rendering from the remote tier, which has only what the origin's identity names."""
        if self._remote is None or asset.identity is None:
            return None
        shared = await self._remote.get(name)
        if shared is None:
            return None
        return Rendered(shared.body, shared.content_type, shared.width, shared.height)

    async def _render(self, reader: BodyReader, unmade: Unmade, asset: AssetRecord, name: str) -> Rendered:
        """Have a renderer read the checked file."""
        source = SourceRef(str(reader.path), BODY_OFFSET, reader.ref.length)
        try:
            await asyncio.to_thread(reader.verify)
            if unmade.coding:
                coded = await self._coder.code(reader.read, unmade.coding)
                return Rendered(coded, "", 0, 0)
            if unmade.plan is None:
                return await self._renderers.strip(source)
            return await self._renderers.render(source, unmade.plan)
        except Damaged:
            raise SourceGone from None
        except RenderError as error:
            if not reader.path.exists():  # evicted while the job was waiting: it says nothing about the picture
                raise SourceGone from None
            self._metrics.renders.labels(asset.site, error.reason.value).inc()
            if error.reason is not Detail.QUEUE_FULL:
                self._remember_failure(asset.source_id, name, error)
            raise

    def _remember_failure(self, source_id: str, name: str, error: RenderError) -> None:
        """What crashed a renderer is the source; what took too long may be this one rendering of it, or not; what
        needed too much memory is this one."""
        if len(self._failed) >= _FAILED_LIMIT:
            self._failed.clear()
            self._long.clear()
        failed = (self._clock() + FAILURE_MEMORY, error)
        self._failed[name] = failed
        if error.reason is Detail.TIMED_OUT:
            self._long[source_id] = self._long.get(source_id, 0) + 1
        if error.reason in (Detail.TOO_LARGE, Detail.RESULT_TOO_LARGE):
            return
        if error.reason is not Detail.TIMED_OUT or self._long[source_id] >= _LONG_TRIES:
            self._failed[source_id] = failed
            self._long.pop(source_id, None)

    def _keep(self, asset: AssetRecord, unmade: Unmade, rendered: Rendered, name: str) -> Representation:
        try:
            with self._bodies.create(len(rendered.body)) as writer:
                writer.write(rendered.body)
                body = writer.commit(name)
        except NoSpace:
            self._metrics.refusals.inc()
            raise NoRoom from None
        representation = Representation(
            source_id=asset.source_id,
            plan=unmade.name,
            body=body,
            content_type=rendered.content_type if not unmade.coding else asset.content_type or "",
            etag=body.digest[:32],
            width=rendered.width,
            height=rendered.height,
            made_at=self._clock(),
            coding=unmade.coding,
        )
        self._records.put_representation(representation)
        return representation
