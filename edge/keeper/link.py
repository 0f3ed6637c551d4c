"""The link between a server process and the keeper: frames on a Unix socket, many exchanges on one connection.

The rule of this file: it knows how messages look and how they are framed, and nothing of what they mean to either
side. A frame is a length (32 bits, big-endian) and that many bytes of msgpack; none is longer than MAX_FRAME.

One exchange, named by a number that the server process picks:

    server process                          keeper
    Fill(id, …) | Slice(id, …)         →
                                       ←    Interim(id, …) …               what the upstream says before its answer
                                       ←    Head(id, answer, location)     what it is and where its body lies
                                       ←    Opened(id, growing)            the same for a slice; or Done at once
                                       ←    Progress(id, length) …         a growing file has this many bytes now
    Credit(id, bytes) …                ⇄    Data(id, bytes) …              a relayed body, never ahead of its credit
                                       ←    Done(id) | Failed(id, …)       always the last word
    Leave(id)                          →                                   the client has gone; others are not touched

Purge is answered by Done once it is in force and durable. Report is not answered.
"""

from __future__ import annotations

import asyncio
import struct
from typing import TypeAlias

import msgspec

from edge.cache.entry import BodyRef
from edge.keeper.answer import Answer
from edge.policy.negotiate import AcceptClass
from edge.policy.reasons import CacheStatus
from edge.policy.variant import Variant

MAX_FRAME = 9 * 1024 * 1024  # the largest request body that settings allow (edge.max_body), and its head
DATA_BLOCK = 64 * 1024  # bytes of body in one Data frame, at most
CREDIT = 4 * DATA_BLOCK  # how far a relayed body may run ahead of its reader

_LENGTH = struct.Struct(">I")


class Passed(msgspec.Struct, frozen=True):
    """A client's own request, for a transparent site: it goes upstream as it is (edge.policy.hygiene)."""

    method: str
    headers: dict[str, str]
    body: bytes = b""


class Fill(msgspec.Struct, frozen=True, tag="fill"):
    """A server process has no usable answer for this request.

    `path` is the source's name within the site (Site.source_path). `wait` is how long the client waits for the
    head, in seconds.
    """

    id: int
    site: str
    path: str
    variant: Variant
    accept: AcceptClass
    wait: float
    passed: Passed | None = None
    fixed: bool = False
    """Exactly this variant, however many the source has."""
    client: str = ""
    """Whose request it is, for limits; nobody's is let through."""


class Slice(msgspec.Struct, frozen=True, tag="slice"):
    """A server process has no slice `number` of the source that the asset `key` of a site had when it answered.

    `wait`: as in Fill.
    """

    id: int
    site: str
    key: bytes
    source_id: str
    number: int
    wait: float


class Order(msgspec.Struct, frozen=True):
    """What of a site to purge: one thing of these. Soft makes stale what would else be gone."""

    url: str | None = None
    """A path (Site.source_path) with all its variants."""
    prefix: str | None = None
    """A raw path within the site: everything that begins with it up to its last "/"."""
    tags: tuple[str, ...] = ()
    """Tags or cache groups."""
    soft: bool = False


class Purge(msgspec.Struct, frozen=True, tag="purge"):
    """Purge something of a site; without a URL, a prefix or tags, all of it."""

    id: int
    site: str
    order: Order


class Credit(msgspec.Struct, frozen=True, tag="credit"):
    """The reader of a relayed body takes this many bytes more."""

    id: int
    size: int


class Leave(msgspec.Struct, frozen=True, tag="leave"):
    """Nobody waits for this exchange any more."""

    id: int


class Hits(msgspec.Struct):
    """What one site's hits came to since the last report."""

    memory: int = 0
    disk: int = 0
    saved: int = 0
    """Bytes that the sources were larger than what was sent."""
    spared: int = 0
    """Bytes that the first renderings were larger than the better ones that were sent."""


class Report(msgspec.Struct, frozen=True, tag="report"):
    """What a server process did by itself: how often it gave which stored bodies (by key), and its hits by site."""

    used: dict[str, int]
    hits: dict[str, Hits]


class Committed(msgspec.Struct, frozen=True, tag="committed"):
    """The body is stored, under the key that the answer's records name; or there is none."""


class Growing(msgspec.Struct, frozen=True, tag="growing"):
    """The body is being written to a file; it begins at `offset` and is `length` bytes long, if that is known."""

    path: str
    offset: int
    length: int | None


class Relayed(msgspec.Struct, frozen=True, tag="relayed"):
    """The body is not stored: it comes in Data frames."""

    length: int | None


Location: TypeAlias = Committed | Growing | Relayed


class Head(msgspec.Struct, frozen=True, tag="head"):
    """The answer, how it came about, and where its body is. `once` are header lines for this client alone."""

    id: int
    answer: Answer
    status: CacheStatus
    location: Location
    once: tuple[tuple[str, str], ...] = ()


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """A slice is being fetched."""

    id: int
    growing: Growing


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """The growing file holds this many bytes of the body."""

    id: int
    length: int


class Data(msgspec.Struct, frozen=True, tag="data"):
    """The next bytes of a relayed body."""

    id: int
    block: bytes


class Done(msgspec.Struct, frozen=True, tag="done"):
    """The exchange is over and complete; `stored` names the body that grew."""

    id: int
    stored: BodyRef | None = None


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The exchange is over: before the head, answer with `status`; after it, break the connection."""

    id: int
    status: int
    outcome: CacheStatus
    message: str
    retry_after: int | None = None


Request: TypeAlias = Fill | Slice | Purge | Credit | Leave | Report


class Interim(msgspec.Struct, frozen=True, tag="interim"):
    """The upstream has sent an interim answer, before the head."""

    id: int
    status: int
    lines: tuple[tuple[str, str], ...]


Response: TypeAlias = Interim | Head | Opened | Progress | Data | Done | Failed

_encoder = msgspec.msgpack.Encoder()
request_decoder: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
response_decoder: msgspec.msgpack.Decoder[Response] = msgspec.msgpack.Decoder(Response)


class LinkBroken(ConnectionError):
    """The other side has gone, or has sent what is not a frame of this link."""


def frame(message: Request | Response) -> bytes:
    """The bytes of `message` on the wire. Raises ValueError where they exceed MAX_FRAME."""
    payload = _encoder.encode(message)
    if len(payload) > MAX_FRAME:
        raise ValueError(f"a message of {len(payload)} bytes does not fit into a frame")
    return _LENGTH.pack(len(payload)) + payload


async def read_payload(reader: asyncio.StreamReader) -> bytes:
    """The payload of the next frame. Raises LinkBroken at the end of the stream and for an oversized frame."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        if length > MAX_FRAME:
            raise LinkBroken(f"a frame of {length} bytes")
        return await reader.readexactly(length)
    except (asyncio.IncompleteReadError, OSError) as error:
        raise LinkBroken("the link is closed") from error
