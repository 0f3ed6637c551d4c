"""Migrations in trouble: a source that fails and changes in between, and a process that is killed."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from tests.origin.api.conftest import Origin
from tests.origin.migrate.conftest import ROOT, From, NewSource, arguments, body, client, environment, migrate, upload

MIB = 1024 * 1024
Before = Callable[[BaseHTTPRequestHandler], str]
"""What becomes of a request: "" passes it on, "fail" answers 503, "cut" ends the answer in the middle."""


@contextmanager
def between(source: From, before: Before) -> Iterator[From]:
    """The source, seen through a server that may fail."""
    host, port = str(urlsplit(source.url).hostname), int(urlsplit(source.url).port or 0)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            fate = before(self)
            if fate == "fail":
                self.send_response(503)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            there = HTTPConnection(host, port)
            there.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                there.putheader(name, value)
            there.endheaders()
            answer = there.getresponse()
            content = answer.read()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection"):
                    self.send_header(name, value)
            if answer.getheader("content-length") is None:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if fate == "cut" else content)
            if fate == "cut":
                self.close_connection = True
            there.close()

        do_HEAD = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield From(f"http://127.0.0.1:{server.server_port}", source.bucket)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_source_that_fails_now_and_then_is_asked_again(facet: NewSource, target: Origin) -> None:
    source, bucket = facet(), f"t-{uuid4().hex[:12]}"
    contents = {f"k{number}": os.urandom(300_000) for number in range(6)}
    for key, content in contents.items():
        source.s3.put_object(Bucket=source.bucket, Key=key, Body=content)
    asked: list[str] = []

    def before(handler: BaseHTTPRequestHandler) -> str:
        asked.append(handler.path)
        if handler.headers.get("Range"):
            return "cut" if len(asked) % 2 else ""
        return "fail" if len(asked) % 4 == 0 else ""

    with between(source, before) as shaky:
        done = migrate(target.data, shaky, bucket, "--at-once", "2", "--verify")
    assert (done["copied"], done["verified"], done["failed"]) == (6, 6, 0)
    for key, content in contents.items():
        assert body(client(target.url), bucket, key) == content


def test_an_object_that_changes_while_it_is_read_arrives_as_it_is_then(facet: NewSource, target: Origin) -> None:
    source, bucket = facet(), f"t-{uuid4().hex[:12]}"
    source.s3.put_object(Bucket=source.bucket, Key="k", Body=bytes(400_000))
    new = os.urandom(500_000)
    changed: list[bool] = []

    def before(handler: BaseHTTPRequestHandler) -> str:
        if handler.headers.get("Range") and not changed:
            changed.append(True)
            source.s3.put_object(Bucket=source.bucket, Key="k", Body=new)
        return ""

    with between(source, before) as busy:
        done = migrate(target.data, busy, bucket)
    assert (changed, done["copied"], done["failed"]) == ([True], 1, 0)
    assert body(client(target.url), bucket, "k") == new


def test_a_migration_that_was_killed_goes_on_where_it_was(facet: NewSource, tmp_path: Path) -> None:
    source, data, bucket = facet(), tmp_path / "data", "resumed"
    parts = [os.urandom(MIB) for _ in range(6)]
    etag = upload(source.s3, source.bucket, "big", parts)
    for number in range(5):
        source.s3.put_object(Bucket=source.bucket, Key=f"k{number}", Body=os.urandom(100_000))
    read: list[str] = []

    def before(handler: BaseHTTPRequestHandler) -> str:
        if handler.headers.get("Range"):
            read.append(f"{handler.path.partition('?')[0]} {handler.headers['Range']}")
        return ""

    with between(source, before) as counted:
        for most in (2, 5, 8):
            process = subprocess.Popen(
                arguments(counted, bucket, "--at-once", "1", "--rate", "1MiB"),
                env=environment(data), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            until = time.monotonic() + 60
            while len(read) < most and process.poll() is None and time.monotonic() < until:
                time.sleep(0.02)
            process.kill()
            process.wait()
        done = migrate(data, counted, bucket, "--verify")
    assert (done["failed"], done["verified"]) == (0, 6)
    assert len(read) <= 11 + 3, "only what was cut short is read twice"
    again = migrate(data, source, bucket)
    assert (again["copied"], again["unchanged"]) == (0, 6)
    (found,) = [one for one in source.s3.list_objects_v2(Bucket=source.bucket)["Contents"] if one["Key"] == "big"]
    assert found["ETag"] == etag
