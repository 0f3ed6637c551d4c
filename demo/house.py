"""Facet for the length of the demo: `facet up` in a scratch folder, ended cleanly whatever happens."""

from __future__ import annotations

import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_START = 60.0  # seconds until it must be ready
_STOP = 30.0  # seconds until it must have stopped
_PORTS = {"origin": 9000, "edge": 8080, "admin": 8081}


class HouseError(Exception):
    """Facet did not start; the message is for the person who ran the demo."""


@dataclass(frozen=True)
class House:
    """A running Facet: its addresses and the root key."""

    origin: str
    edge: str
    admin: str
    access_key: str
    secret_key: str


@contextmanager
def running(data: Path | None, say: Callable[[str], None]) -> Iterator[House]:
    """Run `facet up` on its defaults, in `data` (kept) or in a scratch folder (removed at the end).

    say: is told, in one line each, where the defaults could not be used. Raises HouseError.
    """
    scratch = Path(tempfile.mkdtemp(prefix="facet-demo-"))
    folder = data or scratch / "data"
    log = scratch / "facet.log"
    command = [sys.executable, "-m", "facet", "up", "--data", str(folder)]
    for name, port in _PORTS.items():
        if _taken(port):
            say(f"Port {port} is in use: the {name} gets a free one.")
            command += [f"--{name}", "127.0.0.1:0"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FACET_")}
    process: subprocess.Popen[bytes] | None = None
    try:
        with log.open("wb") as stderr:
            # A session of its own: Ctrl-C reaches the demo alone, which then stops Facet in order.
            process = subprocess.Popen(  # noqa: S603 - our own program
                command, env=environment, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True
            )
        ready = _ready_line(process, log)
        key = json.loads((folder / "root-key.json").read_text(encoding="utf-8"))
        yield House(ready["origin"], ready["edge"], ready["admin"], key["access_key"], key["secret_key"])
    finally:
        if process is not None:
            _stop(process)
        shutil.rmtree(scratch, ignore_errors=True)


def _taken(port: int) -> bool:
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _ready_line(process: subprocess.Popen[bytes], log: Path) -> dict[str, str]:
    assert process.stdout is not None
    waiting, _, _ = select.select([process.stdout], [], [], _START)
    line = process.stdout.readline() if waiting else b""
    if not line:
        last = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])
        raise HouseError(f"facet up did not become ready. Its last words:\n{last}")
    ready: dict[str, str] = json.loads(line)
    return ready


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
