"""One corpus of requests, said to an edge with the lane and to one without: the answers are the same."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.edge.dialogue import client
from tests.edge.lane.conftest import LARGE, PICTURE
from tests.edge.lane.twins import Twin, Twins, head

UNDECIDED = 0.5  # seconds for a server that neither waits for more nor hangs up: it reads a body that will not come
_at_once = ThreadPoolExecutor(2)
Said = list[tuple[int, list[tuple[str, str]], bytes]]


def say(pair: Twins, twin: Twin, *segments: bytes, methods: tuple[str, ...] = ()) -> tuple[Said, bool]:
    """Everything a server says to segments that reach it one by one, and whether it then hangs up."""
    with client.connect(twin.port) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data, open_still = b"", True
        for segment in segments:
            try:
                connection.sendall(segment)
            except OSError:
                break
            more, open_still = _heard(pair, twin, connection)
            data += more
        return _answers(data, methods), not open_still


def _heard(pair: Twins, twin: Twin, connection: socket.socket) -> tuple[bytes, bool]:
    """What is said until the server waits for more, and whether more could follow."""
    data, peer = b"", connection.getsockname()
    undecided = time.monotonic() + UNDECIDED
    connection.settimeout(0.005)
    while True:
        over = time.monotonic() > undecided
        done = over or asyncio.run_coroutine_threadsafe(twin.has_said_all(peer), pair.loop).result(client.PATIENCE)
        try:
            while more := connection.recv(1 << 20):
                data += more
                undecided = time.monotonic() + UNDECIDED
            return data, False
        except TimeoutError:
            if done:
                return data, True
        except ConnectionResetError:
            return data, False


def _answers(data: bytes, methods: tuple[str, ...]) -> Said:
    """Replies apart, without what may differ by a second."""
    said: Said = []
    while data:
        top, blank, data = data.partition(b"\r\n\r\n")
        assert blank, top
        first, *lines = top.decode("utf-8", "surrogateescape").split("\r\n")
        status = int(first.split(" ")[1])
        fields = sorted((name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
        bare = status == 304 or methods[len(said) : len(said) + 1] == ("HEAD",)
        length = 0 if bare else int(dict(fields).get("content-length", "0"))
        body, data = data[:length], data[length:]
        fields = [(name, re.sub(r"ttl=\d+", "ttl", value)) for name, value in fields if name not in ("age", "date")]
        if status == 404:  # which of the two asked first shows
            fields = [line for line in fields if line[0] != "cache-status"]
        said.append((status, fields, body))
    return said


def same(pair: Twins, *segments: bytes, methods: tuple[str, ...] = ()) -> Said:
    """What both say, which is the same."""
    told, expected = _at_once.map(
        lambda twin: say(pair, twin, *segments, methods=methods), (pair.with_lane, pair.without)
    )
    assert told == expected
    return told[0]


def tag(pair: Twins) -> str:
    return pair.without.get(PICTURE)["ETag"]


PLAIN = head(PICTURE)
SECOND = head(PICTURE, accept="image/avif,image/webp,*/*")


def test_the_lane_does_answer_what_is_compared_here(pair: Twins) -> None:
    before = pair.answered
    with client.connect(pair.with_lane.port) as connection:
        for request, method, status in (
            (PLAIN, "GET", 200),
            (head(PICTURE, if_none_match=tag(pair)), "GET", 304),
            (head(LARGE), "GET", 200),
        ):
            connection.sendall(request)
            answer = client.read_answer(connection, method)
            assert (answer.status, answer.whole) == (status, True)
    assert pair.answered == before + 3


def test_a_head_request_gets_the_same_head_by_the_lane(pair: Twins) -> None:
    request = head(PICTURE, method="HEAD")
    before = pair.answered
    for _ in range(4):
        (answer,) = same(pair, request, methods=("HEAD",))
        assert answer[0] == 200
    assert pair.answered > before


@pytest.mark.parametrize(
    "lines",
    [
        ["If-None-Match: {tag}"],
        ["If-None-Match: W/{tag}"],
        ["If-None-Match: {tag}, {tag}"],
        ["If-None-Match: *"],
        ['If-None-Match: "other"'],
        ["If-None-Match: {tag}", "If-Modified-Since: Fri, 20 Nov 2026 12:00:00 GMT"],
        ["If-Modified-Since: Fri, 20 Nov 2099 12:00:00 GMT"],
        ["If-Match: {tag}"],
        ['If-Match: "other"'],
        ["If-Unmodified-Since: Fri, 20 Nov 1999 12:00:00 GMT"],
        ["Range: bytes=0-9"],
        ["Range: bytes=0-9", "If-Range: {tag}"],
        ["Range: bytes=99999999-"],
        ["range:bytes=0-9"],
        ["Cache-Control: no-cache", "Pragma: no-cache"],
        ["Cache-Control: only-if-cached"],
        ["Authorization: Bearer x", "Cookie: a=b; c=d"],
        ["CDN-Loop: facet"],
        ["CDN-Loop: other"],
        ["Via: 1.1 other"],
        ["X-Facet-Purge: wrong"],
        ["Connection: close"],
        ["Connection: keep-alive"],
        ["Connection: Keep-Alive, X-Y"],
        ["Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x"],
        ["Sec-WebSocket-Key1: x"],
        ["Upgrade: h2c"],
        ["Expect: 100-continue"],
        ["Content-Length: 0"],
        ["Content-Length: 5"],
        ["Content-Length: -1"],
        ["Content-Length: 0", "Content-Length: 0"],
        ["Transfer-Encoding: chunked"],
        ["Transfer-Encoding: identity"],
        ["TE: trailers"],
        ["Host: other.test"],
        ["User-Agent: a", "User-Agent: b"],
        ["X: a", "X: b"],
        ["X-Empty:"],
        ["X-Tab:\ta\tb\t"],
        ["X-Spaces:    a   "],
        ["X Space: a"],
        ["X-Space : a"],
        [" X-Fold: a"],
        ["X: a", " b"],
        [": a"],
        ["X"],
        ["X: \x00"],
        ["X: \x07"],
        ["X: \x7f"],
        ["X: é"],
        ["X: a\rb"],
        ["X: a\nY: b"],
        ["Accept: image/avif, image/webp"],
        ["Accept: image/webp;q=0"],
        ["Accept: image/webp", "Accept: image/avif"],
        ["aCCEPT:image/avif,image/webp,*/*"],
        [f"X-{number}: y" for number in range(60)],
        [f"X-{number}: y" for number in range(120)],
        ["X: " + "a" * 5000],
        ["X: " + "a" * 40_000],
    ],
    ids=lambda lines: lines[0][:30] if len(lines) < 10 else str(len(lines)),
)
def test_a_line_means_the_same_with_and_without_the_lane(pair: Twins, lines: list[str]) -> None:
    said = [line.replace("{tag}", tag(pair)) for line in lines]
    same(pair, head(PICTURE, *said), PLAIN)
    same(pair, PLAIN, head(PICTURE, *said))


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET /media/a.jpg?w=64 HTTP/1.0\r\nHost: edge.test\r\n\r\n",
        b"GET /media/a.jpg?w=64 HTTP/1.1\r\n\r\n",
        b"GET  /media/a.jpg?w=64 HTTP/1.1\r\nHost: edge.test\r\n\r\n",
        b"GET /media/a.jpg?w=64  HTTP/1.1\r\nHost: edge.test\r\n\r\n",
        b"get /media/a.jpg?w=64 HTTP/1.1\r\nHost: edge.test\r\n\r\n",
        b"GET /media/a.jpg?w=64 HTTP/1.1\nHost: edge.test\n\n",
        b"\r\nGET /media/a.jpg?w=64 HTTP/1.1\r\nHost: edge.test\r\n\r\n",
        b"GET http://edge.test/media/a.jpg?w=64 HTTP/1.1\r\nHost: other\r\n\r\n",
        b"GET /media/a.jpg?w=64#x HTTP/1.1\r\nHost: edge.test\r\n\r\n",
        b"GET /media/%61.jpg?w=64 HTTP/1.1\r\nHost: edge.test\r\n\r\n",
        b"GET /media/a.jpg?w=64 HTTP/1.1\r\nHost: EDGE.test:80\r\n\r\n",
        b"GET /media/a.jpg?w=64 HTTP/1.1\r\nHost: \r\n\r\n",
        b"GET /media/\xc3\xa9.jpg HTTP/1.1\r\nHost: edge.test\r\n\r\n",
        b"GET /media/a.jpg?w=bad HTTP/1.1\r\nHost: edge.test\r\n\r\n",
        b"OPTIONS /media/a.jpg HTTP/1.1\r\nHost: edge.test\r\n\r\n",
        b"POST /media/a.jpg HTTP/1.1\r\nHost: edge.test\r\nContent-Length: 3\r\n\r\nabc",
        b"PURGE /media/a.jpg HTTP/1.1\r\nHost: edge.test\r\n\r\n",
        b"CONNECT edge.test:80 HTTP/1.1\r\nHost: edge.test\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_a_request_line_means_the_same_with_and_without_the_lane(pair: Twins, request_head: bytes) -> None:
    same(pair, request_head)
    same(pair, PLAIN, request_head)
    same(pair, request_head, PLAIN)


@pytest.mark.parametrize(
    "smuggled",
    [
        b"GET /media/a.jpg?w=64 HTTP/1.1\r\nHost: edge.test\r\n\r\nGET /media/none HTTP/1.1\r\nX: ",
        b"GET /media/a.jpg?w=64 HTTP/1.1\r\nHost: edge.test\r\nContent-Length: 40\r\n\r\n",
        b"GET /media/a.jpg?w=64 HTTP/1.1\r\nHost: edge.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nGET /\r\n",
        b"GET /media/a.jpg?w=64 HTTP/1.1\r\nHost: edge.test\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"GET /media/a.jpg?w=64 HTTP/1.1\r\nHost: edge.test\r\nContent-Length: 0\r\nContent-Length: 9\r\n\r\n",
        b"GET /media/a.jpg?w=64 HTTP/1.1\r\nHost: edge.test\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"GET /media/a.jpg?w=64 HTTP/1.1\r\nHost: edge.test\r\nX: y",
        b"GET /media/a.jpg?w=64 HTTP/1.1\nX: y\n\nGET /media/none HTTP/1.1\r\nHost: edge.test\r\n\r\n",
    ],
)
def test_what_a_parser_may_still_hold_is_never_overlooked(pair: Twins, smuggled: bytes) -> None:
    for before in ((), (PLAIN,)):
        told, _ = say(pair, pair.with_lane, *before, smuggled)
        assert told == say(pair, pair.without, *before, smuggled)[0]
    with client.connect(pair.with_lane.port) as connection:  # and long after the part
        connection.sendall(smuggled)
        _heard(pair, pair.with_lane, connection)
        answered = pair.answered
        try:
            connection.sendall(PLAIN)
        except OSError:
            return
        _heard(pair, pair.with_lane, connection)
        assert pair.answered == answered


def test_requests_in_one_segment_or_in_many_are_the_same_requests(pair: Twins) -> None:
    several = PLAIN + SECOND + head(PICTURE, if_none_match=tag(pair)) + PLAIN
    whole = same(pair, several)
    assert [status for status, _, _ in whole] == [200, 200, 304, 200]
    assert same(pair, PLAIN, SECOND, head(PICTURE, if_none_match=tag(pair)), PLAIN) == whole
    for cut in (1, 20, len(PLAIN) - 2, len(PLAIN) - 1, len(PLAIN), len(PLAIN) + 1, len(PLAIN) + 30):
        assert same(pair, several[:cut], several[cut:]) == whole


ODD = st.sampled_from([b" ", b"\t", b"\r", b"\n", b"\r\n", b":", b"\0", b"\x7f", b"\xff", b"HTTP/1.1", b"GET / ", b"0"])
KNOWN = st.sampled_from(
    [
        *(b"Host", b"Accept", b"Range", b"Connection", b"Content-Length", b"Transfer-Encoding", b"Upgrade", b"Expect"),
        *(b"If-None-Match", b"If-Modified-Since", b"Via", b"Cookie", b"User-Agent", b"X", b"te", b"ACCEPT"),
    ]
)
VALUE = st.sampled_from(
    [
        *(b"", b" edge.test", b" image/avif,image/webp,*/*", b" */*", b" close", b" keep-alive", b" bytes=1-2", b" 0"),
        *(b" chunked", b" x", b"\tx \t", b" *", b' "x"', b" 1.1 y", b" gzip, chunked"),
    ]
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(st.tuples(KNOWN, VALUE), max_size=5),
    spoilt=st.none() | st.tuples(st.floats(0, 1), ODD),
    cut=st.none() | st.floats(0, 1),
    follows=st.booleans(),
)
def test_any_head_means_the_same_with_and_without_the_lane(
    pair: Twins,
    lines: list[tuple[bytes, bytes]],
    spoilt: tuple[float, bytes] | None,
    cut: float | None,
    follows: bool,
) -> None:
    said = PLAIN[:-2] + b"".join(name + b":" + value + b"\r\n" for name, value in lines) + b"\r\n"
    if spoilt is not None:
        at = int(spoilt[0] * len(said))
        said = said[:at] + spoilt[1] + said[at:]
    at = len(said) if cut is None else int(cut * len(said))
    same(pair, *(segment for segment in (said[:at], said[at:], PLAIN * follows) if segment))
