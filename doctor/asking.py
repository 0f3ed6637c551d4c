"""One HTTP question to a running part, as a client would ask it."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

SECONDS = 5.0
_MOST = 64 * 1024


@dataclass(frozen=True)
class Answer:
    """Status, headers (names in lower case; the last of a repeated one) and the beginning of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(url: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer | None:
    """The answer, or None where nobody gives one within five seconds."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(parts.hostname or "", parts.port, timeout=SECONDS)
        try:
            connection.putrequest(
                method, parts.path or "/", skip_host="host" in (headers or {}), skip_accept_encoding=True
            )
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return Answer(
                answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read(_MOST)
            )
        finally:
            connection.close()
    except (OSError, http.client.HTTPException):
        return None


def url_of(address: str) -> str | None:
    """http://HOST:PORT of an address that something listens on; None for port 0, which only the ready line tells."""
    host, _, port = address.rpartition(":")
    if port == "0":
        return None
    host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104 - recognised, not bound
    return f"http://{host}:{port}"
