"""Origins to be measured, and requests for them that wrk can send: signed in their URLs, with bodies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from conf.errors import StartError

KEY, SECRET, BUCKET = "BENCHKEY", "a-secret-for-benchmarks", "bench"

_SCRIPT = """
local targets, at = {{}}, 0
for line in io.lines("{targets}") do targets[#targets + 1] = line end
local file = io.open("{body}", "rb")
wrk.body = file:read("*a")
if #wrk.body == 0 then wrk.body = nil end
wrk.method = "{method}"
wrk.headers["Host"] = "{host}"
request = function()
    at = at % #targets + 1
    return wrk.format(nil, targets[at])
end
"""


@dataclass(frozen=True)
class Origin:
    """A running origin with one bucket."""

    url: str
    pid: int
    folder: Path

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        assert parts.port is not None
        return parts.hostname, parts.port

    def s3(self) -> Any:
        """A boto3 client."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )

    def target(self, operation: str, *, bucket: str = BUCKET, **parameters: str) -> str:
        """A presigned request's target, such as `/bench/key?X-Amz-…`."""
        return self._presigned(self.s3(), operation, {"Bucket": bucket, **parameters})

    def targets(self, operation: str, keys: Sequence[str], *, bucket: str = BUCKET) -> list[str]:
        """Presigned targets of one operation on many keys."""
        s3 = self.s3()
        return [self._presigned(s3, operation, {"Bucket": bucket, "Key": key}) for key in keys]

    def _presigned(self, s3: Any, operation: str, parameters: dict[str, str]) -> str:
        url = s3.generate_presigned_url(operation, Params=parameters, ExpiresIn=86_400)
        return str(url).removeprefix(self.url)


@contextmanager
def origin(folder: Path, variables: Mapping[str, str] | None = None, **settings: str) -> Iterator[Origin]:
    """`facet origin serve` on `folder`; settings are FACET_ORIGIN_… variables, `variables` any. Raises StartError."""
    folder.mkdir(parents=True, exist_ok=True)
    receive, send = os.pipe()
    log = folder / "log"
    environment = {
        "PATH": "/usr/bin:/bin",
        "FACET_LOG_ACCESS": "false",
        "FACET_ROOT_ACCESS_KEY": KEY,
        "FACET_ROOT_SECRET_KEY": SECRET,
        "FACET_READY_FD": str(send),
        "FACET_ORIGIN_LISTEN": "127.0.0.1:0",
        **{f"FACET_ORIGIN_{name.upper()}": value for name, value in settings.items()},
        **(variables or {}),
    }
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "facet", "origin", "serve", "--data", str(folder / "data")],
            env=environment, pass_fds=[send], stdout=stderr, stderr=stderr,
        )  # fmt: skip
    os.close(send)
    try:
        with os.fdopen(receive) as ready:
            line = ready.readline()
        if not line:
            raise StartError(f"the origin did not start: {log.read_text()[-500:]}")
        one = Origin(json.loads(line)["url"], process.pid, folder)
        s3 = one.s3()
        if BUCKET not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
            s3.create_bucket(Bucket=BUCKET)
        yield one
    finally:
        process.terminate()
        process.wait()


def script(folder: Path, name: str, url: str, method: str, targets: Sequence[str], body: bytes = b"") -> Path:
    """A wrk script that sends the targets in turn, each with the body."""
    files = {kind: folder / f"{name}.{kind}" for kind in ("lua", "targets", "body")}
    files["targets"].write_text("\n".join(targets))
    files["body"].write_bytes(body)
    text = _SCRIPT.format(targets=files["targets"], body=files["body"], method=method, host=urlsplit(url).netloc)
    files["lua"].write_text(text)
    return files["lua"]
