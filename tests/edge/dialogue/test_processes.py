"""Processes that die, restart and fill up: what clients notice of it."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.edge.dialogue.stage import WEBP, stage, until

KIB = 1024
MIB = 1024 * KIB


def test_a_killed_keeper_costs_misses_and_not_hits(tmp_path: Path, photo: bytes) -> None:
    with stage(tmp_path) as edge:
        edge.origin.on("/media/hit.jpg", photo, etag='"hit"', identity="51" * 32)
        edge.origin.on("/media/disk.bin", b"d" * 3 * MIB, "application/octet-stream", etag='"disk"')
        for target in ("/media/hit.jpg?w=70", "/media/disk.bin"):
            edge.get(target, accept=WEBP)
            assert edge.get(target, accept=WEBP).hit
        edge.keeper.kill()
        for target in ("/media/hit.jpg?w=70", "/media/disk.bin"):
            assert edge.get(target, accept=WEBP).hit
        with ThreadPoolExecutor(1) as clients:
            waiting = clients.submit(edge.get, "/media/hit.jpg?w=71", accept=WEBP)
            edge.restart_keeper()
            assert waiting.result().status == 200
        until(lambda: edge.get("/media/hit.jpg?w=70", accept=WEBP).hit, "hits never came back")


def test_a_keeper_killed_during_a_fill_is_asked_again(tmp_path: Path, photo: bytes) -> None:
    with stage(tmp_path) as edge:
        gate = threading.Event()
        edge.origin.on("/media/twice.jpg", photo, etag='"twice"', identity="52" * 32, pause=gate)
        with ThreadPoolExecutor(1) as clients:
            waiting = clients.submit(edge.get, "/media/twice.jpg?w=70")
            until(lambda: edge.origin.count("/media/twice.jpg"), "nothing was fetched")
            edge.keeper.kill()
            gate.set()
            edge.restart_keeper()
            assert waiting.result().status == 200
        assert not any((edge.data / "edge" / "tmp").iterdir())


def test_without_a_keeper_misses_are_503_and_say_when_to_come_again(tmp_path: Path) -> None:
    with stage(tmp_path, {"edge": {"wait": 0.5}}) as edge:
        edge.keeper.kill()
        answer = edge.get("/media/miss.jpg")
        assert answer.status == 503
        assert answer["Retry-After"] == "1"
        assert "detail=keeper-away" in answer.cache
        assert answer["Access-Control-Allow-Origin"] == "*"


def test_what_is_stored_survives_a_restart_and_is_confirmed(tmp_path: Path, photo: bytes) -> None:
    with stage(tmp_path) as edge:
        edge.origin.on("/media/old.jpg", photo, etag='"old"', identity="53" * 32)
        first = edge.get("/media/old.jpg?w=70")
        edge.keeper.stop()
        edge.restart_keeper()
        until(lambda: edge.get("/media/old.jpg?w=70").hit, "nothing was found again")
        assert edge.get("/media/old.jpg?w=70").body == first.body
        assert edge.renders() == 1
        assert edge.origin.bodies_sent == 1


def test_a_damaged_body_is_never_given(tmp_path: Path) -> None:
    with stage(tmp_path, {"edge": {"memory_object": 0}}) as edge:
        body = bytes(range(256)) * 1024
        edge.origin.on("/media/flipped.bin", body, "application/octet-stream", etag='"f"')
        assert edge.get("/media/flipped.bin").body == body
        (file,) = [file for file in (edge.data / "edge" / "bodies").rglob("*") if file.is_file()]
        damaged = bytearray(file.read_bytes())
        damaged[100_000] ^= 1
        file.write_bytes(damaged)
        broken = edge.get("/media/flipped.bin")
        assert broken.body == body or not broken.whole
        assert edge.get("/media/flipped.bin").body == body


def test_memory_and_disk_stay_within_their_bounds(tmp_path: Path) -> None:
    settings = {"edge": {"memory": MIB, "memory_object": 128 * KIB, "disk": 24 * MIB}}
    with stage(tmp_path, settings) as edge:
        before = edge.memory()
        for number in range(150):
            body = bytes([number]) * (512 * KIB)
            edge.origin.on(f"/media/{number}.bin", body, "application/octet-stream", etag=f'"{number}"')
            assert edge.get(f"/media/{number}.bin").body == body
            assert edge.disk_used() <= 24 * MIB
        assert edge.memory() - before < 48 * MIB
        assert edge.get("/media/149.bin").hit


def test_a_body_larger_than_the_disk_tier_passes_through(tmp_path: Path) -> None:
    with stage(tmp_path, {"edge": {"disk": 8 * MIB}}) as edge:
        body = bytes(range(256)) * (12 * MIB // 256)
        edge.origin.on("/media/huge.mp4", body, "video/mp4", etag='"huge"')
        for _ in range(2):
            answer = edge.get("/media/huge.mp4")
            assert answer.body == body
            assert "detail=pass-disk-full" in answer.cache
        assert edge.disk_used() <= 8 * MIB


def test_sigterm_finishes_what_is_running(tmp_path: Path) -> None:
    with stage(tmp_path) as edge:
        gate = threading.Event()
        edge.origin.on("/media/last.mp4", b"l" * 100_000, "video/mp4", etag='"last"', body_pause=gate)
        with ThreadPoolExecutor(2) as clients:
            running = clients.submit(edge.get, "/media/last.mp4")
            until(lambda: edge.origin.count("/media/last.mp4"), "nothing was fetched")
            stopping = clients.submit(edge.servers[0].stop)
            until(lambda: edge.events("the edge drains"), "the server process did not drain")
            gate.set()
            assert running.result().body == b"l" * 100_000
            assert stopping.result() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_processes_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with stage(tmp_path) as edge:
        assert edge.servers[0].stop(number) == 0
        assert edge.keeper.stop(number) == 0
