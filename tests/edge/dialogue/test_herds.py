"""A thousand at once, and an audience, on three server processes (counted at the origin and in the render log)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge.dialogue.origin import Origin
from tests.edge.dialogue.stage import WEBP, Stage, stage, until

KIB = 1024
HERD = 1000
AUDIENCE = 40


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Stage]:
    with stage(tmp_path, {"edge": {"slice": 256 * KIB}}, servers=3) as playing:
        yield playing


async def ask(port: int, target: str, *fields: str) -> bytes | None:
    """The body of a whole answer; None where the process that was asked has died."""
    head = "\r\n".join((f"GET {target} HTTP/1.1", "Host: x", "Connection: close", f"Accept: {WEBP}", *fields, "", ""))
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(head.encode())
            received = await reader.read(-1)
        finally:
            writer.close()
    except OSError:
        return None
    said, _, body = received.partition(b"\r\n\r\n")
    if not said.startswith((b"HTTP/1.1 200", b"HTTP/1.1 206")):
        return None
    lines = dict(line.lower().split(b": ", 1) for line in said.split(b"\r\n")[1:])
    return body if len(body) == int(lines[b"content-length"]) else None


async def herd(node: Stage, targets: list[str], gate: threading.Event) -> list[bytes | None]:
    """Everybody at once; once the origin has been asked for all there is, one process is killed and it goes on."""
    asking = [asyncio.create_task(ask(node.port, targets[number % len(targets)])) for number in range(HERD)]

    def all_asked() -> bool:
        return all(node.origin.count(target.partition("?")[0]) for target in targets)

    await asyncio.to_thread(until, all_asked, "not everything was fetched")
    node.servers[0].kill()
    gate.set()
    return list(await asyncio.gather(*asking))


def test_a_thousand_cold_requests_for_four_pictures_are_four_fetches_and_four_renderings(
    node: Stage, photo: bytes
) -> None:
    gate = threading.Event()
    paths = [f"/media/herd-{number}.jpg" for number in range(4)]
    for number, path in enumerate(paths):
        node.origin.on(path, photo, etag=f'"herd-{number}"', identity=f"{number:02x}" * 32, body_pause=gate)
    targets = [f"{path}?w=111" for path in paths]
    given = asyncio.run(herd(node, targets, gate))
    assert sum(body is not None for body in given) > HERD / 3
    for number, target in enumerate(targets):
        final = node.get(target, accept=WEBP).body
        assert {body for body in given[number :: len(targets)] if body is not None} <= {final}
    assert [node.origin.count(path) for path in paths] == [1] * 4
    assert [node.renders(path) for path in paths] == [1] * 4


async def audience(node: Stage, target: str) -> list[bytes | None]:
    return list(await asyncio.gather(*(ask(node.port, target) for _ in range(AUDIENCE))))


def _bytes_asked(origin: Origin, target: str) -> int:
    """What the origin was asked for in slices."""
    total = 0
    for asked in origin.asked:
        if asked.target == target and asked.headers.get("range", "").startswith("bytes="):
            first, last = map(int, asked.headers["range"].removeprefix("bytes=").split("-"))
            total += last + 1 - first
    return total


def test_an_audience_of_a_cold_film_moves_it_once_and_a_seek_does_not_wait(node: Stage) -> None:
    film = bytes(range(256)) * (4 * KIB * 4)
    node.origin.on("/media/film.mp4", film, "video/mp4", etag='"film"', ranges=True)
    seek = node.get("/media/film.mp4", range=f"bytes={len(film) - 1000}-")
    assert (seek.status, seek.body) == (206, film[-1000:])
    assert _bytes_asked(node.origin, "/media/film.mp4") <= 256 * KIB
    assert all(body == film for body in asyncio.run(audience(node, "/media/film.mp4")))
    assert _bytes_asked(node.origin, "/media/film.mp4") <= len(film)
