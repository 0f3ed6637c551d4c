"""The records of the cache: what an asset is, how its bytes are represented, and what was chosen for whom.

The rule of this file: a record is plain data, and bytes that are not exactly a record of this version read as
None, which is a miss. Nothing here decides anything; times are wall-clock seconds since 1970.

A stored record is one version byte, the CRC-32 of the rest, and msgpack. The checksum is ours because SQLite has
none: a flipped bit in its file would otherwise come back as another length or another expiry.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec
from blake3 import blake3

from edge.cache.slices import Slices

VERSION = 5
"""Raised with every change of a record's meaning; older ones are then refetched, never migrated."""

_ENVELOPE = struct.Struct("<BI")


class BodyRef(msgspec.Struct, frozen=True, gc=False):
    """Where the bytes are: a body of the disk tier (see files.py)."""

    key: str
    """The body's file name, from body_key()."""
    length: int
    """Bytes."""
    digest: str
    """BLAKE3 of the bytes, 64 hex digits; ETags are made from it."""


class AssetRecord(msgspec.Struct, frozen=True, tag="asset", omit_defaults=True):
    """What the upstream last said about one (site, path): never shared between URLs.

    Usable only while `epoch` equals the current one of its subject (epochs.py). `epoch` must have been read
    *before* the upstream was asked: then a purge that races the fill makes the record unusable.
    """

    key: bytes
    """subjects.asset_key() of site and path; checked on reading."""
    site: str
    path: str
    """The raw path (and query, where the site has it in its key) as first asked for."""
    status: int
    epoch: int
    stored_at: float
    edge_expires: float
    """Until when the edge may use it without asking the upstream."""
    refreshing: float = 0.0
    """Until when it is given while the upstream is asked in the background."""
    failing: float = 0.0
    """Until when it stands in for an error of the upstream."""
    away: float = 0.0
    """Until when it stands in for an upstream that does not answer."""
    source_id: str = ""
    """source_id() of the bytes; representations and choices hang on it."""
    source: BodyRef | None = None
    """None for errors, for bodies too large to store, and for those kept in slices."""
    slices: Slices | None = None
    """How the bytes are cut, where they are not kept as one body; each slice is stored when somebody reads it."""
    identity: str | None = None
    """The origin's content identity: the same for identical bytes anywhere."""
    etag: str | None = None
    """Ours, without quotes; strong."""
    upstream_etag: str | None = None
    """The upstream's field value as sent, for revalidation and If-Match."""
    last_modified: int | None = None
    content_type: str | None = None
    headers: dict[str, str] = {}
    """What replies repeat, names in lower case: cache-control, content-disposition, content-language, …"""
    upstream_date: float | None = None
    upstream_age: float = 0.0
    """The corrected initial age of RFC 9111 §4.2.3, in seconds."""
    facts: dict[str, Any] | None = None
    """What the header probe found (edge.policy.plan.AssetFacts as builtins); None before the probe."""
    no_transform: bool = False
    degraded: str | None = None
    """The reason why stored bytes stand in for renderings, a word of edge.policy.reasons."""
    groups: tuple[str, ...] = ()
    """The cache groups it belongs to (RFC 9875)."""

    @property
    def length(self) -> int | None:
        """Bytes of the source, where any of it is or will be stored."""
        if self.slices is not None:
            return self.slices.length
        return None if self.source is None else self.source.length

    def body_keys(self) -> Iterator[str]:
        """The keys of the bodies that hold the source."""
        if self.source is not None:
            yield self.source.key
        if self.slices is not None:
            yield from (slice_key(self.source_id, number) for number in range(len(self.slices)))


class VaryRecord(msgspec.Struct, frozen=True, tag="vary", omit_defaults=True):
    """Which fields of a request select among the answers of one (site, path)."""

    key: bytes
    """subjects.asset_key() without a selection; checked on reading."""
    sets: tuple[tuple[str, ...], ...]
    """What each Vary that its answers had names, the latest first: names in lower case, sorted."""


class Representation(msgspec.Struct, frozen=True, tag="representation", omit_defaults=True):
    """One rendering: bytes, type and dimensions, and nothing that belongs to a URL."""

    source_id: str
    plan: str
    """The plan's canonical text; with source_id it names the rendering."""
    body: BodyRef
    content_type: str
    etag: str
    """Without quotes; strong; made from the body's digest."""
    width: int
    height: int
    made_at: float
    coding: str = ""
    """The content coding of a text's bytes."""


class ChoiceRecord(msgspec.Struct, frozen=True, tag="choice", omit_defaults=True):
    """What was decided once for (source, plan, Accept class): a plan, or the source itself."""

    source_id: str
    wanted: str
    """What requests come to before that (edge.keeper.selection.wanted)."""
    accept: str
    """The Accept class's key."""
    plan: str | None
    """The chosen representation's plan; None serves the stored bytes."""
    reason: str = ""
    """Why the source was chosen, a word of edge.policy.reasons."""
    better: str = ""
    """The plan that may take the chosen one's place; empty where the choice is final."""
    final_at: float = 0.0
    """Until when that may happen; 0 where the choice is final."""
    source: BodyRef | None = None
    """What the better plan is carried out on."""
    replaced: str = ""
    """The ETag (without quotes) that the chosen representation took the place of."""
    spared: int = 0
    """Bytes that the replaced one was larger by."""


Record = TypeVar("Record", AssetRecord, VaryRecord, Representation, ChoiceRecord)

_encoder = msgspec.msgpack.Encoder()


def encode(record: AssetRecord | VaryRecord | Representation | ChoiceRecord) -> bytes:
    """The stored form of a record."""
    payload = _encoder.encode(record)
    return _ENVELOPE.pack(VERSION, zlib.crc32(payload)) + payload


def decode(kind: type[Record], stored: bytes) -> Record | None:
    """The record, or None where the bytes are damaged, of another version or of another kind."""
    if len(stored) < _ENVELOPE.size:
        return None
    version, checksum = _ENVELOPE.unpack_from(stored)
    payload = memoryview(stored)[_ENVELOPE.size :]
    if version != VERSION or zlib.crc32(payload) != checksum:
        return None
    try:
        return msgspec.msgpack.decode(payload, type=kind)
    except msgspec.MsgspecError:
        return None


def name_hash(*parts: str | bytes) -> str:
    """64 hex digits that name the sequence of parts; ("ab", "c") and ("a", "bc") differ."""
    hasher = blake3()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        hasher.update(len(data).to_bytes(8, "little"))
        hasher.update(data)
    return hasher.hexdigest()


def source_id(identity: str | None, asset: bytes, validator: str) -> str:
    """Names the bytes of a source.

    Only the origin's identity is global. Any other validator (the upstream's ETag, or the body's digest) counts
    only together with its asset (DESIGN §3, keys and identity).
    """
    if identity is not None:
        return name_hash("identity", identity)
    return name_hash("validator", asset, validator)


def source_key(source: str) -> str:
    """The body key of a source's stored bytes."""
    return name_hash("source", source)


def slice_key(source: str, number: int) -> str:
    """The body key of one slice of a source."""
    return name_hash("slice", source, str(number))


def rendering_key(source: str, plan: str) -> str:
    """The body key of a rendering: (source_id, the plan's canonical text)."""
    return name_hash("rendering", source, plan)
