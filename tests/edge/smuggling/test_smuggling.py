"""Requests made to look like two, or like one that is another's: never two answers for one, never a poisoned entry.

The rule of this file: each request of the corpus carries a second one, for a path of its own, where a careless parser
would find it; what decides is whether that path was ever asked for behind the edge, and what the next client gets.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.edge.dialogue import client
from tests.edge.dialogue.stage import Stage, stage
from tests.edge.rfc9111.script import Upstream, line

HOSTS = ("edge.test", "assets.test", "passing.test")
BODY = b"what the upstream says"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
_numbers = itertools.count()


@dataclass(frozen=True)
class House:
    """An edge with a site of each kind that may be asked."""

    stage: Stage
    upstream: Upstream

    def path(self, name: str) -> str:
        """A path of that name that every site answers."""
        path = f"/media/{name}-{next(_numbers)}.txt"
        self.stage.origin.on(path, BODY, "text/plain", etag='"one"')
        return self.upstream.script(path, line(200, BODY, cache_control="max-age=600", content_type="text/plain"))

    def asked(self, path: str) -> list[str]:
        """The methods with which a path was asked for behind the edge."""
        methods = [asked.method for asked in self.stage.origin.asked if asked.target == path]
        return methods + [heard.method for heard in self.upstream.heard[path]]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with ExitStack() as stack:
        upstream = Upstream()
        stack.callback(upstream.close)
        sites = [
            {"name": "passing", "host": "passing.test", "kind": "pass-through", "upstream": upstream.url},
            {"name": "assets", "host": "assets.test", "kind": "assets", "upstream": upstream.url},
        ]
        settings = {"sites": sites, "edge": {"head_deadline": 1}}
        yield House(stack.enter_context(stage(tmp_path_factory.mktemp("edge"), settings)), upstream)


def hidden(path: str, host: str) -> bytes:
    """The request that must never be found."""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Hidden: yes\r\n\r\n".encode()


def framed(fields: bytes, body: bytes) -> bytes:
    """A request's end: its framing fields, the blank line, what follows."""
    return fields + b"\r\n" + body


