"""Herds on a node of three server processes: counted at the upstream and in the render log, never by our metrics."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.edge.dialogue import client
from tests.edge.dialogue.stage import WEBP, Stage, stage, until


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("node"), {"edge": {"stall_timeout": 60}}, servers=3) as playing:
        yield playing


def herd(node: Stage, size: int, target: str, **fields: str) -> list[client.Answer]:
    with ThreadPoolExecutor(size) as clients:
        return list(clients.map(lambda _: node.get(target, **fields), range(size)))


def test_two_hundred_cold_requests_are_one_fetch_and_one_rendering(node: Stage, photo: bytes) -> None:
    node.origin.on("/media/herd.jpg", photo, etag='"herd"', identity="31" * 32)
    answers = herd(node, 200, "/media/herd.jpg?w=111", accept=WEBP)
    assert {(answer.status, answer.body) for answer in answers} == {(200, answers[0].body)}
    assert node.origin.count("/media/herd.jpg") == 1
    assert node.renders("/media/herd.jpg") == 1
    processes = {line["process"] for line in node.access("/media/herd.jpg?w=111")}
    assert processes == {"edge-0", "edge-1", "edge-2"}


def test_a_late_joiner_gets_what_has_arrived(node: Stage) -> None:
    gate = threading.Event()
    body = bytes(range(256)) * 2048
    node.origin.on("/media/joined.mp4", body, "video/mp4", etag='"joined"', body_pause=gate)
    with ThreadPoolExecutor(8) as clients:
        waiting = [clients.submit(node.get, "/media/joined.mp4") for _ in range(8)]
        until(lambda: node.origin.count("/media/joined.mp4"), "nothing was fetched")
        try:
            assert node.get("/media/joined.mp4", range="bytes=0-99").body == body[:100]
        finally:
            gate.set()
        assert all(answer.result().body == body for answer in waiting)
    assert node.origin.count("/media/joined.mp4") == 1


def test_a_client_that_leaves_changes_nothing_for_the_others(node: Stage) -> None:
    gate = threading.Event()
    body = b"y" * 300_000
    node.origin.on("/media/left.mp4", body, "video/mp4", etag='"left"', pause=gate)
    leaver = socket.create_connection(("127.0.0.1", node.port), 5)
    leaver.sendall(b"GET /media/left.mp4 HTTP/1.1\r\nHost: x\r\n\r\n")
    until(lambda: node.origin.count("/media/left.mp4"), "nothing was fetched")
    with ThreadPoolExecutor(2) as clients:
        waiting = [clients.submit(node.get, "/media/left.mp4") for _ in range(2)]
        leaver.close()
        gate.set()
        assert all(answer.result().body == body for answer in waiting)
    assert node.origin.count("/media/left.mp4") == 1


def test_a_fill_goes_on_when_everybody_has_left(node: Stage) -> None:
    gate = threading.Event()
    node.origin.on("/media/alone.mp4", b"z" * 300_000, "video/mp4", etag='"alone"', body_pause=gate)
    with socket.create_connection(("127.0.0.1", node.port), 5) as leaver:
        leaver.sendall(b"GET /media/alone.mp4 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert leaver.recv(100)
    gate.set()
    until(lambda: node.get("/media/alone.mp4").hit, "the fill was given up")
    assert node.origin.count("/media/alone.mp4") == 1


def test_answers_that_are_not_shared_do_not_wait_for_each_other(node: Stage) -> None:
    gate = threading.Event()
    node.origin.on(
        "/media/mine.bin", b"m" * 200_000, "application/octet-stream", cache_control="no-store", body_pause=gate
    )
    with ThreadPoolExecutor(12) as clients:
        waiting = [clients.submit(node.get, "/media/mine.bin") for _ in range(12)]
        try:
            until(lambda: node.origin.count("/media/mine.bin") == 12, "requests waited for one another")
        finally:
            gate.set()
        assert all(answer.result().body == b"m" * 200_000 for answer in waiting)
    assert not any((node.data / "edge" / "tmp").iterdir())


def test_a_slow_reader_of_a_relayed_answer_holds_up_nobody(node: Stage) -> None:
    big = b"b" * 8_000_000
    node.origin.on("/media/relay.bin", big, "application/octet-stream", cache_control="no-store")
    with socket.create_connection(("127.0.0.1", node.port), 30) as slow:
        slow.sendall(b"GET /media/relay.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        until(lambda: node.origin.count("/media/relay.bin") == 1, "nothing was fetched")
        for _ in range(3):
            assert node.get("/media/relay.bin").body == big
        assert client.read_answer(slow).body == big


def test_a_purge_during_a_fill_leaves_nothing_old_behind(node: Stage) -> None:
    gate = threading.Event()
    scene = node.origin.on("/media/raced.txt", b"old" * 1000, "text/plain", etag='"old"', body_pause=gate)
    with ThreadPoolExecutor(1) as clients:
        early = clients.submit(node.get, "/media/raced.txt")
        until(lambda: node.origin.count("/media/raced.txt"), "nothing was fetched")
        node.origin.on("/media/raced.txt", b"new" * 1000, "text/plain", etag='"new"')
        node.origin.publish("media", "raced.txt")
        until(lambda: node.get("/media/raced.txt").body == b"new" * 1000, "the old flight was joined", 2)
        assert not gate.is_set()
        gate.set()
        assert early.result().body == scene.body
    for _ in range(12):
        assert node.get("/media/raced.txt").body == b"new" * 1000


def test_a_killed_server_process_changes_nothing_for_the_others(node: Stage) -> None:
    gate = threading.Event()
    body = b"k" * 300_000
    node.origin.on("/media/killed.mp4", body, "video/mp4", etag='"killed"', pause=gate)
    with ThreadPoolExecutor(24) as clients:
        waiting = [clients.submit(ask_patiently, node, "/media/killed.mp4") for _ in range(24)]
        until(lambda: node.origin.count("/media/killed.mp4"), "nothing was fetched")
        node.servers[0].kill()
        gate.set()
        given = [answer.result() for answer in waiting]
    assert all(answer is None or answer.body == body for answer in given)
    assert sum(answer is not None for answer in given) > 0
    assert node.origin.count("/media/killed.mp4") == 1
    assert node.get("/media/killed.mp4").hit


def ask_patiently(node: Stage, target: str) -> client.Answer | None:
    """An answer, or None where the process that was asked has died."""
    try:
        return node.get(target)
    except OSError:
        return None
