"""The remote tier: a real Redis, a socket that never answers, and values that are not what they should be."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis

from conf.remote import Remote
from edge.cache.remote import LARGEST, RemoteTier, Shared, open_remote
from tests.programs import need

PICTURE = Shared("image/webp", 30, 40, bytes(range(256)) * 40)
PASSWORD = "a-password-for-tests"


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
        return port


def start(port: int, folder: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [need("redis-server"), "--port", str(port), "--save", "", "--requirepass", PASSWORD, "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 30
    while True:
        try:
            client(port).ping()
            return process
        except redis.ConnectionError:
            assert time.monotonic() < deadline, "redis-server does not start"
            time.sleep(0.02)


def client(port: int) -> redis.Redis:
    return redis.Redis(port=port, password=PASSWORD)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[int]:
    port = free_port()
    process = start(port, tmp_path)
    yield port
    process.kill()
    process.wait()


def tier(port: int, password: str = PASSWORD) -> RemoteTier:
    opened = open_remote(Remote(url=f"redis://:{password}@127.0.0.1:{port}/0", keep=600))
    assert opened is not None
    return opened


async def settled(remote: RemoteTier) -> None:
    """Wait until what goes on in the background is over."""
    async with asyncio.timeout(20):
        while remote._tasks:
            await asyncio.sleep(0.005)


async def gotten(remote: RemoteTier, key: str) -> Shared | None:
    """The value; on a loaded machine the budget may be too short for the first connection."""
    for _ in range(200):
        if (found := await remote.get(key)) is not None:
            return found
        remote._away = False
        await asyncio.sleep(0.01)
    return None


async def test_what_one_node_keeps_another_finds_until_it_is_dropped(server: int) -> None:
    one, other = tier(server), tier(server)
    one.put("a" * 64, PICTURE)
    await settled(one)
    assert await gotten(other, "a" * 64) == PICTURE
    assert 0 < client(server).ttl(f"facet:1:{'a' * 64}") <= 600
    one.drop("a" * 64)
    await settled(one)
    assert client(server).dbsize() == 0
    await one.close()
    await other.close()


async def test_what_is_damaged_foreign_or_of_another_key_is_a_miss(server: int) -> None:
    remote = tier(server)
    remote.put("a" * 64, PICTURE)
    await settled(remote)
    stored = client(server).get(f"facet:1:{'a' * 64}")
    assert isinstance(stored, bytes)
    flipped = stored[:500] + bytes([stored[500] ^ 1]) + stored[501:]
    for value in (b"", b"x" * 40, stored[:-1], flipped):
        client(server).set(f"facet:1:{'a' * 64}", value)
        assert await remote.get("a" * 64) is None
    client(server).set(f"facet:1:{'b' * 64}", stored)
    assert await remote.get("b" * 64) is None
    await remote.close()


async def test_bodies_above_the_limit_are_not_kept(server: int) -> None:
    remote = tier(server)
    remote.put("a" * 64, Shared("image/webp", 1, 1, bytes(LARGEST + 1)))
    await settled(remote)
    assert client(server).dbsize() == 0
    await remote.close()


async def test_a_socket_that_never_answers_costs_its_budget_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as hole:
        asked = asyncio.Event()  # never set: nobody is probed
        opened = tier(hole.getsockname()[1])

        async def never(_: float) -> None:
            await asked.wait()

        remote = RemoteTier(opened._store, keep=60, sleep=never)
        assert await remote.get("a" * 64) is None
        assert remote.away
        questions: list[str] = []

        class Counting:
            async def get(self, key: str) -> None:
                questions.append(key)

        remote._store = Counting()  # type: ignore[assignment]
        for _ in range(1000):
            assert await remote.get("a" * 64) is None
            remote.put("a" * 64, PICTURE)
            remote.drop("a" * 64)
        assert questions == []
        remote._store = opened._store
        await remote.close()


async def test_a_server_that_comes_back_is_found_again(tmp_path: Path) -> None:
    port = free_port()
    turns: asyncio.Queue[None] = asyncio.Queue()

    async def wait(_: float) -> None:
        await turns.get()

    remote = RemoteTier(tier(port)._store, keep=60, sleep=wait)
    assert await remote.get("a" * 64) is None
    assert remote.away
    process = start(port, tmp_path)
    try:
        async with asyncio.timeout(20):
            while remote.away:
                turns.put_nowait(None)
                await asyncio.sleep(0.01)
        remote.put("a" * 64, PICTURE)
        await settled(remote)
        assert await gotten(remote, "a" * 64) == PICTURE
    finally:
        process.kill()
        process.wait()
        await remote.close()


def test_the_url_with_its_password_is_never_shown() -> None:
    assert PASSWORD not in repr(Remote(url=f"redis://:{PASSWORD}@127.0.0.1:1/0"))
