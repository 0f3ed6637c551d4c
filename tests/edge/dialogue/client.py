"""A scripted client: sends exactly the bytes it is told to, and says whether a reply came whole."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import Any

PATIENCE = 30.0


@dataclass(frozen=True)
class Answer:
    """A reply. `fields` has each line apart; `whole` is False where the connection broke before its end."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes
    whole: bool

    def __getitem__(self, name: str) -> str:
        """The value of a field that must be there exactly once."""
        (value,) = self.all(name)
        return value

    def all(self, name: str) -> list[str]:
        return [value for field, value in self.fields if field.lower() == name.lower()]

    def has(self, name: str) -> bool:
        return bool(self.all(name))

    @property
    def cache(self) -> set[str]:
        """The parameters of Cache-Status, such as {"hit", "ttl=299"}."""
        name, *parameters = self["Cache-Status"].split(";")
        assert name == "facet"
        return {parameter.strip() for parameter in parameters}

    @property
    def hit(self) -> bool:
        return "hit" in self.cache

    @property
    def problem(self) -> dict[str, Any]:
        assert self["Content-Type"] == "application/problem+json"
        said: dict[str, Any] = json.loads(self.body)
        assert said["status"] == self.status
        return said


def ask(port: int, target: str, *, method: str = "GET", host: str = "edge.test", **fields: str) -> Answer:
    """One request on a connection of its own. `if_none_match="…"` is If-None-Match."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return say(port, "\r\n".join((*lines, "", "")).encode("utf-8", "surrogateescape"), method)


def say(port: int, request: bytes, method: str = "GET") -> Answer:
    """Send raw bytes and read one reply."""
    with connect(port) as connection:
        connection.sendall(request)
        return read_answer(connection, method)


def connect(port: int) -> socket.socket:
    """A connection that is kept for several requests."""
    return socket.create_connection(("127.0.0.1", port), PATIENCE)


def read_answer(connection: socket.socket, method: str = "GET") -> Answer:
    """The next reply of a connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection) or _broken(data)
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    fields = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
    status = int(first.split(" ")[1])
    lower = {name.lower(): value for name, value in fields}
    whole = True
    if method == "HEAD" or status in (204, 304):
        pass
    elif lower.get("transfer-encoding") == "chunked":
        while not body.endswith(b"0\r\n\r\n"):
            if not (more := _more(connection)):
                whole = False
                break
            body += more
        body = _unchunked(body)
    else:
        length = int(lower["content-length"])
        while len(body) < length:
            if not (more := _more(connection)):
                whole = False
                break
            body += more
    return Answer(status, fields, body, whole)


def _more(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1 << 20)
    except ConnectionResetError:
        return b""


def _broken(data: bytes) -> bytes:
    raise ConnectionError(f"no reply, but {data!r}")


def _unchunked(data: bytes) -> bytes:
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        if not size or int(size, 16) == 0:
            break
        body, data = body + data[: int(size, 16)], data[int(size, 16) + 2 :]
    return body
