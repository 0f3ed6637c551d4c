"""Interim answers (RFC 9110 §15.2, RFC 8297): relayed on pass-through sites as they come, and nowhere else."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tests.edge.dialogue import client
from tests.edge.rfc9111.conftest import ASSETS, PASSING, House
from tests.edge.rfc9111.script import Line

Script = Callable[..., str]
HINT = (103, (("Link", "</a.css>; rel=preload"), ("X-Once", "1"), ("Connection", "x-hop"), ("X-Hop", "h")))
FRESH = (("Cache-Control", "max-age=3600"), ("X-Final", "1"))


def heads(house: House, path: str, *fields: str, host: str = PASSING, version: str = "1.1") -> list[bytes]:
    """Everything that is answered, cut at the empty lines."""
    lines = [f"GET {path} HTTP/{version}", f"Host: {host}", "Connection: close", *fields]
    with client.connect(house.stage.port) as connection:
        connection.sendall("\r\n".join((*lines, "", "")).encode())
        received = b""
        while more := connection.recv(65536):
            received += more
    return received.split(b"\r\n\r\n")


def test_interim_answers_are_relayed_before_the_final_one(house: House, script: Script) -> None:
    path = script(Line(200, FRESH, b"body", interim=((102, ()), HINT, HINT)))
    processing, early, again, final, body = heads(house, path)
    assert processing == b"HTTP/1.1 102 Processing"
    assert early == again == b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nX-Once: 1"
    assert final.startswith(b"HTTP/1.1 200")
    assert b"X-Once" not in final
    assert b"\r\nlink:" not in final.lower()
    assert body == b"body"
    stored, body = heads(house, path)
    assert (stored[:12], body, house.upstream.count(path)) == (b"HTTP/1.1 200", b"body", 1)


def test_a_hint_does_not_wait_for_the_answer(house: House, script: Script) -> None:
    gate = threading.Event()
    path = script(Line(200, FRESH, b"body", gate=gate, interim=(HINT,)))
    with client.connect(house.stage.port) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {PASSING}\r\n\r\n".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 103 ")
        gate.set()
        assert client.read_answer(connection).body == b"body"


@pytest.mark.parametrize(
    ("host", "version", "fields"),
    [(PASSING, "1.0", ()), (PASSING, "1.1", ("X-Facet-Interim: off",)), (ASSETS, "1.1", ())],
)
def test_who_cannot_take_them_gets_none(
    house: House, script: Script, host: str, version: str, fields: tuple[str, ...]
) -> None:
    path = script(Line(200, FRESH, b"body", interim=(HINT,)))
    final, body = heads(house, path, *fields, host=host, version=version)
    assert (final[9:12], body) == (b"200", b"body")
    assert "x-facet-interim" not in house.upstream.heard[path][0].headers


def test_nobody_is_told_for_ever(house: House, script: Script) -> None:
    path = script(Line(200, FRESH, b"body", interim=(HINT,) * 50))
    *interim, final, _ = heads(house, path)
    assert 1 <= len(interim) < 50
    assert final.startswith(b"HTTP/1.1 200")
