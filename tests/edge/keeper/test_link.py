"""The link: frames that survive every split, bounds that hold, and a keeper that may die."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.schema import Render, Settings
from edge.cache.entry import AssetRecord, BodyRef
from edge.keeper import client, link
from edge.keeper.answer import Answer
from edge.keeper.client import FillFailed, KeeperAway, KeeperClient
from edge.message import BodyBroken
from edge.policy.negotiate import OWN, accept_class
from edge.policy.plan import AssetFacts, Rendering, decide
from edge.policy.reasons import CacheStatus, Detail, Forward
from edge.policy.sites import Sites
from edge.policy.variant import Variant, parse

ASSET = AssetRecord(
    key=b"k", site="default", path="/b/a", status=200, epoch=7, stored_at=1.5, edge_expires=2.5, content_type="a/b"
)
STATUS = CacheStatus(fwd=Forward.URI_MISS, stored=True, detail=Detail.NOT_SMALLER)
AVIF = accept_class("image/avif,image/webp")

requests = st.sampled_from(
    [
        link.Fill(1, "s", "/p%FF", parse("w=10&fit=cover&gravity=north&blur=1", 100), AVIF, 1.0),
        link.Fill(2, "s", "/p", Variant(), OWN, 60.0),
        link.Purge(3, "s", link.Order(prefix="/p/", soft=True)),
        link.Credit(4, 65536),
        link.Leave(5),
        link.Report({"a" * 64: 3}, {"s": link.Hits(1, 2, 3)}),
    ]
)
responses = st.sampled_from(
    [
        link.Head(1, Answer(ASSET, reason=Detail.ORIGINAL), STATUS, link.Growing("/x", 64, None)),
        link.Head(2, Answer(ASSET), CacheStatus(hit=True, ttl=-3), link.Committed()),
        link.Head(3, Answer(ASSET), STATUS, link.Relayed(10)),
        link.Progress(4, 1 << 40),
        link.Data(5, b"\0\xff" * 100),
        link.Done(6, BodyRef("a" * 64, 1, "b" * 64)),
        link.Failed(7, 503, STATUS, "no", 1),
    ]
)


async def read_all(data: bytes, sizes: list[int]) -> list[bytes]:
    reader = asyncio.StreamReader()
    while data:
        size = sizes.pop() if sizes else len(data)
        reader.feed_data(data[:size])
        data = data[size:]
    reader.feed_eof()
    payloads = []
    try:
        while True:
            payloads.append(await link.read_payload(reader))
    except link.LinkBroken:
        return payloads


@given(st.lists(requests), st.lists(st.integers(1, 50), max_size=30))
def test_requests_arrive_as_they_were_sent_however_they_are_split(sent: list[link.Request], sizes: list[int]) -> None:
    data = b"".join(map(link.frame, sent))
    assert [link.request_decoder.decode(payload) for payload in asyncio.run(read_all(data, sizes))] == sent


@given(st.lists(responses), st.lists(st.integers(1, 50), max_size=30))
def test_responses_arrive_as_they_were_sent_however_they_are_split(sent: list[link.Response], sizes: list[int]) -> None:
    data = b"".join(map(link.frame, sent))
    assert [link.response_decoder.decode(payload) for payload in asyncio.run(read_all(data, sizes))] == sent


def test_a_frame_is_bounded_on_both_sides() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        link.frame(link.Data(1, bytes(link.MAX_FRAME)))

    async def read() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data((link.MAX_FRAME + 1).to_bytes(4, "big"))
        await link.read_payload(reader)

    with pytest.raises(link.LinkBroken):
        asyncio.run(read())


@pytest.mark.parametrize("query", ["w=10", "w=10&h=10&fit=cover&gravity=north", "w=10&h=20&fit=pad&bg=fff", "blur=2"])
def test_a_wish_means_the_same_on_both_ends(query: str) -> None:
    fill = link.Fill(1, "default", "/b/a", parse(query, 8192), AVIF, 1.0)
    arrived = link.request_decoder.decode(link.frame(fill)[4:])
    assert isinstance(arrived, link.Fill)
    site = Sites(Settings()).default
    facts = AssetFacts(content_type="image/jpeg", size=9999, format="jpeg", width=400, height=300)
    here, there = (decide(facts, f.variant, f.accept, site, Render()) for f in (fill, arrived))
    assert isinstance(here, Rendering)
    assert isinstance(there, Rendering)
    assert here.plan.canonical() == there.plan.canonical()
    assert (fill.variant.canonical(), fill.accept.key) == (arrived.variant.canonical(), arrived.accept.key)


Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def keeper(path: Path, script: Script) -> AsyncIterator[asyncio.Server]:
    """A scripted keeper."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        except link.LinkBroken:
            pass
        finally:
            writer.close()

    async with await asyncio.start_unix_server(serve, str(path)) as server:
        yield server


@asynccontextmanager
async def connected(path: Path) -> AsyncIterator[KeeperClient]:
    keeper_client = KeeperClient(path, on_connect=lambda: None)
    running = asyncio.create_task(keeper_client.run())
    try:
        yield keeper_client
    finally:
        running.cancel()


