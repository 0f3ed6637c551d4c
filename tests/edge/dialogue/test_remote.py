"""Two nodes and one remote tier: what the one has rendered, the other need not."""

from __future__ import annotations

from pathlib import Path

from tests.edge.cache.test_remote import PASSWORD, client, free_port, start
from tests.edge.dialogue.stage import WEBP, stage, until


def test_a_rendering_of_an_identity_is_made_once_for_two_nodes(tmp_path: Path, photo: bytes) -> None:
    port = free_port()
    process = start(port, tmp_path)
    settings = {"remote": {"url": f"redis://:{PASSWORD}@127.0.0.1:{port}"}}
    try:
        with stage(tmp_path / "one", settings) as one, stage(tmp_path / "two", settings) as two:
            known = [f"/media/{number}.jpg" for number in range(5)]
            for node in (one, two):
                node.origin.on("/media/unknown.jpg", photo, etag='"u"')
                for number, path in enumerate(known):
                    node.origin.on(path, photo, etag=f'"{number}"', identity=f"{number:064x}")
            for count, path in enumerate((*known, "/media/unknown.jpg"), start=1):
                first = one.get(f"{path}?w=60", accept=WEBP)
                until(lambda count=count: client(port).dbsize() == min(count, 5), "a rendering was not shared")
                assert two.get(f"{path}?w=60", accept=WEBP).body == first.body
            assert {one.renders(path) for path in known} == {1}
            # A loaded machine may take longer than a question may: then it is made again.
            assert min(two.renders(path) for path in known) == 0
            assert two.renders("/media/unknown.jpg") == 1
            for number in range(5):
                one.origin.publish("media", f"{number}.jpg", "object.removed")
            until(lambda: client(port).dbsize() == 0, "what was deleted stayed in the remote tier")
            assert PASSWORD not in one.log.read_text()
    finally:
        process.kill()
        process.wait()
