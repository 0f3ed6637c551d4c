"""An upstream that drops a connection is asked once more, within a budget, and only where that can do no harm."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.edge.dialogue.stage import stage

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\nConnection: close\r\n\r\ntext"


class Dropping:
    """A server that closes connections without an answer: all of them, or those of `drops`."""

    def __init__(self, drops: set[int] | None) -> None:
        self._drops = drops
        self.asked: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self.asked.append(connection.recv(65536).partition(b"\r\n")[0])
                if self._drops is not None and len(self.asked) not in self._drops:
                    connection.sendall(ANSWER)

    def close(self) -> None:
        self._listener.close()


@contextmanager
def dropping(drops: set[int] | None = None) -> Iterator[Dropping]:
    server = Dropping(drops)
    try:
        yield server
    finally:
        server.close()


def test_a_dropped_request_is_asked_once_more(tmp_path: Path) -> None:
    with dropping({1}) as upstream:
        sites = [{"name": "a", "host": "a.test", "kind": "assets", "upstream": upstream.url}]
        with stage(tmp_path, {"sites": sites, "guard": {"retries": 0.1}}) as edge:
            answer = edge.get("/x", host="a.test")
            assert (answer.status, answer.body) == (200, b"text")
            assert upstream.asked == [b"GET /x HTTP/1.1"] * 2


def test_retries_end_with_their_budget(tmp_path: Path) -> None:
    with dropping() as upstream:
        sites = [{"name": "a", "host": "a.test", "kind": "assets", "upstream": upstream.url}]
        with stage(tmp_path, {"sites": sites, "guard": {"retries": 0}}) as edge:
            assert edge.get("/x", host="a.test").status == 502
            assert len(upstream.asked) == 1


def test_what_may_have_done_something_is_never_asked_again(tmp_path: Path) -> None:
    with dropping() as upstream:
        sites = [{"name": "p", "host": "p.test", "kind": "pass-through", "upstream": upstream.url}]
        with stage(tmp_path, {"sites": sites}) as edge:
            assert edge.get("/x", method="POST", host="p.test", content_length="0").status == 502
            assert upstream.asked == [b"POST /x HTTP/1.1"]


def test_a_body_that_trickles_ends_with_its_time_altogether(tmp_path: Path) -> None:
    gate = threading.Event()
    with stage(tmp_path, {"edge": {"total_timeout": 1, "stall_timeout": 20}}) as edge:
        edge.origin.on("/media/slow.bin", b"s" * 4096, "video/mp4", etag='"s"', body_pause=gate)
        try:
            assert not edge.get("/media/slow.bin").whole
        finally:
            gate.set()
        assert "upstream-too-slow" in edge.log.read_text()
        assert not any((edge.data / "edge" / "tmp").iterdir())
