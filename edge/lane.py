"""The hit lane: a memory hit is answered where its bytes arrive, without a coroutine.

The rule of this file: the lane decides nothing. What it sends was said once by the journey and reply.py, for a request
of the same line, Host, Accept, coding and (where a site listens to them) client hints; whether it may still be said is
asked of the tiers again for every hit; and whatever it does not read as one whole, plain head goes to aiohttp, byte for
byte.

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
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from http import HTTPStatus

from aiohttp import web

from conf.schema import Edge
from edge import reply
from edge.access import Access
from edge.cache.s3fifo import Entry
from edge.connection import KEEPALIVE, SERVER, Connection
from edge.errand import hit
from edge.heads import DECIDING, LONGEST, REQUEST_LINE, Heads, Lines
from edge.journey import Journey
from edge.keeper.answer import Answer
from edge.message import Reply, Request
from edge.policy.hints import NAMES
from edge.policy.sites import Site
from edge.tiers import LOOKED_AGAIN, Tiers, ground

_ASKED_ONCE = 16_384  # keys that are remembered until they come again, all forgotten together
_WEIGHT = 2048  # bytes that a prepared reply weighs beside its heads, roughly


class Prepared:
    """A reply to be given again: the lines that stay, and those that move with the second."""

    __slots__ = (
        *("_standing", "answer", "body", "cache", "epoch", "ground", "heads", "hits", "second", "seen"),
        *("settings", "site", "tag", "until"),
    )

    def __init__(
        self, site: Site, answer: Answer, until: float, body: Entry[bytes, object], full: Reply, unchanged: Reply
    ) -> None:
        self.settings = 0
        """Which of the lane's settings it was made under."""
        self.site = site
        self.answer = answer
        self.hits = 0
        """Not counted yet."""
        self.seen = -1
        """Tiers.changes when it was last found not to be purged: as long as that stays, so does this."""
        self.until = min(answer.asset.edge_expires, until)
        self.epoch = answer.asset.epoch
        self.ground = ground(site, answer.asset)
        self.body = body
        """The body in the memory tier, or where it was."""
        self.tag = f'"{answer.etag}"'.encode()
        self._standing = (_standing(full), _standing(unchanged))
        self.second = -1
        self.heads = (b"", b"")
        """Of the 200 and the 304."""
        self.cache = ""
        """Cache-Status."""

    @property
    def size(self) -> int:
        """Bytes of memory, without the body."""
        return 2 * sum(map(len, self._standing)) + _WEIGHT

    def at(self, second: int) -> None:
        """Bring the heads up to the second."""
        self.second = second
        outcome = hit(self.answer, second)
        moving = _lines(reply.moving(self.answer, outcome, second)) + b"\r\n"
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
        self._clock = clock
        self._asked_once: set[int] = set()
        self.settings = 0
        """How often settings were taken over: what was read and prepared before is forgotten."""
        self.take_over(purge_header=purge_header, hints=hints)

    def take_over(self, *, purge_header: str, hints: bool) -> None:
        """Other settings hold now."""
        self.settings += 1
        self._selecting = (b"accept", *((name.encode() for name in NAMES) if hints else ()))
        self.heads = Heads(self._selecting, DECIDING | {purge_header.lower().encode()})

    def find(self, key: bytes) -> Prepared | None:
        """The prepared reply of a key, up to the second; None where there is none that may be given."""
        prepared = self._tiers.memory.get(key)
        now = self._clock()
        if type(prepared) is not Prepared or now >= prepared.until or prepared.body.value is None:
            return None
        if prepared.settings != self.settings:
            return None
        if prepared.seen != (changes := self._tiers.changes):
            if self._tiers.purged(prepared.epoch, prepared.ground):
                return None
            prepared.seen = changes
        if prepared.second != (second := int(now)):
            prepared.at(second)
        prepared.body.hit()
        return prepared

    def note(self, prepared: Prepared) -> None:
        """Count a hit."""
        if not prepared.hits:
            self._tiers.count_later(prepared)
        prepared.hits += 1

    def write(
        self, prepared: Prepared, line: bytes, lines: Lines, peer: object, status: int, sent: int, started: float
    ) -> None:
        """Write a hit's line."""
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
        body = self._tiers.memory.entry(answer.body.key.encode())
        if body is not None and type(body.value) is bytes and (full.status, unchanged.status) == (200, 304):
            until = self._clock() + LOOKED_AGAIN if answer.final_at else math.inf
            prepared = Prepared(errand.site, answer, until, body, full, unchanged)
            prepared.settings = self.settings
            self._tiers.memory.put(key, prepared, len(key) + prepared.size)


class LaneConnection(Connection):
    """A connection with the lane beside it."""

    __slots__ = ("_fresh", "_lane", "_lines", "_plain", "_raw_lines", "_settings", "asked")

    def __init__(self, manager: web.Server, edge: Edge, loop: asyncio.AbstractEventLoop, lane: Lane) -> None:
        super().__init__(manager, edge, loop)
        self._lane = lane
        self._settings = lane.settings
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
        if self._settings != self._lane.settings:
            self._settings, self._raw_lines, self._lines = self._lane.settings, b"", None
        raw, lines = self._raw_lines, self._lines
        # A client's lines are mostly those of its last request. What comes before them is one line only if it is found.
        if lines is not None and lines.key is not None and data.endswith(raw):
            line = data[: -len(raw)]
            if self._given(line + lines.key, line, lines):
                return True
        end = data.find(b"\r\n")
        line, raw = data[:end], data[end:]
        if raw != self._raw_lines:
            lines = self._lane.heads.read(raw) if len(data) <= LONGEST else None
            self._raw_lines, self._lines = raw, lines
            if lines is not None and lines.key is not None and self._given(line + lines.key, line, lines):
                return True
        if lines is None or not REQUEST_LINE.fullmatch(line):
            self._plain = False
        elif lines.key is not None and self._idle():
            self.asked = line + lines.key
        return False

    def _idle(self) -> bool:
        """Whether aiohttp waits for a request and nothing is left unsent."""
        waiter, transport = self._waiter, self.transport
        if waiter is not None:
            self._fresh = False
        waits = self._fresh or (waiter is not None and not waiter.done())
        return waits and transport is not None and transport.get_write_buffer_size() == 0

    def _given(self, key: bytes, line: bytes, lines: Lines) -> bool:
        """Whether the reply to a request is prepared and, unless a condition needs the journey, given."""
        lane, transport = self._lane, self.transport
        started = time.monotonic() if lane.access.on else 0.0
        if transport is None or not self._idle() or (prepared := lane.find(key)) is None:
            return False
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
            body = prepared.body.value
            assert type(body) is bytes, "a body has left the tier since it was found"
            sent = len(body)
            transport.writelines((full, body))
        if self._head_timer is not None:
            self._head_arrived()
        self._next_keepalive_close_time = self._loop.time() + KEEPALIVE
        lane.note(prepared)
        if lane.access.on:
            lane.write(prepared, line, lines, self.peername, status, sent, started)
        return True
