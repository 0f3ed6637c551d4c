"""The real nginx in a folder of its own, a peer that writes down every byte it gets, and a client that adds none."""

from __future__ import annotations

import contextlib
import getpass
import re
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conf.schema import Settings
from edge.nginx import configuration
from tests.pki import Pki, make_pki
from tests.programs import need

MEDIA, ASSETS, PLAIN, S3, DOMAIN = (
    "media.example.test",
    "assets.example.test",
    "cdn.example.test",
    "s3.example.test",
    "buckets.example.test",
)
NAMES = [MEDIA, ASSETS, PLAIN, S3, DOMAIN, f"*.{DOMAIN}", "localhost"]
SECRET = "a-purge-secret"


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def settings_for(folder: Path, pki: Pki, *, edge: str, origin: str, **nginx: Any) -> Settings:
    """Settings with a site of every kind, all names of NAMES, and everything nginx writes inside `folder`."""
    for name in ("logs", "state", "acme"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return Settings.model_validate(
        {
            "origin": {"listen": origin, "domains": [DOMAIN]},
            "edge": {"listen": edge},
            "sites": [
                {"name": "media", "host": MEDIA, "bucket": "media", "purge_secret": SECRET},
                {"name": "assets", "host": ASSETS, "kind": "assets", "upstream": "http://127.0.0.1:9"},
            ],
            "nginx": {
                "s3_host": S3,
                "media_hosts": [PLAIN],
                "listen": ["127.0.0.1"],
                "http": free_port(),
                "https": free_port(),
                "certificate": pki.certificate,
                "certificate_key": pki.key,
                "user": getpass.getuser(),
                "logs": folder / "logs",
                "state": folder / "state",
                "acme": folder / "acme",
                "pid": folder / "nginx.pid",
                **nginx,
            },
        }
    )


@dataclass(frozen=True)
class Front:
    """A running nginx: its settings, the authority its certificate is from, and its folder."""

    settings: Settings
    authority: Path
    folder: Path

    @property
    def https(self) -> int:
        return self.settings.nginx.https

    def send(self, request: bytes, *, host: str = MEDIA, tls: bool = True, until: bytes | None = None) -> bytes:
        """Send exactly these bytes and return everything that is answered until nginx closes (or `until` is seen)."""
        with self.connect(host, tls=tls) as stream:
            stream.sendall(request)
            return receive(stream, until)

    def connect(self, host: str, *, tls: bool = True) -> socket.socket:
        """A connection with `host` in its handshake; the certificate is checked against it."""
        port = self.settings.nginx.https if tls else self.settings.nginx.http
        stream = socket.create_connection(("127.0.0.1", port), timeout=20)
        if not tls:
            return stream
        return ssl.create_default_context(cafile=str(self.authority)).wrap_socket(stream, server_hostname=host)

    def curl(self, url: str, *options: str) -> tuple[int, dict[str, str], bytes]:
        """Ask with curl over HTTP/2, resolving every name to this nginx: status, fields (lower case), body."""
        head = self.folder / "head"
        body = self.folder / "body"
        for file in (head, body):
            file.unlink(missing_ok=True)
        host = url.split("/")[2].split(":")[0]
        command = [need("curl"), "--http2", "--silent", "--show-error", "--globoff", "--path-as-is", "--max-time", "60"]
        command += ["--cacert", str(self.authority), "--resolve", f"{host}:{self.https}:127.0.0.1"]
        command += ["--dump-header", str(head), "--output", str(body), *options, url]
        subprocess.run(command, check=True, timeout=90)
        status, *lines = head.read_bytes().decode().strip().split("\r\n\r\n")[-1].split("\r\n")
        assert status.startswith("HTTP/2 ")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return int(status.split()[1]), fields, body.read_bytes() if body.exists() else b""


def receive(stream: socket.socket, until: bytes | None = None) -> bytes:
    """What arrives until the peer closes, or until `until` has been seen."""
    received = b""
    while until is None or until not in received:
        try:
            piece = stream.recv(65536)
        except (ConnectionResetError, ssl.SSLError):
            break
        if not piece:
            break
        received += piece
    return received


@contextlib.contextmanager
def nginx(settings: Settings, pki: Pki, folder: Path) -> Iterator[Front]:
    """Run the real nginx on the configuration that `facet nginx` makes of `settings`."""
    file = folder / "nginx.conf"
    file.write_text(configuration(settings), encoding="utf-8")
    command = [need("nginx"), "-p", str(folder), "-e", str(folder / "start.log"), "-c", str(file)]
    check = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stderr
    process = subprocess.Popen([*command, "-g", "daemon off;"], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", settings.nginx.https), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, (folder / "start.log").read_text()
                assert time.monotonic() < deadline
        yield Front(settings, pki.authority, folder)
    finally:
        process.terminate()
        process.wait(20)


@dataclass
class Peer:
    """An upstream that records each request as raw bytes and answers with what `answer` holds."""

    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\nok"
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)
    address: str = ""

    @contextlib.contextmanager
    def running(self) -> Iterator[Peer]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.address = f"127.0.0.1:{listener.getsockname()[1]}"
            thread = threading.Thread(target=self._accept, args=(listener,), daemon=True)
            thread.start()
            yield self
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)

    def target(self) -> bytes:
        """The request target of the last request, byte for byte."""
        return self.heads[-1].split(b"\r\n")[0].split(b" ")[1]

    def fields(self) -> dict[bytes, bytes]:
        """The fields of the last request, names in lower case."""
        lines = self.heads[-1].rstrip(b"\r\n").split(b"\r\n")[1:]
        return {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                stream, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, stream: socket.socket) -> None:
        with stream, contextlib.suppress(OSError):
            rest = b""
            while True:
                while b"\r\n\r\n" not in rest:
                    piece = stream.recv(65536)
                    if not piece:
                        return
                    rest += piece
                head, _, rest = rest.partition(b"\r\n\r\n")
                with self.arrived:
                    self.heads.append(head + b"\r\n\r\n")
                    self.arrived.notify_all()
                rest = self._body(stream, head, rest)
                stream.sendall(self.answer)

    def _body(self, stream: socket.socket, head: bytes, rest: bytes) -> bytes:
        """Read the body of a request, its framing kept if it is chunked; return what came after it."""
        if re.search(rb"(?i)\r\ntransfer-encoding: *chunked", head):
            while b"0\r\n\r\n" not in rest:
                rest += stream.recv(65536) or b"0\r\n\r\n"
            body, _, rest = rest.partition(b"0\r\n\r\n")
            body += b"0\r\n\r\n"
        else:
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            size = int(length[1]) if length else 0
            while len(rest) < size:
                rest += stream.recv(65536)
            body, rest = rest[:size], rest[size:]
        with self.arrived:
            self.bodies.append(body)
            self.arrived.notify_all()
        return rest


@contextlib.contextmanager
def fronted(folder: Path, **nginx_settings: Any) -> Iterator[tuple[Front, Peer, Peer]]:
    """nginx in front of two recording peers: (front, edge, origin)."""
    pki = make_pki(folder / "pki", NAMES)
    with Peer().running() as edge, Peer().running() as origin:
        settings = settings_for(folder, pki, edge=edge.address, origin=origin.address, **nginx_settings)
        with nginx(settings, pki, folder) as front:
            yield front, edge, origin