def corpus(second: bytes) -> dict[str, bytes]:
    """What follows `Host` in requests that carry a second one."""
    size = b"Content-Length: %d\r\n" % len(second)
    chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(second), second)
    short = b"0\r\n\r\n" + second
    both = b"Content-Length: %d\r\n" % len(short)
    return {
        "CL.TE": framed(both + CHUNKED, short),
        "TE.CL": framed(CHUNKED + b"Content-Length: 4\r\n", chunk),
        "a body on GET": framed(size, second),
        "a chunked body on GET": framed(CHUNKED, chunk),
        "two lengths": framed(b"Content-Length: 0\r\n" + size, second),
        "two lengths in one line": framed(b"Content-Length: 0, %d\r\n" % len(second), second),
        "two equal lengths in one line": framed(b"Content-Length: %d, %d\r\n" % ((len(second),) * 2), second),
        "a signed length": framed(b"Content-Length: +%d\r\n" % len(second), second),
        "a negative length": framed(b"Content-Length: -1\r\n", second),
        "a length in hex": framed(b"Content-Length: 0x%x\r\n" % len(second), second),
        "a length with an underscore": framed(b"Content-Length: 1_0\r\n", second),
        "a length beyond 64 bits": framed(b"Content-Length: 18446744073709551616\r\n", second),
        "an empty length": framed(b"Content-Length:\r\n", second),
        "a length before a colon": framed(b"Content-Length : %d\r\n" % len(second), second),
        "TE.TE x": framed(b"Transfer-Encoding: xchunked\r\n" + both, short),
        "TE.TE space": framed(b"Transfer-Encoding : chunked\r\n" + both, short),
        "TE.TE tab": framed(b"Transfer-Encoding:\tchunked\r\n" + both, short),
        "TE.TE vertical tab": framed(b"Transfer-Encoding: \x0bchunked\r\n" + both, short),
        "TE.TE quotes": framed(b'Transfer-Encoding: "chunked"\r\n' + both, short),
        "TE.TE twice": framed(CHUNKED + b"Transfer-Encoding: identity\r\n" + both, short),
        "TE.TE twice chunked": framed(CHUNKED + CHUNKED, short),
        "TE.TE last is not chunked": framed(b"Transfer-Encoding: chunked, gzip\r\n" + both, short),
        "TE.TE in another field": framed(b"X: y\nTransfer-Encoding: chunked\r\n" + both, short),
        "TE.TE folded": framed(b"Transfer-Encoding:\r\n chunked\r\n" + both, short),
        "TE.TE NUL": framed(b"Transfer-Encoding: chunked\0\r\n" + both, short),
        "a carriage return in a field": framed(b"X: y\rContent-Length: 0\r\n" + size, second),
        "NUL in a name": framed(b"X\0: y\r\n" + size, second),
        "NUL in a value": framed(b"X: \0\r\n" + size, second),
        "a folded field": framed(b"X: y\r\n " + size, second),
        "a folded first line": framed(b" X: y\r\n" + size, second),
        "chunk extensions": framed(CHUNKED, b"%x;a=b;c\r\n%b\r\n0\r\n\r\n" % (len(second), second)),
        "a chunk extension with a line feed": framed(CHUNKED, b"2;\nxx\r\n%x\r\n0\r\n\r\n%b" % (len(second), second)),
        "a chunk size with a prefix": framed(CHUNKED, b"0x%x\r\n%b\r\n0\r\n\r\n" % (len(second), second)),
        "a negative chunk size": framed(CHUNKED, b"-1\r\n" + second),
        "a chunk longer than it says": framed(CHUNKED, b"1\r\nxx" + short),
        "a chunk size beyond 64 bits": framed(CHUNKED, b"10000000000000000\r\n" + short),
        "bare line feeds in chunks": framed(CHUNKED, b"1\nx\n0\n\n" + second),
        "a trailer that is a request": framed(CHUNKED, b"0\r\n" + second),
        "an upgrade": framed(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" + size, second),
        "expectations": framed(b"Expect: 100-continue\r\n" + size, second),
        "HTTP/1.0's keep-alive": framed(b"Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n" + size, second),
        "a length that Connection names": framed(b"Connection: Content-Length\r\n" + size, second),
        "chunks that Connection names": framed(b"Connection: Transfer-Encoding\r\n" + CHUNKED, chunk),
    }


NAMES = tuple(corpus(b"x"))


def heard(port: int, request: bytes) -> bytes:
    """All that is said to a request until the connection ends; the client ends it when nothing more is said."""
    with client.connect(port) as connection:
        connection.settimeout(0.3)
        data = b""
        try:
            connection.sendall(request)
            while more := connection.recv(1 << 16):
                data += more
        except (TimeoutError, ConnectionError):
            pass
        return data


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("name", NAMES)
def test_what_a_request_carries_is_never_a_request(house: House, name: str, host: str) -> None:
    for method in ("GET", "POST"):
        first, second = house.path("first"), house.path("second")
        start = f"{method} {first} HTTP/1.1\r\nHost: {host}\r\n".encode()
        data = heard(house.stage.port, start + corpus(hidden(second, host))[name])
        assert not house.asked(second), (method, data)
        finals = data.count(b"HTTP/1.1 ") - data.count(b"HTTP/1.1 100 ")
        assert finals <= 1, (method, data)
        assert len(house.asked(first)) <= 1
        after = house.stage.get(first, host=host)
        assert (after.status, after.body) == (200, BODY), method


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    "given",
    [
        "GET {0} HTTP/1.1\nHost: {1}\n\n",
        "GET {0} HTTP/1.1\r\nHost: {1}\r\nHost: other.test\r\n\r\n",
        "GET {0} HTTP/1.1\r\nHost: {1}, other.test\r\n\r\n",
        "GET {0} HTTP/1.1\r\nHost : {1}\r\n\r\n",
        "GET {0} HTTP/1.1\r\n Host: {1}\r\n\r\n",
        "GET {0} HTTP/1.1\r\nHost: {1}\r\n other.test\r\n\r\n",
        "GET {0} HTTP/1.1\r\n\r\n",
        "GET {0}\rX HTTP/1.1\r\nHost: {1}\r\n\r\n",
        "GET {0}\x00 HTTP/1.1\r\nHost: {1}\r\n\r\n",
        "GET {0} x HTTP/1.1\r\nHost: {1}\r\n\r\n",
        "GET\t{0}\tHTTP/1.1\r\nHost: {1}\r\n\r\n",
        "GET {0} HTTP/1.1 \r\nHost: {1}\r\n\r\n",
        "GET {0} HTTP/01.1\r\nHost: {1}\r\n\r\n",
        "GET {0}\r\nHost: {1}\r\n\r\n",
        "GET ftp://{1}{0} HTTP/1.1\r\nHost: {1}\r\n\r\n",
        "GET {1}:80 HTTP/1.1\r\nHost: {1}\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: {1}\r\n\r\n",
    ],
)
def test_a_head_that_can_be_read_in_two_ways_is_refused(house: House, given: str, host: str) -> None:
    path = house.path("odd")
    data = heard(house.stage.port, given.format(path, host).encode())
    assert not house.asked(path), data
    assert not data or data.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")), data
    assert data.count(b"HTTP/1.1 ") <= 1


def test_an_absolute_target_is_the_host_and_the_field_is_not(house: House) -> None:
    path = house.path("absolute")
    for host, other in itertools.permutations(HOSTS, 2):
        request = f"GET http://{host}{path} HTTP/1.1\r\nHost: {other}\r\nConnection: close\r\n\r\n".encode()
        assert client.say(house.stage.port, request).body == BODY
    assert {heard.headers["host"] for heard in house.upstream.heard[path]} <= {
        house.upstream.url.removeprefix("http://")
    }


@pytest.mark.parametrize("host", HOSTS)
def test_pipelined_requests_with_bodies_are_as_many_as_were_meant(house: House, host: str) -> None:
    first, second, third = (house.path(name) for name in ("one", "two", "three"))
    body = hidden(second, host)
    request = f"GET {first} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    data = heard(house.stage.port, request + f"GET {third} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert not house.asked(second)
    assert data.count(b"HTTP/1.1 ") == 1 + len(house.asked(third))


def test_names_that_steer_frameworks_poison_nothing(house: House) -> None:
    fields = {
        "x_forwarded_host": "evil.test",
        "x_forwarded_scheme": "http",
        "x_original_url": "/media/evil",
        "x_rewrite_url": "/media/evil",
        "x_http_method_override": "DELETE",
        "forwarded": "host=evil.test",
    }
    for host in HOSTS:
        path = house.path("steered")
        for given in (fields, {}):
            answer = house.stage.get(path, host=host, **given)
            assert (answer.status, answer.body) == (200, BODY)
        assert house.asked(path) == ["GET"]
    said = [name for heard in house.upstream.heard.values() for one in heard for name in one.headers]
    assert "x-http-method-override" in said, "a pass-through site relays what it does not know"
