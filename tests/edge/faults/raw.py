"""An upstream that says exactly the bytes it is told, and then hangs up, resets or stays silent."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.edge.dialogue.stage import Stage, stage

HOSTS = {"assets": "assets.test", "pass-through": "passing.test", "media": "media.test"}
GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: max-age=600\r\nContent-Length: 4\r\n\r\ngood"


@dataclass
class Raw:
    """What is said to each request, piece by piece with a `pause` after each; how it ends: close, reset or hang."""

    pieces: Iterable[bytes] = (GOOD,)
    pause: float = 0.0
    end: str = "close"
    asked: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def count(self, path: str) -> int:
        return sum(f" {path} ".encode() in head for head in self.asked)

    def close(self) -> None:
        self._over.set()
        self._listener.close()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            head = connection.recv(65536)
            if not head:
                return
            pieces, pause, end = self.pieces, self.pause, self.end
            self.asked.append(head.partition(b"\r\n")[0])
            for piece in pieces:
                connection.sendall(piece)
                if pause:
                    time.sleep(pause)
            if end == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif end == "hang":
                self._over.wait(30)


@contextmanager
def troubled(folder: Path, edge: dict[str, Any] | None = None, servers: int = 1) -> Iterator[tuple[Stage, Raw]]:
    """An edge with an assets, a pass-through and a media site on one raw upstream."""
    raw = Raw()
    sites = [{"name": kind, "host": host, "kind": kind, "upstream": raw.url} for kind, host in HOSTS.items()]
    given = {"head_timeout": 0.5, "stall_timeout": 0.5, "connect_timeout": 0.5, "total_timeout": 2, "negative": 0}
    try:
        with stage(folder, {"sites": sites, "edge": given | (edge or {})}, servers=servers) as node:
            yield node, raw
    finally:
        raw.close()
