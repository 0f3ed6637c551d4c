"""What the lane never does: give what is stale, keep what a slow client has not read, outlive an idle connection."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from edge.lane import LaneConnection, Prepared
from tests.edge.dialogue import client
from tests.edge.dialogue.stage import until
from tests.edge.lane.conftest import LARGE, LARGE_SIZE, PICTURE
from tests.edge.lane.twins import Twins, head, twins


@pytest.fixture
def fleeting(tmp_path: Path) -> Iterator[Twins]:
    """Twins of their own, whose answers live for 300 seconds."""
    with twins(tmp_path) as pair:
        yield pair


def by_lane(pair: Twins, target: str) -> tuple[client.Answer, bool]:
    """An answer of the edge with the lane, and whether it came by it."""
    before = pair.answered
    with client.connect(pair.with_lane.port) as connection:
        connection.sendall(head(target))
        answer = client.read_answer(connection)
    return answer, pair.answered > before


def test_the_private_names_of_aiohttp_are_where_the_lane_uses_them() -> None:
    slots = {name for kind in web.RequestHandler.__mro__ for name in getattr(kind, "__slots__", ())}
    assert {"_waiter", "_loop", "_next_keepalive_close_time", "_keepalive_handle", "transport"} <= slots
    assert callable(web.RequestHandler._process_keepalive)
    assert set(LaneConnection.__slots__).isdisjoint(slots)


def test_what_is_purged_or_overwritten_is_not_given_by_the_lane(fleeting: Twins) -> None:
    origin = fleeting.node.origin
    for round in range(3):
        body = f"version {round}".encode()
        origin.on("/media/page.txt", body, "text/plain", etag=f'"{round}"')
        if round:
            origin.publish("media", "page.txt")
            until(lambda: by_lane(fleeting, "/media/page.txt")[0].body == body, "the overwrite never showed", 5)  # noqa: B023
        fleeting.warm("/media/page.txt")
        answer, lane = by_lane(fleeting, "/media/page.txt")
        assert (answer.body, lane) == (body, True)


def test_what_is_older_than_its_lifetime_is_not_given_by_the_lane(fleeting: Twins) -> None:
    fleeting.node.origin.on("/media/page.txt", b"page", "text/plain", etag='"page"')
    fleeting.warm("/media/page.txt")
    ages = []
    for ahead in (0.0, 100.0, 290.0):
        fleeting.clock.ahead = ahead
        answer, lane = by_lane(fleeting, "/media/page.txt")
        assert lane
        ages.append(int(answer["Age"]))
        ttl = int(next(said for said in answer.cache if said.startswith("ttl=")).removeprefix("ttl="))
        assert 298 <= ttl + ages[-1] <= 300
    assert ages[0] <= ages[1] - 99 <= ages[2] - 289
    fleeting.clock.ahead = 301.0
    assert not by_lane(fleeting, "/media/page.txt")[1]


def test_what_the_memory_tier_lets_go_is_gone_for_the_lane(pair: Twins) -> None:
    memory = pair.with_lane.tiers.memory
    prepared = next(entry for key in list(memory._entries) if isinstance(entry := memory.get(key), Prepared))
    assert isinstance(prepared.body.value, bytes)
    used = memory.used
    pair.loop.call_soon_threadsafe(memory.clear)
    until(lambda: memory.used < used, "never cleared")
    answer, lane = by_lane(pair, PICTURE)
    assert (answer.status, answer.hit, lane) == (200, True, False)
    pair.warm(PICTURE)
    pair.warm(LARGE)


def test_hits_of_the_lane_are_counted_and_logged(pair: Twins, capfd: pytest.CaptureFixture[str]) -> None:
    tiers = pair.with_lane.tiers
    tiers.report()
    answer, lane = by_lane(pair, PICTURE)
    assert lane
    counted = "the hit was never counted"
    until(lambda: (told := tiers.report()) is not None and told.hits["default"].memory == 1, counted)
    line = ""

    def logged() -> bool:
        nonlocal line
        line += capfd.readouterr().err
        return line.endswith("\n")

    until(logged, "the hit was never logged")
    for said in ('"status":200', f'"target":"{PICTURE}"', f'"bytes":{len(answer.body)}', '"cache":"facet; hit; ttl='):
        assert said in line


def connection_of(pair: Twins) -> LaneConnection:
    (connection,) = pair.with_lane.server.connections
    assert isinstance(connection, LaneConnection)
    return connection


def test_a_client_that_does_not_read_holds_one_reply(pair: Twins) -> None:
    until(lambda: not pair.with_lane.server.connections, "connections of earlier tests stay")
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", pair.with_lane.port))
        until(lambda: pair.with_lane.server.connections, "never accepted")
        slow.setblocking(False)
        for _ in range(200):
            try:
                slow.send(head(LARGE))
            except BlockingIOError:
                break
        until(lambda: connection_of(pair).transport.get_write_buffer_size() > 0, "it took everything")  # type: ignore[union-attr]
        assert connection_of(pair).transport.get_write_buffer_size() < 3 * LARGE_SIZE  # type: ignore[union-attr]
        slow.settimeout(client.PATIENCE)
        assert client.read_answer(slow).whole


def test_a_connection_that_only_the_lane_answers_is_not_idle(pair: Twins) -> None:
    until(lambda: not pair.with_lane.server.connections, "connections of earlier tests stay")
    with client.connect(pair.with_lane.port) as connection:
        for _ in range(3):
            connection.sendall(head(PICTURE))
            client.read_answer(connection)
            until(lambda: connection_of(pair)._head_timer is None, "the first head is still awaited")
            connection_of(pair)._next_keepalive_close_time = 0.0  # long ago
        connection.sendall(head(PICTURE))
        client.read_answer(connection)
        until(lambda: connection_of(pair)._next_keepalive_close_time > 0, "a hit did not count as use")
        checked = asyncio.run_coroutine_threadsafe(_checked_for_idleness(connection_of(pair)), pair.loop)
        assert checked.result(client.PATIENCE)
        connection.sendall(head(PICTURE))
        assert client.read_answer(connection).status == 200


async def _checked_for_idleness(connection: LaneConnection) -> bool:
    """Whether a connection stays when aiohttp looks whether it is idle."""
    connection._process_keepalive()
    return connection.transport is not None


def test_an_idle_connection_with_an_unread_reply_is_broken_off(pair: Twins) -> None:
    until(lambda: not pair.with_lane.server.connections, "connections of earlier tests stay")
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", pair.with_lane.port))
        slow.sendall(head(LARGE))
        until(lambda: pair.with_lane.server.connections and connection_of(pair)._head_timer is None, "never answered")

        async def time_is_up(connection: LaneConnection) -> None:
            connection._next_keepalive_close_time = 0.0
            connection._process_keepalive()

        asyncio.run_coroutine_threadsafe(time_is_up(connection_of(pair)), pair.loop).result(client.PATIENCE)
        until(lambda: not pair.with_lane.server.connections, "an unread reply keeps its connection")
