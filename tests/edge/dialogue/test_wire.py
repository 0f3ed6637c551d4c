"""The edge on the wire: paths untouched, heads bounded, nothing smuggled."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from tests.edge.dialogue import client
from tests.edge.dialogue.stage import Stage, stage


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    settings = {"edge": {"head_deadline": 0.5, "max_url": 2048, "max_headers": 8192}}
    with stage(tmp_path_factory.mktemp("edge"), settings) as playing:
        yield playing


@pytest.mark.parametrize(
    "path",
    [
        "/media/a//b.txt",
        "/media//leading.txt",
        "/media/a%2Fb.txt",
        "/media/a%20b+c.txt",
        "/media/caf%C3%A9.txt",
        "/media/caf%c3%a9-lower.txt",
        "/media/%41.txt",
        "/media/a;b=c,d.txt",
        "/media/a'b(c)!$&*@:.txt",
        "/media/%3Fa%23.txt",
        "/media/trailing/",
        "/media/a%25b.txt",
    ],
)
def test_a_path_reaches_the_origin_as_it_was_sent(edge: Stage, path: str) -> None:
    edge.origin.on(path, b"here", "text/plain", etag='"here"')
    assert edge.get(path).body == b"here"
    again = edge.get(path)
    assert (again.body, again.hit) == (b"here", True)
    assert edge.origin.count(path) == 1


def test_raw_utf8_means_its_escapes(edge: Stage) -> None:
    edge.origin.on("/media/na%C3%AFve.txt", b"raw", "text/plain", etag='"raw"')
    assert edge.get("/media/naïve.txt").body == b"raw"
    assert edge.get("/media/na%C3%AFve.txt").hit


@pytest.mark.parametrize(
    "path",
    [
        "/media/../x",
        "/media/%2e%2e/x",
        "/media/a/./b",
        "/media/a%2F..%2Fb",
        "/media/%zz",
        "/media/%00",
        "/",
        "/media",
        "/-/feed",
    ],
)
def test_what_cannot_be_an_object_is_404_and_asks_nobody(edge: Stage, path: str) -> None:
    before = len(edge.origin.asked)
    answer = edge.get(path)
    assert answer.status == 404
    assert answer.problem["detail"]
    assert len(edge.origin.asked) == before


def test_parameters_never_reach_a_bucket(edge: Stage) -> None:
    edge.origin.on("/media/plain.txt", b"plain", "text/plain", etag='"plain"')
    for query in ("?x=1", "?x=2&acl", "?t=1699", "?w=10", "?"):
        assert edge.get(f"/media/plain.txt{query}").body == b"plain"
    assert edge.origin.count("/media/plain.txt") == 1


def test_nothing_of_a_clients_own_reaches_the_origin_or_comes_back(edge: Stage) -> None:
    noise = {"x-amz-request-id": "1", "Set-Cookie": "a=b", "x-amz-id-2": "2", "Server": "Origin", "Via": "1.1 x"}
    edge.origin.on("/media/clean.txt", b"clean", "text/plain", etag='"clean"', headers=noise)
    fields = {"authorization": "Bearer x", "cookie": "a=b", "x_amz_date": "x", "x_forwarded_for": "1.2.3.4"}
    answer = edge.get("/media/clean.txt", **fields)
    asked = edge.origin.asked[-1].headers
    assert asked["authorization"].startswith("AWS4-HMAC-SHA256 Credential=EDGEKEY/")
    assert asked["cdn-loop"] == "facet"
    assert not asked.keys() & {"cookie", "accept", "x-forwarded-for", "x-amz-security-token"}
    names = {name.lower() for name, _ in answer.fields}
    assert not names & {"set-cookie", "x-amz-request-id", "x-amz-id-2", "x-facet-identity", "via"}
    assert answer["Server"] == "facet"
    assert edge.get("/media/clean.txt").hit


def test_an_absolute_target_is_its_host_and_path(edge: Stage) -> None:
    edge.origin.on("/media/absolute.txt", b"abs", "text/plain", etag='"abs"')
    assert edge.get("http://edge.test/media/absolute.txt").body == b"abs"


def test_a_head_that_does_not_come_is_not_waited_for(edge: Stage) -> None:
    with socket.create_connection(("127.0.0.1", edge.port), 10) as slow:
        slow.sendall(b"GET /media/x HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        started = time.monotonic()
        answer = client.read_answer(slow)
        assert answer.status == 408
        assert time.monotonic() - started < 5
    with socket.create_connection(("127.0.0.1", edge.port), 10) as silent:
        assert silent.recv(100) == b""


def test_a_head_that_trickles_is_not_waited_for(edge: Stage) -> None:
    with socket.create_connection(("127.0.0.1", edge.port), 10) as slow:
        slow.sendall(b"GET /media/x HTTP/1.1\r\n")
        slow.settimeout(0.05)
        deadline = time.monotonic() + 8
        received = b""
        while not received and time.monotonic() < deadline:
            try:
                slow.sendall(b"X: y\r\n")
                received = slow.recv(100)
            except TimeoutError:
                continue
            except OSError:
                break
        assert time.monotonic() < deadline


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"GET /media/" + b"a" * 3000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /media/x HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n\r\n", 431),
        (b"GET /media/x HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 500 + b"\r\n", 400),
        (b"GET /media/x HTTP/1.1\r\n\r\n", 400),
        (b"GET /media/x HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        (b"GET /media/x HTTP/1.1\r\nHost: x\r\nBad Name: y\r\n\r\n", 400),
        (b"GET /media/x HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"GET media/x HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /media/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET /media/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET /media/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n", 400),
    ],
)
def test_a_head_that_is_too_large_or_no_head_is_refused(edge: Stage, request_head: bytes, status: int) -> None:
    answer = client.say(edge.port, request_head)
    assert answer.status in {status, 400, 431}
    assert answer["Connection"].lower() == "close"


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /media/x HTTP/2.0", 505),
        (b"HEAD /media/x HTTP/2.0", 505),
        (b"GET /media/x HTTP/3.0", 505),
        (b"GET /media/x HTTP/0.9", 505),
        (b"PRI * HTTP/2.0", 505),
        (b"FOO /media/x HTTP/1.1", 501),
        (b"get /media/x HTTP/1.1", 501),
        (b"GETX /media/x HTTP/1.1", 501),
        (b"PLAY /media/x HTTP/1.1", 501),
        (b"F(O /media/x HTTP/1.1", 400),
        (b"nonsense", 400),
        (b"\x16\x03\x01\x02", 400),
        (b"GET http://[x]/media/x HTTP/1.1", 400),
        (b"GET http://a,b/media/x HTTP/1.1", 400),
    ],
)
def test_a_request_line_that_is_not_ours_is_refused_in_http11(edge: Stage, request_line: bytes, status: int) -> None:
    with client.connect(edge.port) as connection:
        connection.sendall(request_line + b"\r\nHost: edge.test\r\n\r\n")
        received = b""
        while more := connection.recv(65536):  # to its end: it is closed
            received += more
    assert received.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nConnection: close\r\n" in received
    assert (b"\r\nAllow: GET, HEAD, OPTIONS\r\n" in received) == (status == 501)


@pytest.mark.parametrize(
    "host", ["a b", "a/b", "media.test:abc", "media.test,other", "[::1", "::1", "a@b", "a%2", "a:1:2", "[::1]x"]
)
def test_a_host_that_is_none_is_refused_by_server_and_lane(edge: Stage, host: str) -> None:
    edge.origin.on("/media/hosted.txt", b"hosted", "text/plain", etag='"hosted"')
    head = f"GET /media/hosted.txt HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    for _ in range(4):  # the lane learns from the third hit on
        assert edge.get("/media/hosted.txt").body == b"hosted"
        answer = client.say(edge.port, head)
        assert (answer.status, answer["Connection"]) == (400, "close")


@pytest.mark.parametrize("host", ["", "media.test", "media.test:", "MEDIA_1.test:8080", "127.0.0.1:80", "[::1]:80"])
def test_a_host_that_is_one_is_answered(edge: Stage, host: str) -> None:
    edge.origin.on("/media/hosts.txt", b"hosts", "text/plain", etag='"hosts"')
    assert edge.get("/media/hosts.txt", host=host).body == b"hosts"


def test_what_follows_a_request_with_a_body_is_not_a_request(edge: Stage) -> None:
    smuggled = b"GET /media/smuggled.txt HTTP/1.1\r\nHost: x\r\n\r\n"
    head = b"GET /media/x.txt HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(smuggled)
    with socket.create_connection(("127.0.0.1", edge.port), 10) as connection:
        connection.sendall(head + smuggled)
        assert client.read_answer(connection).status == 404
        assert connection.recv(1000) == b""
    assert not edge.origin.count("/media/smuggled.txt")


def test_pipelined_requests_are_answered_in_order(edge: Stage) -> None:
    for name in ("one", "two", "three"):
        edge.origin.on(f"/media/{name}.txt", name.encode(), "text/plain", etag=f'"{name}"')
    heads = b"".join(b"GET /media/%b.txt HTTP/1.1\r\nHost: x\r\n\r\n" % name for name in (b"one", b"two", b"three"))
    with socket.create_connection(("127.0.0.1", edge.port), 10) as connection:
        connection.sendall(heads.removesuffix(b"\r\n") + b"Connection: close\r\n\r\n")
        received = b""
        while more := connection.recv(65536):
            received += more
    assert [received.find(b"\r\n\r\n" + name) > 0 for name in (b"one", b"two", b"three")] == [True] * 3
    assert received.index(b"\r\n\r\none") < received.index(b"\r\n\r\ntwo") < received.index(b"\r\n\r\nthree")


def test_the_log_holds_no_secrets(edge: Stage) -> None:
    edge.get("/media/logged.txt?X-Amz-Signature=abcdef0123456789&w=10")
    assert "abcdef0123456789" not in edge.log.read_text()
