"""Promises of the origin's process and its commands."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from time import time
from typing import Any
from uuid import uuid4

import orjson
import pytest

from tests.origin.api.conftest import ACCESS, SECRET, Origin, read, running
from wire import sigv4
from wire.feed import decode_page


def facet(data: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("FACET_")}
    env |= {"FACET_ROOT_ACCESS_KEY": ACCESS, "FACET_ROOT_SECRET_KEY": SECRET, **settings}
    return subprocess.run(
        [sys.executable, "-m", "facet", *arguments, "--data", str(data)],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_key_made_while_the_server_runs_works_at_once(origin: Origin) -> None:
    made = json.loads(facet(origin.data, "key", "add", "--owner", "mastodon").stdout)
    client = origin.s3(made["access_key"], made["secret_key"])
    name = f"own-{uuid4().hex[:8]}"
    client.create_bucket(Bucket=name)
    client.put_object(Bucket=name, Key="k", Body=b"x")
    assert [entry["Name"] for entry in client.list_buckets()["Buckets"]] == [name]
    listed = json.loads(facet(origin.data, "key", "list").stdout)
    assert made["access_key"] in [entry["access_key"] for entry in listed]
    assert made["secret_key"] not in str(listed)
    assert facet(origin.data, "key", "remove", made["access_key"]).returncode == 0
    with pytest.raises(Exception, match="InvalidAccessKeyId"):
        client.list_buckets()


def test_a_key_is_bound_to_its_permissions_and_buckets(origin: Origin, s3: Any, bucket: str) -> None:
    made = json.loads(
        facet(
            origin.data, "key", "add", "--owner", "reader", "--access-key", f"READER{uuid4().hex[:8]}",
            "--secret-key", "a-long-secret", "--allow", "read", "--bucket", bucket,
        ).stdout
    )  # fmt: skip
    assert (made["allow"], made["buckets"], made["secret_key"]) == (["read"], [bucket], "a-long-secret")
    client = origin.s3(made["access_key"], made["secret_key"])
    with pytest.raises(Exception, match="AccessDenied"):
        client.put_object(Bucket=bucket, Key="k", Body=b"x")


def test_permissions_of_a_key_add_up(origin: Origin) -> None:
    options = ("--allow", "read", "--allow", "write, read")
    made = json.loads(facet(origin.data, "key", "add", "--owner", "adder", *options).stdout)
    assert made["allow"] == ["read", "write"]
    assert json.loads(facet(origin.data, "key", "add", "--owner", "adder").stdout)["allow"] == [
        "delete", "read", "write",
    ]  # fmt: skip


@pytest.mark.parametrize(("option", "value"), [("--allow", "everything"), ("--bucket", "BAD_")])
def test_a_wrong_key_request_is_one_clear_line(origin: Origin, option: str, value: str) -> None:
    failed = facet(origin.data, "key", "add", "--owner", "x", option, value)
    assert failed.returncode == 2
    assert failed.stderr.startswith("facet: ")
    assert failed.stderr.count("\n") == 1
    assert option != "--bucket" or value in failed.stderr


def test_a_key_made_while_no_server_runs_is_there_when_it_starts(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = json.loads(facet(data, "key", "add", "--owner", "early").stdout)
    with running(data) as origin:
        assert origin.s3(made["access_key"], made["secret_key"]).list_buckets()["Buckets"] == []


def test_the_admin_socket_belongs_to_the_owner_alone(origin: Origin) -> None:
    assert stat.S_IMODE((origin.data / "origin" / "admin.sock").stat().st_mode) == 0o600


def test_a_port_in_use_stops_the_start_and_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "{}:{}".format(*taken.getsockname())
        failed = facet(tmp_path / "data", "origin", "serve", "--listen", address)
    assert failed.returncode == 2
    assert f"origin.listen is {address}" in failed.stderr.splitlines()[-1]


def test_sigterm_lets_a_running_upload_finish(tmp_path: Path) -> None:
    with running(tmp_path / "data") as origin:
        origin.ask("PUT", "/bucket")
        with origin.connect() as connection:
            connection.sendall(origin.head("PUT", "/bucket/k", {"Expect": "100-continue"}, b"half done"))
            assert connection.recv(100).startswith(b"HTTP/1.1 100")
            origin.process.send_signal(signal.SIGTERM)
            connection.sendall(b"half done")
            assert read(connection, "PUT").status == 200
        assert origin.process.wait(30) == 0
    with running(tmp_path / "data") as origin:
        assert origin.ask("GET", "/bucket/k").body == b"half done"


def test_sigterm_does_not_wait_for_long_polls(tmp_path: Path) -> None:
    with running(tmp_path / "data") as origin:
        cursor = decode_page(origin.ask("GET", "/-/feed").body).cursor
        with origin.connect() as connection:
            connection.sendall(origin.head("GET", f"/-/feed?cursor={cursor}&wait=60"))
            assert origin.ask("GET", "/-/health").status == 200
            origin.process.send_signal(signal.SIGTERM)
            assert connection.recv(100) == b""
        assert origin.process.wait(30) == 0


def edge_ask(origin: Origin, target: str, **headers: str) -> Any:
    """Ask as the edge does: signed with the edge key."""
    key = orjson.loads((origin.data / "edge-key.json").read_bytes())
    path, _, query = target.partition("?")
    lines = {"Host": f"{origin.address[0]}:{origin.address[1]}"} | {k.replace("_", "-"): v for k, v in headers.items()}
    lines |= dict(
        sigv4.sign_headers(
            "GET", path, query, list(lines.items()), access_key=key["access_key"], secret=key["secret_key"],
            now=time(),
        )
    )  # fmt: skip
    return origin.ask("GET", target, lines, signed=False)


def test_the_edge_key_sees_what_anybody_sees_and_the_identity(origin: Origin, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="public", Body=b"x", ACL="public-read")
    s3.put_object(Bucket=bucket, Key="private", Body=b"x")
    public = edge_ask(origin, f"/{bucket}/public")
    assert (public.status, public.body) == (200, b"x")
    assert public.headers["x-facet-identity"]
    assert edge_ask(origin, f"/{bucket}/private").status == 403
    assert "x-facet-identity" not in origin.ask("GET", f"/{bucket}/public").headers
    fresh = edge_ask(origin, f"/{bucket}/public", If_None_Match=public.headers["etag"])
    assert (fresh.status, fresh.headers["x-facet-identity"]) == (304, public.headers["x-facet-identity"])


def test_the_feed_tells_the_edge_key_what_changed(origin: Origin, s3: Any, bucket: str) -> None:
    cursor = decode_page(edge_ask(origin, "/-/feed").body).cursor
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    page = decode_page(edge_ask(origin, f"/-/feed?cursor={cursor}&wait=10").body)
    assert (page.events[0].kind, page.events[0].bucket, page.events[0].key) == ("object.created", bucket, "k")
    assert origin.ask("GET", "/-/feed", signed=False).status == 403
    assert edge_ask(origin, "/-/feed?wait=1000").status == 400


def test_health_needs_no_key(origin: Origin) -> None:
    assert origin.ask("GET", "/-/health", signed=False).status == 200
