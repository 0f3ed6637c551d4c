"""Purges of many things at once, on three server processes of which one is killed: counted at the origin."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge.keeper.purge import OVERTAKEN_FOR
from tests.edge.dialogue.client import Answer
from tests.edge.dialogue.stage import Stage, stage, until

SECRET = "correct horse"
FILES = "files.test"
SOFT = {"x_facet_purge_mode": "soft"}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    sites = [{"name": "files", "host": FILES, "bucket": "media", "purge_secret": SECRET}]
    edge = {"purge_secret": SECRET + " of all", "stale": 600}
    with stage(tmp_path_factory.mktemp("node"), {"sites": sites, "edge": edge}, servers=3) as playing:
        yield playing


def put(node: Stage, key: str, body: bytes, **fields: str) -> None:
    node.origin.on(f"/media/{key}", body, "text/plain", etag=f'"{body.decode()}"', **fields)


def everywhere(node: Stage, target: str, **fields: str) -> set[bytes]:
    """What connection after connection gets, which is spread over the server processes."""
    return {node.get(target, host=FILES, **fields).body for _ in range(24)}


def purge(node: Stage, target: str, host: str = FILES, secret: str = SECRET, **fields: str) -> Answer:
    return node.get(target, host=host, method="PURGE", x_facet_purge=secret, **fields)


def command(node: Stage, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    admin = node.keeper.ready["admin"].removeprefix("http://")
    return subprocess.run(
        [sys.executable, "-m", "facet", "purge", "--admin", admin, *arguments],
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
    )


def asked(node: Stage, *keys: str) -> list[int]:
    return [node.origin.count(f"/media/{key}") for key in keys]


def test_a_prefix_takes_what_lies_below_it_and_nothing_else(node: Stage) -> None:
    keys = ("p/2024/a.txt", "p/2024/deep/b.txt", "p/2024b.txt", "p/c.txt")
    for key in keys:
        put(node, key, b"old")
        assert everywhere(node, f"/{key}") == {b"old"}
        put(node, key, b"new")
    assert purge(node, "/p/2024/", x_facet_purge_scope="prefix").status == 200
    assert [everywhere(node, f"/{key}") for key in keys] == [{b"new"}, {b"new"}, {b"old"}, {b"old"}]
    assert asked(node, *keys) == [2, 2, 1, 1]
    assert purge(node, "/p/2024", x_facet_purge_scope="prefix").status == 400
    assert purge(node, "/p/", x_facet_purge_scope="everything").status == 400


def test_a_tag_takes_what_its_upstream_gave_it(node: Stage) -> None:
    tagged = {"t/1": {"Cache-Tag": "post-1, user-7"}, "t/2": {"Surrogate-Key": "post-2 user-7"}, "t/3": {"xkey": "x"}}
    for key, headers in tagged.items():
        put(node, key, b"old", headers=headers)  # type: ignore[arg-type]
        assert everywhere(node, f"/{key}") == {b"old"}
        assert not node.get(f"/{key}", host=FILES).has(next(iter(headers)))
        put(node, key, b"new", headers=headers)  # type: ignore[arg-type]
    assert purge(node, "/", x_facet_purge_tags="post-2, post-3").status == 200
    assert [everywhere(node, f"/{key}") for key in tagged] == [{b"old"}, {b"new"}, {b"old"}]
    assert command(node, "--tag", "user-7", "--site", "files").returncode == 0
    assert [everywhere(node, f"/{key}") for key in tagged] == [{b"new"}, {b"new"}, {b"old"}]
    assert command(node, "--tag", "x").returncode == 0
    assert everywhere(node, "/t/3") == {b"new"}
    assert asked(node, *tagged) == [2, 3, 2]


def test_what_is_purged_softly_is_given_while_it_is_asked_for_again(node: Stage) -> None:
    put(node, "s/swr", b"old", cache_control="max-age=600, stale-while-revalidate=60")
    put(node, "s/none", b"old", cache_control="max-age=600")
    for key in ("s/swr", "s/none"):
        assert everywhere(node, f"/{key}") == {b"old"}
        put(node, key, b"new", cache_control="max-age=600, stale-while-revalidate=60")
        assert purge(node, f"/{key}", **SOFT).status == 200
    first = node.get("/s/swr", host=FILES)
    assert first.body == b"old"
    assert {"hit", "detail=refreshing"} <= first.cache
    assert node.get("/s/none", host=FILES).body == b"new"
    until(lambda: everywhere(node, "/s/swr") == {b"new"}, "what was purged softly never was refreshed")
    assert asked(node, "s/swr", "s/none") == [2, 2]


def test_what_is_purged_softly_stands_in_for_a_failing_upstream_and_what_is_purged_hard_does_not(node: Stage) -> None:
    for key in ("e/soft", "e/hard"):
        put(node, key, b"old")
        assert everywhere(node, f"/{key}") == {b"old"}
        node.origin.on(f"/media/{key}", b"broken", status=500)
    assert purge(node, "/e/soft", **SOFT).status == 200
    assert purge(node, "/e/hard").status == 200
    assert node.get("/e/soft", host=FILES).body == b"old"
    assert node.get("/e/hard", host=FILES).status == 502


def test_the_command_purges_urls_of_a_list_and_names_what_is_wrong(node: Stage) -> None:
    for key in ("c/1", "c/2"):
        put(node, key, b"old")
        assert everywhere(node, f"/{key}") == {b"old"}
        put(node, key, b"new")
    assert command(node, "-", given=f"http://{FILES}/c/1\n\nhttp://{FILES}/c/2?w=5\n").returncode == 0
    assert [everywhere(node, f"/{key}") for key in ("c/1", "c/2")] == [{b"new"}, {b"new"}]
    for arguments, said in (
        (("--site", "nobody"), "nobody"),
        (("--prefix", f"http://{FILES}/a"), "slash"),
        ((), "name"),
    ):
        wrong = command(node, *arguments)
        assert wrong.returncode == 2
        assert said in wrong.stderr
    assert "edge.admin" in command(node, "--all", "--admin", "127.0.0.1:1").stderr


def test_the_default_site_has_a_secret_of_its_own(node: Stage) -> None:
    put(node, "d.txt", b"old")
    assert node.get("/media/d.txt").body == b"old"
    put(node, "d.txt", b"new")
    assert purge(node, "/media/d.txt", host="any.test").status == 405
    assert (
        purge(node, "/media/", host="any.test", secret=SECRET + " of all", x_facet_purge_scope="prefix").status == 200
    )
    assert node.get("/media/d.txt").body == b"new"


def test_a_fill_that_a_purge_overtakes_leaves_no_bytes_on_the_disk(node: Stage) -> None:
    gate = threading.Event()
    node.origin.on("/media/raced.bin", b"plaintext-of-raced" * 9000, "video/mp4", etag='"r"', body_pause=gate)
    with ThreadPoolExecutor(1) as clients:
        early = clients.submit(node.get, "/raced.bin", host=FILES)
        until(lambda: node.origin.count("/media/raced.bin"), "nothing was fetched")
        assert purge(node, "/raced.bin").status == 200
        gate.set()
        assert early.result().whole
    until(lambda: not on_disk(node, b"plaintext-of-raced"), "the old bytes stayed", OVERTAKEN_FOR + 20)


def on_disk(node: Stage, text: bytes) -> list[Path]:
    """The files of the disk tier that hold a text."""
    files = [path for name in ("bodies", "tmp") for path in (node.data / "edge" / name).rglob("*") if path.is_file()]
    return [path for path in files if text in read(path)]


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def test_a_process_killed_midway_changes_nothing_about_a_purge(node: Stage) -> None:
    keys = [f"k/{number}" for number in range(20)]
    for key in keys:
        put(node, key, b"old")
        assert everywhere(node, f"/{key}") == {b"old"}
        put(node, key, b"new")
    node.servers[0].kill()
    assert purge_patiently(node, "/k/").status == 200
    assert all(everywhere(node, f"/{key}") == {b"new"} for key in keys)
    assert asked(node, *keys) == [2] * 20
    node.keeper.kill()
    node.restart_keeper()
    for key in keys:  # durable: nothing from before the purge has come back
        assert node.get(f"/{key}", host=FILES).body == b"new"


def purge_patiently(node: Stage, target: str) -> Answer:
    """The purge, again where the process that was asked has died."""
    while True:
        try:
            return purge(node, target, x_facet_purge_scope="prefix")
        except OSError:
            continue
