"""An upstream that says 103 behind the nginx that takes one for the final answer, over HTTP/2."""

from __future__ import annotations

from pathlib import Path

from tests.edge.dialogue import client
from tests.edge.dialogue.stage import stage
from tests.edge.rfc9111.script import Line, Upstream
from tests.nginx.running import ASSETS, NAMES, nginx, settings_for
from tests.pki import make_pki

HINT = (103, (("Link", "</a.css>; rel=preload"),))


def test_a_hint_does_not_break_the_answer_behind_nginx(tmp_path: Path) -> None:
    upstream = Upstream()
    site = {"name": "passing", "host": ASSETS, "kind": "pass-through", "upstream": upstream.url}
    try:
        with stage(tmp_path / "edge", {"sites": [site]}) as edge:
            pki = make_pki(tmp_path, NAMES)
            settings = settings_for(tmp_path, pki, edge=f"127.0.0.1:{edge.port}", origin="127.0.0.1:9")
            with nginx(settings, pki, tmp_path) as front:
                for path in ("/one", "/two"):
                    upstream.script(path, Line(200, (("Cache-Control", "max-age=60"),), b"body", interim=(HINT,)))
                    for _ in range(2):
                        status, fields, body = front.curl(f"https://{ASSETS}:{front.https}{path}")
                        assert (status, body, "link" in fields) == (200, b"body", False)
                        assert fields["cache-status"].startswith("facet;")
                upstream.script("/told", Line(200, (), b"body", interim=(HINT,)))
                with client.connect(edge.port) as connection:
                    connection.sendall(f"GET /told HTTP/1.1\r\nHost: {ASSETS}\r\n\r\n".encode())
                    assert connection.recv(1000).startswith(b"HTTP/1.1 103 ")
    finally:
        upstream.close()
