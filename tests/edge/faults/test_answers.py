"""An upstream whose answers lie, break off, stand still, never end or are no HTTP.

The invariant: nothing of it is given as a whole answer, none is stored, every waiter is answered in bounded time, and
once the upstream is well again so is the edge, by itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.edge.dialogue import client
from tests.edge.dialogue.stage import PATIENCE, Stage, until
from tests.edge.faults.raw import GOOD, HOSTS, Raw, troubled

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: max-age=600\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
_numbers = itertools.count()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, Raw]]:
    with troubled(tmp_path_factory.mktemp("edge")) as both:
        yield both


def endless(block: bytes, start: bytes = b"") -> Iterable[bytes]:
    return itertools.chain((start,), itertools.repeat(block))


TROUBLES: dict[str, tuple[Iterable[bytes], str, float]] = {
    "hangs up at once": ((), "close", 0),
    "resets at once": ((), "reset", 0),
    "says nothing": ((), "hang", 0),
    "breaks off in the status line": ((b"HTTP/1.1 20",), "close", 0),
    "breaks off in the head": ((OK + b"X: y",), "close", 0),
    "resets in the head": ((OK,), "reset", 0),
    "stands still in the head": ((OK,), "hang", 0),
    "a head that trickles": (endless(b"X: y\r\n", OK), "close", 0.05),
    "an endless head": (endless(b"X: " + b"y" * 1000 + b"\r\n", OK), "close", 0),
    "an endless line": (endless(b"y" * 1000, OK + b"X: "), "close", 0),
    "interim answers without end": (endless(b"HTTP/1.1 102 Processing\r\n\r\n"), "close", 0),
    "garbage": ((b"\x16\x03\x01\x02\x00" * 40,), "close", 0),
    "garbage and silence": ((b"garbage\r\n\r\n",), "hang", 0),
    "another protocol": ((b"SSH-2.0-OpenSSH_9.2\r\n",), "hang", 0),
    "HTTP/0.9": ((b"<html>hello</html>",), "close", 0),
    "a status of four digits": ((b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok",), "close", 0),
    "shorter than its length": ((OK + b"Content-Length: 100\r\n\r\nshort",), "close", 0),
    "reset before its length": ((OK + b"Content-Length: 100\r\n\r\nshort",), "reset", 0),
    "stands still before its length": ((OK + b"Content-Length: 100\r\n\r\nshort",), "hang", 0),
    "one byte at a time": (endless(b"x", OK + b"Content-Length: 100000\r\n\r\n"), "close", 0.1),
    "a length that is none": ((OK + b"Content-Length: ten\r\n\r\n0123456789",), "close", 0),
    "a negative length": ((OK + b"Content-Length: -10\r\n\r\n0123456789",), "close", 0),
    "two lengths": ((OK + b"Content-Length: 10\r\nContent-Length: 5\r\n\r\n0123456789",), "close", 0),
    "a length and chunks": ((OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n012",), "close", 0),
    "no last chunk": ((CHUNKED + b"5\r\n01234\r\n",), "close", 0),
    "a chunk that breaks off": ((CHUNKED + b"5\r\n012",), "close", 0),
    "a chunk size that is none": ((CHUNKED + b"xyz\r\n012\r\n0\r\n\r\n",), "close", 0),
    "a chunk longer than it says": ((CHUNKED + b"2\r\n01234\r\n0\r\n\r\n",), "close", 0),
    "trailers without end": (endless(b"X: y\r\n", CHUNKED + b"5\r\n01234\r\n0\r\n"), "close", 0),
    "a body without end": (endless(b"8000\r\n" + b"x" * 0x8000 + b"\r\n", CHUNKED), "close", 0.01),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_is_never_a_whole_answer_nor_stored(node: tuple[Stage, Raw], trouble: str) -> None:
    edge, raw = node
    path = f"/{next(_numbers)}.txt"
    raw.pieces, raw.end, raw.pause = TROUBLES[trouble]
    with ThreadPoolExecutor(6) as clients:
        asking = [clients.submit(asked, edge, path, host) for host in (*HOSTS.values(), *HOSTS.values())]
        answers = [one.result(PATIENCE) for one in asking]
    for answer in answers:
        assert answer is None or not answer.whole or answer.status in (502, 503, 504), answer
    raw.pieces, raw.end, raw.pause = (GOOD,), "close", 0
    for host in HOSTS.values():
        until(lambda: (well := asked(edge, path, host)) is not None and well.status == 200, "it never recovered")  # noqa: B023
        well = asked(edge, path, host)
        assert well is not None
        assert (well.body, well.whole) == (b"good", True)
    assert not any((edge.data / "edge" / "tmp").iterdir())


def asked(edge: Stage, path: str, host: str) -> client.Answer | None:
    """The answer; None where the connection broke before its head."""
    try:
        return edge.get(path, host=host)
    except (ConnectionError, KeyError):
        return None
