"""The hit lane: a memory hit is answered where its bytes arrive, without a coroutine.

The rule of this file: the lane decides nothing. What it sends was said once by the journey and reply.py, for a request
of the same line, Host, Accept and coding; whether it may still be said is asked of the tiers again for every hit; and
whatever it does not read as one whole, plain head goes to aiohttp, byte for byte.

*Strictness.* A request line is believed only if aiohttp has parsed the same bytes before, the lines below it only if
they are of HTTP's plainest form: visible ASCII, no name twice, none that frames a message. Once anything else has come
over a connection, aiohttp's parser may hold a part of it, and the connection stays with aiohttp until it ends.

*Memory.* Prepared heads are entries of the memory tier, with their size, and name their body, so a body is counted once
and is gone for the lane when it is gone for the tier. A reply is written only when nothing is left unsent of the one
before; a client that does not read holds one reply, for as long as a connection may be idle.

What it uses of aiohttp's private surface: RequestHandler._waiter, ._loop, ._next_keepalive_close_time and
._process_keepalive, beside what connection.py does.
"""

from __future__ import annotations

import asyncio
import math
import re
import string
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from http import HTTPStatus
from typing import Final, NamedTuple

from aiohttp import web

from conf.schema import Edge
from edge import reply
from edge.access import Access
from edge.connection import KEEPALIVE, SERVER, Connection
from edge.journey import Journey, hit
from edge.keeper.answer import Answer
from edge.message import Reply, Request
from edge.policy.codings import coding_for
from edge.policy.hints import NAMES
from edge.policy.sites import Site
from edge.tiers import LOOKED_AGAIN, Tiers, ground

LONGEST: Final = 4096  # bytes of a head that is read here; browsers send 400 to 1,000
MOST_LINES: Final = 64
REQUEST_LINE: Final = re.compile(rb"(?:GET|HEAD) /[!-~]* HTTP/1\.1")
_TOKEN: Final = b"!#$%&'*+-.^_`|~" + (string.digits + string.ascii_letters).encode()  # RFC 9110 §5.6.2
_TEXT: Final = b"\t" + bytes(range(0x20, 0x7F))

FRAMING: Final = frozenset(
    b"connection content-encoding content-length expect http2-settings keep-alive proxy-connection te trailer"
    b" sec-websocket-key sec-websocket-key1 sec-websocket-key2 transfer-encoding upgrade".split()
)
"""Fields that can change where a message ends or what its connection is; `Connection: keep-alive` does not."""

DECIDING: Final = frozenset(
    b"authorization cdn-loop if-match if-modified-since if-range if-unmodified-since range via".split()
)
"""Fields of which the journey makes something that is not prepared."""

_ASKED_ONCE = 16_384  # keys that are remembered until they come again, all forgotten together
_WEIGHT = 2048  # bytes that a prepared reply weighs beside its heads, roughly


class Lines(NamedTuple):
    """What the header lines of a head say, as far as the lane is concerned."""

    key: bytes | None
    """Host, Accept and the coding of texts: with the request line, all that selects a prepared reply. None: nothing
    prepared will do."""
    tag: bytes | None
    """If-None-Match."""
    given: dict[bytes, bytes]

    def said(self, name: bytes) -> str:
        """A field's value; empty where there is none."""
        return self.given.get(name, b"").strip(b" \t").decode()


class Prepared:
    """A reply to be given again: the lines that stay, and those that move with the second."""

    __slots__ = ("_second", "_standing", "answer", "body", "cache", "epoch", "ground", "heads", "site", "tag", "until")

    def __init__(self, site: Site, answer: Answer, until: float, body: bytes, full: Reply, unchanged: Reply) -> None:
        self.site = site
        self.answer = answer
        self.until = min(answer.asset.edge_expires, until)
        self.epoch = answer.asset.epoch
        self.ground = ground(site, answer.asset)
        self.body = body
        """The body's key in the memory tier."""
        self.tag = f'"{answer.etag}"'.encode()
        self._standing = (_standing(full), _standing(unchanged))
        self._second = -1
        self.heads = (b"", b"")
        """Of the 200 and the 304."""
        self.cache = ""
        """Cache-Status."""

    @property
    def size(self) -> int:
        """Bytes of memory, without the body."""
        return 2 * sum(map(len, self._standing)) + _WEIGHT

    def at(self, now: float) -> None:
        """Bring the heads up to the second."""
        if (second := int(now)) != self._second:
            self._second = second
            outcome = hit(self.answer, now)
            moving = _lines(reply.moving(self.answer, outcome, now)) + b"\r\n"
            full, unchanged = self._standing
            self.heads = (full + moving, unchanged + moving)
            self.cache = outcome.header()


