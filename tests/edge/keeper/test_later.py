"""Better later, by a clock of its own: what is hot, what is final, and what a restart keeps."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from conf.schema import Settings
from demo import pictures
from edge.cache.entry import ChoiceRecord, Representation, rendering_key, source_key
from edge.cache.files import BodyStore
from edge.cache.records import RecordStore
from edge.keeper.first import PROVISIONAL_FOR
from edge.keeper.later import Later
from edge.keeper.ledger import Ledger
from edge.keeper.metrics import Metrics
from edge.policy.plan import RenderPlan
from edge.render.pool import RendererPool, SourceRef

FAST = RenderPlan(resize_width=90, resize_height=120, width=90, height=120, format="jpeg", quality=80)
BETTER = msgspec.structs.replace(FAST, format="webp", quality=60)
LARGER = msgspec.structs.replace(FAST, format="png", quality=0)
LONG = msgspec.structs.replace(
    FAST, resize_width=600, resize_height=800, width=600, height=800, format="avif", quality=5, slow=True
)
"""More than a second of work."""
SOURCE = "5" * 64


class Node:
    """The stores of a node, a clock, and one provisional rendering."""

    def __init__(self, folder: Path, hot: int = 3) -> None:
        self.now = 1000.0
        self.metrics = Metrics()
        self.ledger = Ledger.open(folder, limit=1 << 24, floor=0, metrics=self.metrics, known=set())
        self.bodies = BodyStore(folder, self.ledger)
        self.records = RecordStore(folder / "records", 1 << 22, writable=True)
        self.settings = Settings().render.model_copy(update={"hot": hot, "renderers": 1})
        self.renderers = RendererPool(self.settings)

    def choose(self, better: RenderPlan) -> tuple[ChoiceRecord, Representation]:
        """Store a source and its provisional rendering."""
        with self.bodies.create(None) as writer:
            writer.write(pictures.photo(90, 120))
            source = writer.commit(source_key(SOURCE))
        with self.bodies.create(6000) as writer:
            writer.write(bytes(6000))
            body = writer.commit(rendering_key(SOURCE, FAST.canonical()))
        made = Representation(SOURCE, FAST.canonical(), body, "image/jpeg", "old", 90, 120, self.now)
        self.records.put_representation(made)
        choice = ChoiceRecord(SOURCE, "wanted", "webp", FAST.canonical(), better=better.canonical(), source=source)
        return msgspec.structs.replace(choice, final_at=self.now + PROVISIONAL_FOR), made

    def later(self) -> Later:
        return Later(
            self.settings,
            records=self.records,
            bodies=self.bodies,
            renderers=self.renderers,
            metrics=self.metrics,
            clock=lambda: self.now,
        )

    def chosen(self) -> ChoiceRecord:
        choice = self.records.get_choice(SOURCE, "wanted", "webp")
        assert choice is not None
        return choice

    def displaced(self) -> float:
        return self.metrics.registry.get_sample_value("facet_edge_rerenders_total", {"outcome": "displaced"}) or 0.0

    def close(self) -> None:
        self.records.close()
        self.ledger.close()


@asynccontextmanager
async def running(later: Later) -> AsyncIterator[None]:
    task = asyncio.create_task(later.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until_final(node: Node) -> ChoiceRecord:
    async with asyncio.timeout(30):
        while node.chosen().better:
            await asyncio.sleep(0.02)
    return node.chosen()


def test_what_is_hot_is_replaced_and_remembered(tmp_path: Path) -> None:
    node = Node(tmp_path)
    choice, made = node.choose(BETTER)
    node.records.put_choice(choice)

    async def play() -> None:
        later = node.later()  # of another keeper: it finds the choice by itself
        async with running(later):
            await asyncio.sleep(0)
            later.note(made.body.key, 2)
            later.note("of something else", 100)
            assert node.chosen() == choice
            later.note(made.body.key, 1)
            final = await until_final(node)
        assert (final.plan, final.replaced) == (BETTER.canonical(), "old")
        better = node.records.get_representation(SOURCE, BETTER.canonical())
        assert better is not None
        assert final.spared == 6000 - better.body.length > 600
        assert better.content_type == "image/webp"

    asyncio.run(play())
    node.close()


def test_what_is_not_a_tenth_smaller_stays_and_is_final(tmp_path: Path) -> None:
    node = Node(tmp_path)
    choice, made = node.choose(LARGER)

    async def play() -> None:
        later = node.later()
        node.records.put_choice(choice)
        later.consider(choice, made)
        async with running(later):
            later.note(made.body.key, 3)
            final = await until_final(node)
        assert (final.plan, final.replaced, final.final_at) == (FAST.canonical(), "", 0.0)
        assert node.records.get_representation(SOURCE, LARGER.canonical()) is None

    asyncio.run(play())
    node.close()


def test_what_is_hot_too_late_is_final_as_it_is(tmp_path: Path) -> None:
    node = Node(tmp_path)
    choice, made = node.choose(BETTER)

    async def play() -> None:
        later = node.later()
        node.records.put_choice(choice)
        later.consider(choice, made)
        async with running(later):
            node.now += PROVISIONAL_FOR + 1
            later.note(made.body.key, 3)
            async with asyncio.timeout(30):
                while later._candidates:
                    await asyncio.sleep(0.02)
        assert node.chosen() == choice

    asyncio.run(play())
    node.close()


def test_a_better_rendering_gives_way_to_whoever_waits_and_is_made_when_nobody_does(tmp_path: Path) -> None:
    node = Node(tmp_path)
    choice, made = node.choose(LONG)
    assert choice.source is not None

    async def play() -> None:
        later = node.later()
        node.records.put_choice(choice)
        later.consider(choice, made)
        async with running(later):
            later.note(made.body.key, 3)
            async with asyncio.timeout(30):
                while not read_by_a_child(choice.source.key):
                    await asyncio.sleep(0.01)
                nobodys = asyncio.ensure_future(node.renderers.probe(SourceRef("/nowhere", 0, 0)))  # none is started
                while not node.displaced() or read_by_a_child(choice.source.key):
                    await asyncio.sleep(0.01)
            assert node.chosen() == choice
            nobodys.cancel()
            final = await until_final(node)
        assert (final.plan, final.replaced) == (LONG.canonical(), "old")

    asyncio.run(play())
    node.close()


def read_by_a_child(body: str) -> bool:
    """Whether a renderer of this process works on a body."""
    children = (Path("/proc/self/task") / str(os.getpid()) / "children").read_text().split()
    maps = (Path("/proc") / child / "maps" for child in children)
    return any(body in file.read_text() for file in maps if file.exists())


def test_what_was_purged_is_not_made_again(tmp_path: Path) -> None:
    node = Node(tmp_path)
    choice, made = node.choose(BETTER)

    async def play() -> None:
        later = node.later()
        node.records.put_choice(choice)
        later.consider(choice, made)
        node.records.discard_source(SOURCE)
        async with running(later):
            later.note(made.body.key, 3)
            async with asyncio.timeout(30):
                while later._candidates:
                    await asyncio.sleep(0.02)
        assert node.records.get_choice(SOURCE, "wanted", "webp") is None
        assert node.records.representations(SOURCE) == []

    asyncio.run(play())
    node.close()
