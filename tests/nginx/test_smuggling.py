"""The corpus of smuggled requests through the generated nginx: what a request carries never reaches the edge as one."""

from __future__ import annotations

from pathlib import Path

from tests.edge.dialogue.stage import stage
from tests.edge.rfc9111.script import Upstream, line
from tests.edge.smuggling.test_smuggling import BODY, NAMES, corpus, hidden
from tests.nginx.running import ASSETS, MEDIA, nginx, settings_for
from tests.nginx.running import NAMES as HOSTS
from tests.pki import make_pki

OTHERWISE = {"bare line feeds in chunks"}
"""nginx ends the body there, so that the second is a request of its own, to it and to the edge alike."""


def test_what_a_request_carries_is_never_a_request_behind_nginx(tmp_path: Path) -> None:
    upstream = Upstream()
    sites = [
        {"name": "passing", "host": ASSETS, "kind": "pass-through", "upstream": upstream.url},
        {"name": "media", "host": MEDIA, "bucket": "media"},
    ]
    try:
        with stage(tmp_path / "edge", {"sites": sites}) as edge:
            pki = make_pki(tmp_path, HOSTS)
            settings = settings_for(tmp_path, pki, edge=f"127.0.0.1:{edge.port}", origin="127.0.0.1:9")
            with nginx(settings, pki, tmp_path) as front:
                for number, name in enumerate(sorted(set(NAMES) - OTHERWISE)):
                    for host, at in ((MEDIA, "/media"), (ASSETS, "")):
                        first, second = f"/first-{number}.txt", f"/second-{number}.txt"
                        for path in (first, second):
                            edge.origin.on(f"{at}{path}", BODY, "text/plain", etag='"one"')
                            upstream.script(path, line(200, BODY, cache_control="max-age=600"))
                        request = (
                            f"GET {first} HTTP/1.1\r\nHost: {host}\r\n".encode() + corpus(hidden(second, host))[name]
                        )
                        with front.connect(host) as connection:
                            connection.settimeout(0.2)
                            data = b""
                            try:
                                connection.sendall(request)
                                while more := connection.recv(1 << 16):
                                    data += more
                            except OSError:
                                pass
                        assert not edge.origin.count(f"/media{second}"), (name, data)
                        assert not upstream.count(second), (name, data)
                        assert data.count(b"HTTP/1.1 ") - data.count(b"HTTP/1.1 100 ") <= 1, (name, data)
                        after = edge.get(first, host=host)
                        assert (after.status, after.body) == (200, BODY), name
    finally:
        upstream.close()
