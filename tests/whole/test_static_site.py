"""A static site as people publish one: `aws s3 sync --delete`, shown by a site of kind website, changes at once."""

from __future__ import annotations

import os
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from tests.clients import installed
from tests.edge.dialogue.stage import until
from tests.running import ROOT_KEY, Running


def page(facet: Running, path: str) -> tuple[int, bytes]:
    request = urllib.request.Request(facet.edge + path, headers={"Host": "static.example.com"})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_what_is_synchronised_is_the_site_within_a_second(facet: Running, tmp_path: Path) -> None:
    aws = installed.python("python").parent / "aws"
    facet.s3().create_bucket(Bucket="static")
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": ROOT_KEY["FACET_ROOT_ACCESS_KEY"],
        "AWS_SECRET_ACCESS_KEY": ROOT_KEY["FACET_ROOT_SECRET_KEY"],
        "AWS_DEFAULT_REGION": "us-east-1",
    }

    def sync() -> None:
        command = [aws, "--endpoint-url", facet.origin, "s3", "sync", str(tmp_path), "s3://static"]
        done = subprocess.run([*command, "--delete", "--acl", "public-read"], env=environment, capture_output=True)
        assert done.returncode == 0, done.stderr

    (tmp_path / "guide").mkdir()
    for name, text in (
        ("index.html", "home"),
        ("guide/index.html", "guide"),
        ("404.html", "lost"),
        ("old.html", "old"),
    ):
        (tmp_path / name).write_text(text)
    sync()
    assert [page(facet, path) for path in ("/", "/guide/", "/old.html")] == [
        (200, b"home"),
        (200, b"guide"),
        (200, b"old"),
    ]
    assert page(facet, "/new.html") == (404, b"lost")
    (tmp_path / "old.html").unlink()
    (tmp_path / "new.html").write_text("new")
    (tmp_path / "index.html").write_text("a longer home")
    sync()
    until(lambda: page(facet, "/") == (200, b"a longer home"), "a changed page never showed", 2)
    until(lambda: page(facet, "/new.html") == (200, b"new"), "a new page never showed", 2)
    until(lambda: page(facet, "/old.html") == (404, b"lost"), "a deleted page never went", 2)
    assert page(facet, "/guide/") == (200, b"guide")