async def ask(keeper_client: KeeperClient, wait: float = 10) -> tuple[link.Head, client.Exchange]:
    return await keeper_client.fill(link.Fill(0, "default", "/b/a", Variant(), OWN, wait))


async def next_request(reader: asyncio.StreamReader) -> link.Request:
    return link.request_decoder.decode(await link.read_payload(reader))


async def test_answers_find_their_questions_in_any_order(tmp_path: Path) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = [await next_request(reader) for _ in range(20)]
        for fill in reversed(asked):
            assert isinstance(fill, link.Fill)
            answer = Answer(
                AssetRecord(**{**{f: getattr(ASSET, f) for f in ASSET.__struct_fields__}, "path": fill.path})
            )
            writer.write(link.frame(link.Head(fill.id, answer, STATUS, link.Committed())))
            writer.write(link.frame(link.Done(fill.id)))
        await next_request(reader)

    async with keeper(tmp_path / "s", script), connected(tmp_path / "s") as asking:
        paths = [f"/b/{number}" for number in range(20)]
        heads = await asyncio.gather(
            *(asking.fill(link.Fill(0, "default", path, Variant(), OWN, 10)) for path in paths)
        )
        assert [head.answer.asset.path for head, _ in heads] == paths


async def test_a_relayed_body_never_runs_ahead_of_its_credit(tmp_path: Path) -> None:
    credit = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fill = await next_request(reader)
        assert isinstance(fill, link.Fill)
        writer.write(link.frame(link.Head(fill.id, Answer(ASSET), STATUS, link.Relayed(None))))
        for number in range(8):
            writer.write(link.frame(link.Data(fill.id, bytes([number]) * 1000)))
        writer.write(link.frame(link.Done(fill.id)))
        while True:
            message = await next_request(reader)
            if isinstance(message, link.Credit):
                credit.append(message.size)

    async with keeper(tmp_path / "s", script), connected(tmp_path / "s") as asking:
        _, exchange = await ask(asking)
        body = [block async for block in client.Relayed(exchange, None).blocks(0, None)]
    assert b"".join(body) == b"".join(bytes([number]) * 1000 for number in range(8))
    assert sum(credit) <= 8000


async def test_a_keeper_that_dies_before_it_answers_is_asked_again_when_it_is_back(tmp_path: Path) -> None:
    async def dying(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await next_request(reader)

    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fill = await next_request(reader)
        assert isinstance(fill, link.Fill)
        writer.write(link.frame(link.Head(fill.id, Answer(ASSET), STATUS, link.Committed())))
        await next_request(reader)

    lives = iter([dying, answering])

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await next(lives)(reader, writer)

    async with keeper(tmp_path / "s", script), connected(tmp_path / "s") as asking:
        head, _ = await ask(asking)
        assert head.answer.asset == ASSET


async def test_a_request_that_kills_keepers_is_not_asked_for_ever(tmp_path: Path) -> None:
    deaths = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal deaths
        await next_request(reader)
        deaths += 1

    async with keeper(tmp_path / "s", script), connected(tmp_path / "s") as asking:
        with pytest.raises(KeeperAway):
            await ask(asking)
    assert deaths == 3


async def test_without_a_keeper_a_request_waits_no_longer_than_its_deadline(tmp_path: Path) -> None:
    async with connected(tmp_path / "nobody") as asking:
        with pytest.raises(KeeperAway):
            await ask(asking, wait=0.05)


async def test_a_keeper_that_dies_during_a_body_breaks_it_off(tmp_path: Path) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fill = await next_request(reader)
        assert isinstance(fill, link.Fill)
        writer.write(link.frame(link.Head(fill.id, Answer(ASSET), STATUS, link.Relayed(100))))
        writer.write(link.frame(link.Data(fill.id, b"half")))
        await writer.drain()

    async with keeper(tmp_path / "s", script), connected(tmp_path / "s") as asking:
        _, exchange = await ask(asking)
        blocks = client.Relayed(exchange, 100).blocks(0, 100)
        assert await anext(blocks) == b"half"
        with pytest.raises(BodyBroken):
            await anext(blocks)


async def test_a_refusal_says_why(tmp_path: Path) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fill = await next_request(reader)
        assert isinstance(fill, link.Fill)
        writer.write(link.frame(link.Failed(fill.id, 502, STATUS, "gone")))
        await next_request(reader)

    async with keeper(tmp_path / "s", script), connected(tmp_path / "s") as asking:
        with pytest.raises(FillFailed, match="gone") as failure:
            await ask(asking)
        assert failure.value.failed.status == 502


async def test_a_client_that_leaves_tells_the_keeper(tmp_path: Path) -> None:
    left: asyncio.Queue[link.Request] = asyncio.Queue()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await left.put(await next_request(reader))

    async with keeper(tmp_path / "s", script), connected(tmp_path / "s") as asking:
        asked = asyncio.create_task(ask(asking))
        fill = await asyncio.wait_for(left.get(), 10)
        asked.cancel()
        assert await asyncio.wait_for(left.get(), 10) == link.Leave(fill.id)  # type: ignore[union-attr]
