"""PUT, GET and LIST at the S3 endpoint by size, encrypted and not, beside moto's server and others by name."""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from bench.cells import OURS, Cell, absent, compare
from bench.context import Contender, Context, Section, loaded
from bench.load import apart, family, on_cores
from bench.origins import BUCKET, KEY, SECRET, origin, script
from bench.peers import free_port, started
from conf.errors import StartError

SIZES = {"4 KB": 4_000, "100 KB": 100_000, "10 MB": 10_000_000}
KEYS = 200
FEW = 4
"""Connections for what takes long."""
LISTED = 1000
MOTO = "moto server"
CUSTOMER_KEY = b"a-key-of-a-customer-of-32-bytes."

METHOD = (
    "Presigned requests over 32 connections (10 MB and LIST: 4), servers on one core, wrk on the others. Facet "
    "syncs every write to the disk before it answers and seals every blob; *customer-encrypted* sends a key of "
    "its own with each request (SSE-C), which forbids joining equal bodies. Facet has no way to store in the "
    "clear, so the comparison *encrypted and not* is with a peer that stores plain bytes: moto keeps them in "
    "memory and syncs nothing. PUT overwrites 200 keys with one body, which Facet joins (it still reads, hashes "
    "and seals it). LIST gives 1,000 keys a page."
)


@dataclass(frozen=True)
class Endpoint:
    """An S3 server; pids are empty where it is not ours."""

    name: str
    url: str
    keys: tuple[str, str]
    pids: tuple[int, ...]
    headers: tuple[tuple[str, str], ...] = ()

    def s3(self) -> Any:
        """A boto3 client that signs as all S3 services understand."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=self.keys[0],
            aws_secret_access_key=self.keys[1],
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
        )

    def contender(
        self, folder: Path, verb: str, targets: Sequence[str], body: bytes = b"", connections: int = 32
    ) -> Contender:
        """What wrk needs to send these."""
        file = script(folder, f"{self.name.replace(' ', '-').replace(',', '')}-{verb}", self.url, verb, targets, body)
        lines = tuple(f"{name}: {value}" for name, value in self.headers)
        return Contender(self.name, self.url, self.pids, lines, file, connections)

    def targets(self, operation: str, keys: Sequence[str]) -> list[str]:
        """Presigned targets."""
        s3, parts = self.s3(), urlsplit(self.url)
        more = customer_key() if self.headers else {}
        before = f"{parts.scheme}://{parts.netloc}"
        return [
            s3.generate_presigned_url(operation, Params={"Bucket": BUCKET, "Key": key, **more}).removeprefix(before)
            for key in keys
        ]

    def listing(self) -> list[str]:
        """The target of a page of LISTED keys."""
        parts = urlsplit(self.url)
        url = self.s3().generate_presigned_url("list_objects_v2", Params={"Bucket": BUCKET, "Prefix": "l/"})
        return [str(url).removeprefix(f"{parts.scheme}://{parts.netloc}")]


def customer_key() -> dict[str, Any]:
    """The parameters of a customer's key."""
    return {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": CUSTOMER_KEY}


_SSE_C = "x-amz-server-side-encryption-customer"
CUSTOMER_HEADERS = (
    (f"{_SSE_C}-algorithm", "AES256"),
    (f"{_SSE_C}-key", base64.b64encode(CUSTOMER_KEY).decode()),
    (f"{_SSE_C}-key-md5", base64.b64encode(hashlib.md5(CUSTOMER_KEY, usedforsecurity=False).digest()).decode()),
)


@contextmanager
def moto() -> Iterator[Endpoint]:
    """moto's server, from PyPI. Raises StartError where it is not installed."""
    port = free_port()
    with started([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], port) as pid:
        one = Endpoint(MOTO, f"http://127.0.0.1:{port}", ("any", "any"), tuple(family(pid)))
        one.s3().create_bucket(Bucket=BUCKET)
        yield one


def run(context: Context) -> list[Cell]:
    """All sizes and verbs."""
    cells: list[Cell] = []
    server, load = apart()
    missing: dict[str, str] = {}
    with ExitStack() as stack:
        with on_cores(server):
            facet = stack.enter_context(
                origin(context.room("facet") / "origin", {"FACET_ENCRYPTION_SSE_C_OVER_HTTP": "true"})
            )
            plain = Endpoint(OURS, facet.url, (KEY, SECRET), tuple(family(facet.pid)))
            endpoints = [plain]
            try:
                endpoints.append(stack.enter_context(moto()))
            except StartError as error:
                missing[MOTO] = str(error)
        for peer in context.peers:
            if not peer.is_template:
                one = Endpoint(peer.name, peer.url, peer.keys, ())
                try:
                    one.s3().create_bucket(Bucket=BUCKET)
                except Exception as error:
                    missing[peer.name] = f"it refused a new bucket: {error}"
                    continue
                endpoints.append(one)
        sealed = Endpoint("facet, customer-encrypted", plain.url, plain.keys, plain.pids, CUSTOMER_HEADERS)
        stack.enter_context(on_cores(load))
        for size in SIZES:
            cells += _sized(context, size, [*endpoints[:1], sealed, *endpoints[1:]])
        for one in endpoints:
            s3 = one.s3()
            for number in range(LISTED):
                s3.put_object(Bucket=BUCKET, Key=f"l/{number:05}", Body=b"x")
        folder = context.room("list")
        name = f"LIST of {LISTED:,} keys"
        cells += compare(
            name,
            loaded(context, name, [one.contender(folder, "GET", one.listing(), connections=FEW) for one in endpoints]),
        )
        cells += [absent(name, peer, reason) for peer, reason in missing.items()]
    return cells


def _sized(context: Context, size: str, endpoints: Sequence[Endpoint]) -> list[Cell]:
    """PUT, then GET of what was put."""
    connections = FEW if SIZES[size] > 10**6 else 32
    folder, cells = context.room(f"s3-{size.replace(' ', '-')}"), []
    body = os.urandom(SIZES[size])
    for verb, operation in (("PUT", "put_object"), ("GET", "get_object")):
        contenders = []
        for one in endpoints:
            keys = [
                f"{size}/{'c' if one.headers else 'p'}/{number}" for number in range(min(KEYS, 4 * 10**8 // len(body)))
            ]
            contenders.append(
                one.contender(folder, verb, one.targets(operation, keys), body if verb == "PUT" else b"", connections)
            )
        if verb == "GET":
            for one in endpoints:
                _fill(one, size, body)
        cells += compare(f"{verb}, {size}", loaded(context, f"{verb}, {size}", contenders))
    return cells


def _fill(one: Endpoint, size: str, body: bytes) -> None:
    """Every key is there, however short the load of PUTs was."""
    s3, more = one.s3(), customer_key() if one.headers else {}
    for number in range(min(KEYS, 4 * 10**8 // len(body))):
        s3.put_object(Bucket=BUCKET, Key=f"{size}/{'c' if one.headers else 'p'}/{number}", Body=body, **more)


SECTION = Section("s3", "The S3 endpoint", METHOD, run)
