"""What the keeper learns of sources and renderings that fail, and for how long it believes it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from conf.schema import Settings
from demo import pictures
from edge.cache.entry import AssetRecord, source_key
from edge.cache.epochs import Epochs
from edge.cache.files import BodyStore
from edge.cache.records import RecordStore
from edge.cache.subjects import asset_key, purge_subject
from edge.keeper.ledger import Ledger
from edge.keeper.metrics import Metrics
from edge.keeper.probes import Probes
from edge.keeper.purge import Purger
from edge.keeper.renderings import FAILURE_MEMORY, Renderings
from edge.keeper.selection import Unmade, facts_of
from edge.keeper.trouble import SourceGone
from edge.policy.plan import RenderPlan
from edge.policy.sites import Sites
from edge.render.errors import Crashed, RenderError, TimedOut, TooLarge
from edge.render.pool import RendererPool

SITE = Sites(Settings()).default
PATH = "/media/a.jpg"
SMALL = RenderPlan(resize_width=90, resize_height=120, width=90, height=120, format="jpeg", quality=80)
OTHER = msgspec.structs.replace(SMALL, format="webp")
SIDES = ("resize_width", "resize_height", "width", "height")
SLOW = RenderPlan(resize_width=5000, resize_height=5000, width=5000, height=5000, format="avif", quality=60, slow=True)


class Node:
    """The stores and renderers of a node, and a clock."""

    def __init__(self, folder: Path, **render: float) -> None:
        self.now = 1000.0
        metrics = Metrics()
        self.ledger = Ledger.open(folder, limit=1 << 26, floor=0, metrics=metrics, known=set())
        self.bodies = BodyStore(folder, self.ledger)
        self.records = RecordStore(folder / "records", 1 << 22, writable=True)
        epochs = Epochs.write(folder / "epochs", base=1)
        self.epoch = epochs.current(purge_subject(SITE, PATH))
        settings = Settings(render={"renderers": 1, "hot": 0, **render})  # type: ignore[arg-type]
        self.renderers = RendererPool(settings.render)
        self.probes = Probes(settings, records=self.records, bodies=self.bodies, renderers=self.renderers)
        self.renderings = Renderings(
            records=self.records,
            bodies=self.bodies,
            renderers=self.renderers,
            purger=Purger(epochs, self.records),
            metrics=metrics,
            clock=lambda: self.now,
        )

    def asset(self) -> AssetRecord:
        """A photograph that has been fetched."""
        name, body = "7" * 64, pictures.photo(300, 400)
        with self.bodies.create(len(body)) as writer:
            writer.write(body)
            source = writer.commit(source_key(name))
        return AssetRecord(
            *(asset_key(SITE, PATH), SITE.name, PATH, 200, self.epoch, 0.0, 9e9),
            source_id=name,
            source=source,
            content_type="image/jpeg",
        )

    async def make(self, asset: AssetRecord, plan: RenderPlan) -> bool:
        """Whether a rendering was made and stored. Raises RenderError."""
        flight, _ = self.renderings.join(asset, Unmade(plan))
        return await flight.task is not None

    async def kill_at_work(self, asset: AssetRecord, plan: RenderPlan) -> RenderError:
        """How a rendering ends whose renderer is killed."""
        work = asyncio.ensure_future(self.make(asset, plan))
        while not self.renderers.running:
            await asyncio.sleep(0.01)
        os.kill(self.renderers.pids[0], signal.SIGKILL)
        with pytest.raises(RenderError) as ended:
            await work
        return ended.value


@asynccontextmanager
async def node(folder: Path, **render: float) -> AsyncIterator[Node]:
    playing = Node(folder, **render)
    try:
        await playing.renderers.start()
        yield playing
    finally:
        await playing.renderings.close()
        await playing.probes.close()
        await playing.renderers.close()
        playing.records.close()
        playing.ledger.close()


async def test_a_source_that_crashed_a_renderer_is_let_alone_for_a_minute(tmp_path: Path) -> None:
    async with node(tmp_path) as at:
        asset = at.asset()
        crash = await at.kill_at_work(asset, SLOW)
        assert isinstance(crash, Crashed)
        for now in (1000.0, 1000.0 + FAILURE_MEMORY - 1):
            at.now = now
            for plan in (SLOW, SMALL, OTHER):
                with pytest.raises(Crashed) as again:
                    await at.make(asset, plan)
                assert again.value is crash  # remembered, and not tried
        at.now = 1000.0 + FAILURE_MEMORY
        assert await at.make(asset, SMALL)


async def test_what_takes_too_long_is_let_alone_and_the_source_after_two_of_those(tmp_path: Path) -> None:
    async with node(tmp_path, deadline=1.0) as at:
        asset = at.asset()
        with pytest.raises(TimedOut) as first:
            await at.make(asset, SLOW)
        with pytest.raises(TimedOut) as again:
            await at.make(asset, SLOW)
        assert again.value is first.value
        assert await at.make(asset, SMALL)
        with pytest.raises(TimedOut) as second:
            await at.make(asset, msgspec.structs.replace(SLOW, quality=61))
        with pytest.raises(TimedOut) as other:
            await at.make(asset, OTHER)
        assert other.value is second.value is not first.value
        at.now += FAILURE_MEMORY
        assert await at.make(asset, OTHER)


async def test_a_rendering_that_needs_too_much_memory_says_nothing_of_a_smaller_one(tmp_path: Path) -> None:
    async with node(tmp_path, memory=256 << 20) as at:
        asset = at.asset()
        with pytest.raises(TooLarge):
            await at.make(asset, msgspec.structs.replace(SMALL, **dict.fromkeys(SIDES, 9_900), format="webp"))
        assert await at.make(asset, SMALL)


async def test_a_source_that_went_before_it_was_looked_into_is_no_bad_picture(tmp_path: Path) -> None:
    async with node(tmp_path) as at:
        asset = at.asset()
        assert asset.source is not None
        at.bodies.discard(asset.source.key)
        with pytest.raises(SourceGone):
            await at.probes.join(asset).task
        assert facts_of(await at.probes.join(at.asset()).task).problem is None


async def test_a_source_that_goes_while_its_probe_waits_is_no_bad_picture(tmp_path: Path) -> None:
    async with node(tmp_path) as at:
        asset = at.asset()
        assert asset.source is not None
        await at.renderers.close()
        probe = at.probes.join(asset)
        while not at.renderers.waiting:
            await asyncio.sleep(0.01)
        at.bodies.discard(asset.source.key)
        await at.renderers.start()
        with pytest.raises(SourceGone):
            await probe.task
