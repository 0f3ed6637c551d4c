"""Steps 1 to 6 of a write: from a stream of bytes to durable blobs, or to a few bytes for the catalog.

The rule of this file: nothing here is visible to readers, and whatever it leaves behind is pending in the catalog.
A body is cut into segments of 8 MiB, each a blob of its own, so equal 8 MiB pieces are found whatever the upload path.
Two buffers of one piece each are all the memory a body takes: while threads digest and seal one, the other fills.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from blake3 import blake3

from origin.blobs.contract import BlobWriter
from origin.catalog.rows import NewBlob
from origin.seal.frames import FRAME, KEY_BYTES, TAG, Sealer, frame_count, stored_length
from origin.seal.keyring import FINGERPRINT_BYTES, NONCE_BYTES
from origin.seal.vault import Vault
from origin.service.digests import BodyDigests
from origin.service.model import Expected, ServiceError
from origin.service.steps import Step
from origin.service.stores import Stores, finished, until_done

SEGMENT = 8 * 1024 * 1024
PIECE = 2 * 1024 * 1024
"""Bytes handed to a thread at once: MD5 takes 2.6 to 4.8 ms for them, the hop 0.1 ms (2 cores, 2026-11)."""
IDS = 32
"""The most blob ids that are made pending in one commit."""

assert SEGMENT % PIECE == 0
assert PIECE % FRAME == 0


@dataclass(frozen=True, slots=True)
class Content:
    """A body, received and checked: `inline` for the catalog, or durable `blobs` in order.

    `vault` is its second seal, which an inline body still has to get. `lengths` are those of known duplicates' blobs,
    by id, where a transaction should not ask the store for them.
    """

    size: int
    md5: bytes
    checksums: dict[str, str]
    identity: bytes
    inline: bytes | None
    blobs: tuple[NewBlob, ...] = ()
    lengths: Mapping[bytes, int | None] = field(default_factory=dict)
    vault: Vault | None = None


class _Segment:
    """One blob in the making. Its methods block and run in threads, one at a time."""

    def __init__(self, stores: Stores, blob_id: bytes, vault: Vault | None) -> None:
        self._stores = stores
        self._id = blob_id
        self._vault = vault
        self._key = stores.random(KEY_BYTES) if stores.settings.origin.seal or vault else None
        self._sealer = Sealer(blob_id, self._key)
        self._fingerprint = new_fingerprint(stores, vault)
        self._checksum = blake3()
        self._writer: BlobWriter | None = None
        self.size = 0

    def append(self, piece: memoryview, out: memoryview, *, last: bool) -> None:
        """Seal and write the next piece; `out` is room for its frames."""
        if self._writer is None:
            self._writer = self._stores.blobs.create(self._id)
            self._put(memoryview(self._sealer.header))
        self._fingerprint.update(piece)
        self._put(out[: self._sealer.seal_into(piece, out, last=last)])
        self.size += len(piece)

    def _put(self, stored: memoryview) -> None:
        assert self._writer is not None
        self._checksum.update(stored)
        self._writer.write(stored)

    def sync(self) -> None:
        """Step 4 for this blob."""
        assert self._writer is not None
        self._writer.sync()

    def link(self) -> None:
        """Step 5 for this blob."""
        assert self._writer is not None
        self._writer.link()
        self._writer.close()

    def blob(self) -> NewBlob:
        """The finished blob's row."""
        wrapped = None
        if self._key is not None:
            key = self._key
            if self._vault is not None:
                key = self._vault.seal(self._id, key, self._stores.random(NONCE_BYTES))
            wrapped = self._stores.ring.wrap(key, self._id, self._stores.random(NONCE_BYTES))
        return NewBlob(
            id=self._id,
            fingerprint=self._fingerprint.digest(),
            size=self.size,
            stored=stored_length(self.size),
            checksum=self._checksum.digest(),
            key_id=wrapped.key_id if wrapped else None,
            wrapped=wrapped.data if wrapped else None,
        )

    def close(self) -> None:
        """Let go of the file."""
        if self._writer is not None:
            self._writer.close()