def _standing(given: Reply) -> bytes:
    """A reply's head but for what moves, as aiohttp writes it."""
    status = f"HTTP/1.1 {given.status} {HTTPStatus(given.status).phrase}\r\n".encode()
    return status + _lines((*(line for line in given.headers if line[0] not in reply.MOVING), ("Server", SERVER)))


def _lines(headers: Iterable[tuple[str, str]]) -> bytes:
    return "".join([f"{name}: {value}\r\n" for name, value in headers]).encode()


class Lane:
    """The lane of one server process: what it may answer, and what it has learnt to."""

    def __init__(
        self,
        journey: Journey,
        tiers: Tiers,
        access: Access,
        *,
        purge_header: str,
        hints: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.access = access
        self._journey = journey
        self._tiers = tiers
        self._selecting = (b"accept", *((name.encode() for name in NAMES) if hints else ()))
        self._deciding = DECIDING | {purge_header.lower().encode()}
        self._clock = clock
        self._asked_once: set[int] = set()

    def find(self, key: bytes) -> tuple[Prepared, bytes] | None:
        """The prepared reply of a key, up to the second, and its body; None where there is none that may be given."""
        tiers, now = self._tiers, self._clock()
        prepared = tiers.memory.get(key)
        if type(prepared) is not Prepared or now >= prepared.until or tiers.purged(prepared.epoch, prepared.ground):
            return None
        body = tiers.memory.get(prepared.body)
        if type(body) is not bytes:
            return None
        prepared.at(now)
        return prepared, body

    def note(
        self, prepared: Prepared, line: bytes, lines: Lines, peer: object, status: int, sent: int, started: float
    ) -> None:
        """Count a hit, and write its line."""
        self._tiers.count(prepared.site, "memory", prepared.answer)
        if self.access.on:
            method, target, _ = line.decode().split(" ")
            self.access.write(
                peer=str(peer[0] if isinstance(peer, tuple) else peer or ""),
                forwarded=lines.said(b"x-forwarded-for"),
                method=method,
                host=lines.said(b"host"),
                target=target,
                status=status,
                sent=sent,
                seconds=time.monotonic() - started,
                site=prepared.site.name,
                cache=prepared.cache,
                agent=lines.said(b"user-agent"),
            )

    def learn(self, key: bytes, request: Request) -> None:
        """Prepare what memory has for a request that was just answered from there; `key` is the lane's name of it.

        Only for a key that comes again: URLs made up to miss caches are not worth it.
        """
        if (name := hash(key)) not in self._asked_once:
            if len(self._asked_once) >= _ASKED_ONCE:
                self._asked_once.clear()
            self._asked_once.add(name)
            return
        telling = {*self._selecting, b"accept-encoding"}
        plain = {name: value for name, value in request.headers.items() if name.encode() in telling}
        recalled = self._journey.recall(replace(request, headers=plain))
        if recalled is None:
            return
        errand, found = recalled
        answer = found.answer
        if answer.body is None or answer.asset.status != 200 or answer.content_type is None:
            return
        again = replace(request, headers=plain | {"if-none-match": f'"{answer.etag}"'})
        full, unchanged = (self._journey.reply(each, found) for each in (errand, replace(errand, request=again)))
        if (full.status, unchanged.status) == (200, 304):
            until = self._clock() + LOOKED_AGAIN if answer.final_at else math.inf
            prepared = Prepared(errand.site, answer, until, answer.body.key.encode(), full, unchanged)
            self._tiers.memory.put(key, prepared, len(key) + prepared.size)

    def read(self, raw: bytes) -> Lines | None:
        """What header lines say; None where they are not plain, or are about the connection."""
        lines = [line.split(b":", 1) for line in raw[2:-4].split(b"\r\n")]
        if len(lines) > MOST_LINES or raw.translate(None, _TEXT) != b"\r\n" * (len(lines) + 2):
            return None  # a byte that is no text, or a line that does not end as a line does
        try:
            given = {name.lower(): value for name, value in lines}
        except ValueError:  # no colon: also where a head ends and something follows
            return None
        if len(given) < len(lines) or b"" in given or b"".join(given).translate(None, _TOKEN):
            return None
        if given.pop(b"connection", b"keep-alive").strip(b" \t").lower() != b"keep-alive":
            return None
        if not FRAMING.isdisjoint(given):
            return None
        tag = given.get(b"if-none-match")
        if tag is not None:  # then If-Modified-Since is nothing (RFC 9110 §13.1.3)
            given.pop(b"if-modified-since", None)
        key = None
        refused = b"no-transform" in given.get(b"cache-control", b"").lower()
        if b"host" in given and self._deciding.isdisjoint(given) and not refused:
            coding = coding_for(given.get(b"accept-encoding", b"").decode()).encode()
            selecting = (given.get(name, b"") for name in self._selecting)
            key = b"\n".join((b"", given[b"host"], coding, *selecting))
        return Lines(key, None if tag is None else tag.strip(b" \t"), given)


class LaneConnection(Connection):
    """A connection with the lane beside it."""

    __slots__ = ("_fresh", "_lane", "_lines", "_plain", "_raw_lines", "asked")

    def __init__(self, manager: web.Server, edge: Edge, loop: asyncio.AbstractEventLoop, lane: Lane) -> None:
        super().__init__(manager, edge, loop)
        self._lane = lane
        self._plain = True
        """aiohttp's parser has been given nothing but whole plain heads, so it holds no part of one."""
        self._fresh = True
        """aiohttp has been given nothing, and the task that waits for requests has not begun."""
        self._raw_lines = b""
        self._lines: Lines | None = None
        self.asked: bytes | None = None
        """The lane's key of the one request that aiohttp is answering, where it has one."""

    def data_received(self, data: bytes) -> None:
        """Answer, or pass on to aiohttp."""
        if not (self._plain and self._answered(data)):
            self._fresh = False
            super().data_received(data)

    def _answered(self, data: bytes) -> bool:
        """Whether `data` was a request that is answered now."""
        self.asked = None
        end = data.find(b"\r\n")
        lines = self._read(data[end:]) if len(data) <= LONGEST else None
        line = data[:end]
        if lines is not None and lines.key is not None and self._idle():
            key = line + lines.key
            if self._given(key, line, lines):
                return True
            self.asked = key
        if lines is None or not REQUEST_LINE.fullmatch(line):
            self._plain, self.asked = False, None
        return False

    def _read(self, raw: bytes) -> Lines | None:
        """What header lines say. A client's are mostly the same from one request to the next: read once."""
        if raw != self._raw_lines:
            self._raw_lines, self._lines = raw, self._lane.read(raw)
        return self._lines

    def _idle(self) -> bool:
        """Whether aiohttp waits for a request and nothing is left unsent."""
        waiter, transport = self._waiter, self.transport
        if waiter is not None:
            self._fresh = False
        waits = self._fresh or (waiter is not None and not waiter.done())
        return waits and transport is not None and transport.get_write_buffer_size() == 0

    def _given(self, key: bytes, line: bytes, lines: Lines) -> bool:
        """Whether the reply to a request is prepared and, unless a condition needs the journey, given."""
        started = time.monotonic()
        found, transport = self._lane.find(key), self.transport
        if found is None or transport is None:
            return False
        prepared, body = found
        full, unchanged = prepared.heads
        status, sent = 200, 0
        if lines.tag is not None:
            if lines.tag != prepared.tag:
                return False
            status = 304
            transport.write(unchanged)
        elif line.startswith(b"HEAD"):
            transport.write(full)
        else:
            sent = len(body)
            transport.writelines((full, body))
        if self._head_timer is not None:
            self._head_arrived()
        self._next_keepalive_close_time = self._loop.time() + KEEPALIVE
        self._lane.note(prepared, line, lines, self.peername, status, sent, started)
        return True
