"""A page in a real Chromium: served from a port of its own, so that everything it asks for is of another origin.

The rule of this file: the page itself says when it is done, by a POST of JSON to /result; nobody waits by the clock.
"""

from __future__ import annotations

import http.server
import json
import queue
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.programs import need

QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--autoplay-policy=no-user-gesture-required"),
    *("--ignore-certificate-errors", "--no-proxy-server", "--mute-audio"),
)
PATIENCE = 90.0


def show(
    script: str,
    folder: Path,
    names: str,
    *,
    files: dict[str, Path] | None = None,
    while_open: Callable[[], None] | None = None,
) -> Any:
    """What `script` reports with report(value); it may load `files`. All host names `names` are 127.0.0.1."""
    told: queue.Queue[Any] = queue.Queue()
    page = f"""<!doctype html><meta charset=utf-8><body><video muted></video>
        {"".join(f'<script src="/{name}"></script>' for name in files or {})}
        <script>
        const report = value => fetch('/result', {{method: 'POST', body: JSON.stringify(value)}})
        addEventListener('unhandledrejection', event => report({{error: String(event.reason)}}))
        {script}
        </script>"""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            file = (files or {}).get(self.path[1:])
            body = file.read_bytes() if file else page.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/javascript" if file else "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    chromium = need("chromium")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        where = [f"--user-data-dir={folder / 'profile'}", f"--host-resolver-rules=MAP {names} 127.0.0.1"]
        url = f"http://127.0.0.1:{server.server_port}/"
        browser = subprocess.Popen(
            [chromium, *QUIET, *where, url], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            return _told(told, while_open)
        finally:
            browser.terminate()
            browser.wait(20)
            server.shutdown()


def _told(told: queue.Queue[Any], while_open: Callable[[], None] | None) -> Any:
    if while_open is None:
        return told.get(timeout=PATIENCE)
    for _ in range(int(PATIENCE)):
        while_open()
        try:
            return told.get(timeout=1)
        except queue.Empty:
            continue
    raise AssertionError("the page reported nothing")