def new_fingerprint(stores: Stores, vault: Vault | None) -> blake3:
    """A running fingerprint within the vault's realm; under a customer's key a random one, which nothing equals."""
    if vault is None:
        return stores.keys.fingerprint()
    if vault.realm is None:
        return blake3(key=stores.random(FINGERPRINT_BYTES))
    return stores.keys.fingerprint(vault.realm)


def entity_tag(stores: Stores, md5: bytes, vault: Vault | None) -> str:
    """The ETag of a body: its MD5, but a random one under a customer's key, since listings show it without the key."""
    return stores.random(len(md5)).hex() if vault is not None and vault.realm is None else md5.hex()


def identity(stores: Stores, size: int, fingerprints: Iterable[bytes]) -> bytes:
    """The content identity: a keyed hash over length and segment fingerprints, in order."""
    running = stores.keys.identity(size)
    for fingerprint in fingerprints:
        running.update(fingerprint)
    return bytes(running.digest())


class Ingest:
    """One body on its way in. Left without `adopted` having been called, it gives up what it made.

    `limit` is the most bytes it takes, `vault` the second seal that it gets.
    """

    def __init__(self, stores: Stores, expected: Expected, limit: int, vault: Vault | None = None) -> None:
        if expected.length is not None and expected.length > limit:
            raise _too_large(limit)
        self._stores = stores
        self._expected = expected
        self._limit = limit
        self._vault = vault
        names = dict.fromkeys((*expected.algorithms, *expected.checksums))
        self._digests = BodyDigests(tuple(names), expected.sha256 is not None)
        self._size = 0
        self._buffer = bytearray()
        self._spare = bytearray()
        self._filled = 0
        self._sealed = bytearray()
        self._work: asyncio.Future[None] | None = None
        self._finishing: asyncio.Future[None] | None = None
        self._segments: list[_Segment] = []
        self._free_ids: list[bytes] = []
        self.pending: list[bytes] = []
        """Every blob id that was made pending for this body."""
        self._adopted = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for future in (self._work, self._finishing):
            if future is not None:
                await until_done(future)
                if not future.cancelled():
                    future.exception()  # the body's own error, if there is one, is what the client hears
        for segment in self._segments:
            segment.close()
        if self.pending and not self._adopted:
            # Not awaited: it is queued behind a commit that may still be running, and then finds nothing pending.
            ids = self.pending
            self._stores.catalog.write(lambda tables: tables.blobs.abandon(ids))

    def adopted(self) -> None:
        """The commit that refers to the blobs is durable."""
        self._adopted = True

    async def receive(self, body: AsyncIterator[bytes | bytearray | memoryview]) -> Content:
        """Steps 1 to 6. Raises ServiceError, and whatever `body` raises."""
        stores = self._stores
        async for chunk in body:
            await self._take(memoryview(chunk))
        if self._size <= stores.settings.origin.inline or self._size == 0:
            return await self._receive_inline()
        await self._flush(last=True)
        await self._settled()
        stores.observe(Step.STREAM)
        kept = self._digests.check(self._size, self._expected)
        stores.observe(Step.CHECK)
        await stores.working(self._segments[-1].sync)
        stores.observe(Step.SYNC)
        await stores.working(self._segments[-1].link)
        stores.observe(Step.LINK)
        blobs = tuple(segment.blob() for segment in self._segments)
        await stores.working(lambda: stores.blobs.settle(blob.id for blob in blobs))
        stores.observe(Step.SETTLE)
        return Content(
            size=self._size,
            md5=self._digests.md5.digest(),
            checksums=kept,
            identity=identity(stores, self._size, (blob.fingerprint for blob in blobs)),
            inline=None,
            vault=self._vault,
            blobs=blobs,
            lengths=await self._lengths(blobs) if stores.blobs.distant else {},
        )

    async def _lengths(self, blobs: tuple[NewBlob, ...]) -> Mapping[bytes, int | None]:
        """The lengths of the blobs that are known by these fingerprints, of ours where none is: time tells nothing."""
        stores = self._stores
        known = await stores.read(lambda tables: [tables.blobs.find(blob.fingerprint) for blob in blobs])
        ids = [(there or ours).id for there, ours in zip(known, blobs, strict=True)]
        return dict(zip(ids, await stores.working(lambda: [stores.blobs.length(one) for one in ids]), strict=True))

    async def _receive_inline(self) -> Content:
        """Steps 2 and 3 of a body for the catalog, on the event loop: 16 KiB take 40 µs, a hop 110 µs."""
        body = bytes(self._buffer[: self._filled])
        self._digests.update(memoryview(body))
        self._stores.observe(Step.STREAM)
        kept = self._digests.check(self._size, self._expected)
        self._stores.observe(Step.CHECK)
        self._stores.room(len(body))
        fingerprint = new_fingerprint(self._stores, self._vault).update(body).digest()
        return Content(
            size=len(body),
            md5=self._digests.md5.digest(),
            checksums=kept,
            identity=identity(self._stores, len(body), (fingerprint,)),
            inline=body,
            vault=self._vault,
        )

    async def _take(self, chunk: memoryview) -> None:
        self._size += len(chunk)
        if self._size > self._limit:
            raise _too_large(self._limit)
        while chunk:
            if self._filled == PIECE:
                # Only now is it certain that the piece is not the body's last.
                await self._flush(last=False)
            taken = chunk[: PIECE - self._filled]
            self._buffer[self._filled : self._filled + len(taken)] = taken
            self._filled += len(taken)
            chunk = chunk[len(taken) :]

    async def _flush(self, *, last: bool) -> None:
        """Hand the filled buffer to the threads, after they are done with the one before."""
        await self._worked()
        segment = self._segments[-1] if self._segments else None
        if segment is None or segment.size == SEGMENT:
            segment = _Segment(self._stores, await self._blob_id(), self._vault)
            self._segments.append(segment)
        full = segment.size + self._filled == SEGMENT
        piece = memoryview(self._buffer)[: self._filled]
        self._work = asyncio.ensure_future(self._process(segment, piece, last=last or full, more=not last))
        self._buffer, self._spare = self._spare, self._buffer
        self._filled = 0

    async def _process(self, segment: _Segment, piece: memoryview, *, last: bool, more: bool) -> None:
        stores = self._stores
        room = len(piece) + TAG * frame_count(len(piece))
        if len(self._sealed) < room:
            self._sealed = bytearray(room)
        out = memoryview(self._sealed)
        digesting = asyncio.ensure_future(stores.working(lambda: self._digests.update(piece)))
        try:
            await stores.working(lambda: segment.append(piece, out, last=last))
        finally:
            await finished(digesting)
            piece.release()
        if last and more:
            await self._settled_segment()
            self._finishing = asyncio.ensure_future(self._finish(segment))

    async def _finish(self, segment: _Segment) -> None:
        """Steps 4 and 5 of a full segment that more bytes follow."""
        await self._stores.working(segment.sync)
        self._stores.observe(Step.SYNC)
        await self._stores.working(segment.link)
        self._stores.observe(Step.LINK)

    async def _worked(self) -> None:
        if self._work is not None:
            await finished(self._work)

    async def _settled_segment(self) -> None:
        if self._finishing is not None:
            await finished(self._finishing)

    async def _settled(self) -> None:
        await self._worked()
        await self._settled_segment()

    async def _blob_id(self) -> bytes:
        """Step 1: the next id, committed as pending. Ids are committed many at a time for long bodies."""
        if not self._free_ids:
            announced = (self._expected.length or 0) - len(self.pending) * SEGMENT
            count = max(1, min(IDS, -(-announced // SEGMENT) if announced > 0 else len(self.pending)))
            ids = [self._stores.random(16) for _ in range(count)]
            self.pending.extend(ids)
            epoch, now = self._stores.epoch, self._stores.clock()
            await self._stores.write(lambda tables: tables.blobs.add_pending(ids, epoch, now))
            self._stores.observe(Step.PENDING)
            self._free_ids = ids[::-1]
        return self._free_ids.pop()


def _too_large(limit: int) -> ServiceError:
    return ServiceError("EntityTooLarge", "The body is larger than the largest allowed.", limit=limit)
