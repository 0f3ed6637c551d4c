"""What every client meets: one Facet, its S3 door over plain http and over TLS behind the generated nginx.

The rule of this file: a client gets an environment that holds nothing of ours but the key and the authority, so what
is tried is the program at its defaults.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.nginx.running import Front
from tests.running import ROOT_KEY, Running, environment

REGION = "us-east-1"


@dataclass(frozen=True)
class Key:
    """An access key of an application."""

    access: str
    secret: str


ROOT = Key(ROOT_KEY["FACET_ROOT_ACCESS_KEY"], ROOT_KEY["FACET_ROOT_SECRET_KEY"])


@dataclass(frozen=True)
class Door:
    """One way to the S3 of `facet`: its URL, and the authority to trust where it is https."""

    facet: Running
    url: str
    authority: Path | None

    @property
    def scheme(self) -> str:
        return self.url.partition(":")[0]

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return self.url.partition("//")[2]

    def bucket(self, name: str, key: Key = ROOT) -> str:
        """A fresh bucket of this door, made by `key` and so its owner's."""
        bucket = f"{name}-{self.scheme}"
        self.facet.s3(access=key.access, secret=key.secret).create_bucket(Bucket=bucket)
        return bucket

    def environment(self, home: Path, key: Key = ROOT) -> dict[str, str]:
        """The environment of a client program, with the key where AWS's tools look for it."""
        found = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "AWS_ACCESS_KEY_ID": key.access,
            "AWS_SECRET_ACCESS_KEY": key.secret,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "ENDPOINT": self.url,
        }
        if self.authority is not None:
            trusted = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE")
            found |= dict.fromkeys(trusted, str(self.authority))
        return found


def behind(facet: Running, front: Front) -> Door:
    """The door through nginx; the only name that resolves everywhere is localhost."""
    return Door(facet, f"https://localhost:{front.https}", front.authority)


def add_key(facet: Running, *options: str) -> Key:
    """A key made by `facet key add` while Facet runs."""
    command = [sys.executable, "-m", "facet", "key", "add", "--data", str(facet.data), *options]
    made = json.loads(run(command, environment()))
    return Key(made["access_key"], made["secret_key"])


def run(command: Sequence[str | Path], env: Mapping[str, str], cwd: Path | None = None, *, fails: bool = False) -> str:
    """Run a client to its end and give what it wrote (both streams); it must succeed, or fail where it should."""
    done = subprocess.run(
        [str(part) for part in command],
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if fails else subprocess.PIPE,
        text=True,
        timeout=240,
        check=False,
    )
    text = done.stdout + (done.stderr or "")
    assert (done.returncode != 0) == fails, f"{command[0]} ended with {done.returncode}:\n{text[-4000:]}"
    return done.stdout


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
