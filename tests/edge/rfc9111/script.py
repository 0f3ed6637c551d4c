"""A scripted upstream: each path has a list of answers, one for each request that reaches it (the last for all
that follow), and all are noted.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from wire.dates import http_date


@dataclass(frozen=True)
class Line:
    """What is answered to one request. `drop`: the connection is closed instead."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    drop: bool = False
    gate: threading.Event | None = None
    """Waited for before the answer begins."""
    interim: tuple[tuple[int, tuple[tuple[str, str], ...]], ...] = ()
    """Interim answers that come before."""


@dataclass(frozen=True)
class Heard:
    """One request as it reached the upstream; header names in lower case."""

    method: str
    headers: dict[str, str]
    body: bytes


def line(status: int = 200, body: bytes | str = b"", *, gate: threading.Event | None = None, **headers: str) -> Line:
    """An answer; `cache_control="…"` is Cache-Control."""
    fields = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Line(status, fields, body.encode() if isinstance(body, str) else body, gate=gate)


DROP = Line(drop=True)


@dataclass
class Upstream:
    """The upstream, on a thread of its own."""

    lines: dict[str, deque[Line]] = field(default_factory=lambda: defaultdict(deque))
    heard: dict[str, list[Heard]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def script(self, path: str, *lines: Line) -> str:
        """What the next requests for a path are answered; the path again."""
        self.lines[path].extend(lines)
        return path

    def count(self, path: str) -> int:
        return len(self.heard[path])

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(upstream: Upstream) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            upstream.heard[self.path].append(Heard(self.command, headers, body))
            script = upstream.lines[self.path]
            given = script.popleft() if len(script) > 1 else script[0]
            for status, lines in given.interim:
                self.send_response_only(status)
                for name, value in lines:
                    self.send_header(name, value)
                self.end_headers()
            if given.gate is not None:
                given.gate.wait(30)
            if given.drop:
                self.close_connection = True
                return
            self.send_response_only(given.status)
            names = {name.lower() for name, _ in given.headers}
            if "date" not in names:
                self.send_header("Date", self.date_time_string())
            for name, value in given.headers:
                self.send_header(name, value)
            if "content-length" not in names and given.status not in (204, 304):
                self.send_header("Content-Length", str(len(given.body)))
            self.end_headers()
            if self.command != "HEAD" and given.status not in (204, 304):
                self.wfile.write(given.body)

        def __getattr__(self, name: str) -> object:
            if name.startswith("do_"):
                return self._answer
            raise AttributeError(name)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


def ago(now: float, seconds: float) -> str:
    """The HTTP date that many seconds before."""
    return http_date(now - seconds)
