"""`facet warm` asks for what readers will want; `facet sign` makes URLs that hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.edge.dialogue.stage import CHROME, stage


def run(*arguments: str, given: str = "", settings: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "facet", *arguments],
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | ({"FACET_SETTINGS_JSON": settings} if settings else {}),
    )


def test_what_was_warmed_is_a_hit_for_every_class_named(tmp_path: Path, photo: bytes) -> None:
    sites = [{"name": "media", "host": "media.test", "bucket": "media", "sign_keys": ["a-key-for-the-test"]}]
    with stage(tmp_path, {"sites": sites}) as edge:
        for name in "ab":
            edge.origin.on(f"/media/{name}.jpg", photo, etag=f'"{name}"', identity=ord(name).to_bytes(32).hex())
        urls = "# the front page\nhttp://media.test/a.jpg\n\nhttp://media.test/b.jpg\n"
        (tmp_path / "urls").write_text(urls)
        node = ("--edge", f"127.0.0.1:{edge.port}")
        variants = ("--variant", "w=60", "--variant", "w=80", "--accept", "avif", "--accept", "any")
        done = run("warm", *node, *variants, "--json", str(tmp_path / "urls"))
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert (report["asked"], report["hits"], report["failures"]) == (8, 0, [])
        assert report["statuses"] == {"200": 8}
        for target in ("/a.jpg?w=60", "/b.jpg?w=80"):
            assert edge.get(target, host="media.test", accept=CHROME).hit
            assert edge.get(target, host="media.test").hit
        assert [edge.origin.count(f"/media/{name}.jpg") for name in "ab"] == [1, 1]

        failed = run("warm", *node, given="http://media.test/absent.jpg\nnonsense\nhttp://media.test/a.jpg\n")
        assert failed.returncode == 1
        assert "3 asked" in failed.stdout
        assert "http://media.test/absent.jpg: status 404" in failed.stderr
        assert "nonsense" in failed.stderr

        settings = edge.settings.model_dump_json()
        signed = run("sign", "http://media.test/a.jpg?w=33", "--expires", "60", settings=settings)
        target = signed.stdout.strip().removeprefix("http://media.test")
        assert edge.get(target, host="media.test").status == 200
        assert edge.get(f"{target}0", host="media.test").status == 403
        assert run("sign", "http://other.test/a.jpg?w=33", settings=settings).returncode == 2
