"""A real origin process, boto3 clients for it, and a raw socket for what no client sends."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPResponse
from pathlib import Path
from time import time
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config

from wire import sigv4

ACCESS, SECRET = "FACETROOTKEY", "a-secret-for-tests-only"
PATIENCE = 30.0


@dataclass
class Reply:
    """One HTTP answer, whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The code of an S3 error."""
        text = self.body.decode()
        return text.partition("<Code>")[2].partition("</Code>")[0]


@dataclass
class Origin:
    """A running origin."""

    url: str
    data: Path
    process: subprocess.Popen[bytes]
    address: tuple[str, int] = field(init=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        assert parts.port is not None
        self.address = (parts.hostname, parts.port)

    def s3(self, access: str = ACCESS, secret: str = SECRET, **options: Any) -> Any:
        """A boto3 client."""
        config = Config(
            signature_version="s3v4",
            retries={"total_max_attempts": 1},
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_supported",
        )
        return boto3.client(
            "s3",
            endpoint_url=options.pop("endpoint_url", self.url),
            region_name=options.pop("region_name", "us-east-1"),
            aws_access_key_id=access,
            aws_secret_access_key=secret,
            config=config.merge(options.pop("config", Config())),
            **options,
        )

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=PATIENCE)

    def ask(
        self,
        method: str,
        target: str,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        *,
        signed: bool = True,
        payload: str | None = None,
        length: bool = True,
    ) -> Reply:
        """Send one request whose target goes out exactly as given, and read the answer."""
        with self.connect() as connection:
            connection.sendall(
                self.head(method, target, headers, body, signed=signed, payload=payload, length=length) + body
            )
            return read(connection, method)

    def head(
        self,
        method: str,
        target: str,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        *,
        signed: bool = True,
        payload: str | None = None,
        length: bool = True,
        secret: str = SECRET,
        at: float | None = None,
    ) -> bytes:
        """The head of a request, signed."""
        lines = {"Host": f"{self.address[0]}:{self.address[1]}", **(headers or {})}
        path, _, query = target.partition("?")
        if signed:
            extra = sigv4.sign_headers(
                method,
                path,
                query,
                list(lines.items()),
                access_key=ACCESS,
                secret=secret,
                now=time() if at is None else at,
                payload=payload or sigv4.hashlib.sha256(body).hexdigest(),
            )
            lines.update(extra)
        if length and (body or method in ("PUT", "POST")):
            lines.setdefault("Content-Length", str(len(body)))
        text = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return (text + "\r\n").encode("utf-8", "surrogateescape")


def read(connection: socket.socket, method: str = "GET") -> Reply:
    """The next answer on a connection."""
    response = HTTPResponse(connection, method=method)
    response.begin()
    return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


@contextmanager
def running(data: Path, **settings: str) -> Iterator[Origin]:
    """A `facet origin serve` on a free port; settings are FACET_… variables without the prefix."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("FACET_")}
    env |= {"FACET_ROOT_ACCESS_KEY": ACCESS, "FACET_ROOT_SECRET_KEY": SECRET, "FACET_LOG_FORMAT": "json"}
    env |= {f"FACET_{name}": value for name, value in settings.items()}
    receive, send = os.pipe()
    log = data.parent / f"{data.name}.log"
    with log.open("ab") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "facet", "origin", "serve", "--data", str(data), "--listen", "127.0.0.1:0"],
            env=env | {"FACET_READY_FD": str(send)},
            pass_fds=[send],
            stderr=stderr,
        )
    os.close(send)
    try:
        with os.fdopen(receive) as ready:
            line = ready.readline()
        assert line, log.read_text()
        yield Origin(json.loads(line)["url"], data, process)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    """An origin with some names, KMS keys, and customers' keys over HTTP."""
    with running(
        tmp_path_factory.mktemp("origin") / "data",
        ORIGIN_HOSTS="files.example.test",
        ORIGIN_DOMAINS="s3.example.test",
        ORIGIN_BUCKET_HOSTS="media.example.test",
        WEBSITE_DOMAINS="s3-website.example.test",
        WEBSITE_HOSTS="www.example.test",
        ENCRYPTION_KMS_KEYS="my-key,other,b",
        ENCRYPTION_SSE_C_OVER_HTTP="true",
    ) as one:
        yield one


@pytest.fixture(scope="session")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    """An origin with a limit of 1 MiB a body and one second of patience."""
    with running(
        tmp_path_factory.mktemp("strict") / "data", ORIGIN_MAX_PUT="1 MiB", ORIGIN_BODY_TIMEOUT="1", ORIGIN_SYNC="false"
    ) as one:
        yield one


@pytest.fixture
def s3(origin: Origin) -> Any:
    """The root key's client."""
    return origin.s3()


@pytest.fixture
def bucket(s3: Any) -> str:
    """A new private bucket."""
    name = f"b-{uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    return name
