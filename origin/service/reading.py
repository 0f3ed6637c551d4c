"""A read: one snapshot decides what it is, and the collector waits for it to end.

The rule of this file: who may read, whether the conditions hold and which bytes are meant is decided on the same rows
that the bytes come from. The first piece is opened before the answer begins, so most damage is an error and not a
short body.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from msgspec.structs import replace

from origin.catalog.contract import Tables
from origin.catalog.rows import BucketRow, ManifestRow, VersionRow
from origin.seal.frames import Damaged
from origin.service.access import authorise, authorise_version, reads_conditionally
from origin.service.describe import read_info
from origin.service.encryption import check_customer, vault_of
from origin.service.model import Caller, CustomerKey, NotModified, ObjectInfo, ReadConditions, ServiceError
from origin.service.operations import Operation
from origin.service.placing import precondition_failed
from origin.service.source import Source
from origin.service.stores import Stores, finished
from origin.service.versions import absent, named
from wire.conditions import Outcome, evaluate
from wire.ranges import Part, Unsatisfiable, parse_range

COLD = 2
"""Pieces in a row that were not in the page cache, after which the next ones are not expected there."""


class Reading:
    """Bytes [start, end) of one version. `partial` is True where a Range was asked and holds (206).

    While it is open the collector keeps its blobs. `chunks()` yields plaintext whose frames are verified; a bad
    frame raises `Damaged` after whole good frames only, so the answer must close short.
    """

    def __init__(
        self, stores: Stores, token: object, info: ObjectInfo, version: VersionRow, source: Source,
        span: tuple[int, int] | None,
    ) -> None:  # fmt: skip
        self._stores = stores
        self._token = token
        self._source = source
        self.info = info
        self.version = version
        self.start, self.end = span or (0, info.size)
        self.partial = span is not None
        # Blocks: Reading is made in a thread, so that the first piece comes with the same hop.
        self._first = source.piece(self.start, self.end) if self.length else b""
        self._ahead: asyncio.Future[bytes | bytearray] | None = None

    @property
    def whole(self) -> bool:
        """Whether it is everything of an object that was written in one piece."""
        return (self.start, self.end) == (0, self.info.size) and not self._source.joined

    @property
    def length(self) -> int:
        """Bytes that `chunks()` will yield."""
        return self.end - self.start

    async def chunks(self) -> AsyncIterator[bytes | bytearray | memoryview]:
        """The bytes, in pieces of at most 1 MiB. To be iterated once.

        What the page cache has is opened here, between two turns of the loop. A thread opens what it has not, and the
        first piece of each blob; after COLD such pieces in a row the rest is read one piece ahead, by threads.
        Raises Damaged; ServiceError where a store fails.
        """
        piece: bytes | bytearray | memoryview = self._first
        position, misses = self.start + len(piece), 0
        while piece:
            if misses >= COLD and position < self.end:
                self._ahead = asyncio.ensure_future(self._piece(position))
            yield piece
            if position >= self.end:
                return
            warm = self._source.warm(position, self.end) if misses < COLD else None
            if warm is not None:
                await asyncio.sleep(0)
                piece, misses = warm, 0
            else:
                if misses < COLD:
                    self._ahead = asyncio.ensure_future(self._piece(position))
                    misses += 1
                assert self._ahead is not None
                piece = await finished(self._ahead)
            position += len(piece)

    async def _piece(self, position: int) -> bytes | bytearray:
        return await self._stores.reading(lambda: self._source.piece(position, self.end))

    async def aclose(self) -> None:
        """Let go of files and snapshot. May be called twice."""
        try:
            if self._ahead is not None:
                with suppress(Damaged, ServiceError):
                    await finished(self._ahead)
        finally:
            self._source.close()
            self._stores.reads.end(self._token)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def find(
    tables: Tables, caller: Caller, operation: Operation, bucket: str, key: str, version_id: str | None
) -> tuple[BucketRow, VersionRow]:
    """The version that a request means, where the caller may do that to it. Raises ServiceError."""
    row = authorise(tables, caller, operation, bucket, key)
    version = named(tables, row, key, version_id)
    try:
        return row, authorise_version(caller, operation, row, key, version)
    except ServiceError as error:
        # Who may not list the bucket does not even learn that there is nothing.
        raise absent(row, key, version_id, version) if error.code == "NoSuchKey" else error from None


def look(
    stores: Stores, caller: Caller, operation: Operation, bucket: str, key: str, version_id: str | None,
    conditions: ReadConditions, customer: CustomerKey | None = None,
) -> tuple[ObjectInfo, VersionRow, ManifestRow | None]:  # fmt: skip
    """What a read would answer, from one snapshot; blocks. Raises NotModified, ServiceError."""

    def snapshot(tables: Tables) -> tuple[BucketRow, VersionRow, ManifestRow | None]:
        row, version = find(tables, caller, operation, bucket, key, version_id)
        return row, version, None if version.manifest is None else tables.manifests.get(version.manifest)

    row, version, manifest = stores.catalog.read(snapshot)
    check_customer(stores, caller, version.described.headers, customer)
    conditional = caller.sees_identity and reads_conditionally(caller, row, key, version)
    info = replace(read_info(stores, row, version), conditional=conditional)
    outcome = judge(stores, info.etag, version, conditions)
    if outcome is Outcome.NOT_MODIFIED:
        raise NotModified(info)
    if outcome is Outcome.PRECONDITION_FAILED:
        raise precondition_failed("If-Match")
    return info, version, manifest


def judge(stores: Stores, etag: str, version: VersionRow, conditions: ReadConditions) -> Outcome:
    """What the conditions of a read come to for a version (RFC 9110 §13.2.2)."""
    return evaluate(
        "GET",
        if_match=conditions.if_match,
        if_none_match=conditions.if_none_match,
        if_modified_since=conditions.if_modified_since,
        if_unmodified_since=conditions.if_unmodified_since,
        etag=etag,
        last_modified=int(version.created),
        now=stores.clock(),
    )


def begin(
    stores: Stores, caller: Caller, operation: Operation, bucket: str, key: str, version_id: str | None,
    conditions: ReadConditions, range_field: str | None, part: int | None = None,
    customer: CustomerKey | None = None,
) -> Reading:  # fmt: skip
    """A reading with its first piece opened; blocks. `part` reads one part. Raises NotModified, ServiceError."""
    token = stores.reads.begin()
    source: Source | None = None
    try:
        info, version, manifest = look(stores, caller, operation, bucket, key, version_id, conditions, customer)
        if manifest is None or manifest.size != info.size:
            raise Damaged("the manifest has not the length of its version")
        span = _span(range_field, info.size) if part is None else part_span(info, manifest, part)
        source = Source(stores, manifest, vault_of(stores, version.described.headers, customer))
        return Reading(stores, token, info, version, source, span)
    except BaseException as error:
        if source is not None:
            source.close()
        stores.reads.end(token)
        if isinstance(error, Damaged):
            raise ServiceError("InternalError", "The object's bytes are damaged.", key=key) from error
        raise


async def opened(stores: Stores, work: Callable[[], Reading]) -> Reading:
    """What `begin` gives, called by `work`, from a thread; nothing stays open where the task is cancelled meanwhile."""
    begun: list[Reading] = []

    def note() -> Reading:
        begun.append(work())
        return begun[0]

    try:
        return await stores.reading(note)
    except asyncio.CancelledError:
        # The thread has finished; what it opened belongs to nobody now, and the collector would wait for it.
        for reading in begun:
            await reading.aclose()
        raise


def _span(range_field: str | None, size: int) -> tuple[int, int] | None:
    """What of `size` bytes a Range asks for, None for everything."""
    selection = parse_range(range_field, size)
    if isinstance(selection, Unsatisfiable):
        raise ServiceError("InvalidRange", "The requested range is not satisfiable", range=range_field or "", size=size)
    return (selection.start, selection.end + 1) if isinstance(selection, Part) else None


def part_sizes(info: ObjectInfo, manifest: ManifestRow) -> tuple[int, ...]:
    """The sizes of an object's parts; one that was not uploaded in parts is its own only part."""
    return (info.size,) if info.parts_count is None else tuple(size for _, size in manifest.parts)


def part_span(info: ObjectInfo, manifest: ManifestRow, number: int) -> tuple[int, int]:
    """Where part `number` lies, from 1. Raises ServiceError InvalidPartNumber where there is none."""
    sizes = part_sizes(info, manifest)
    if number > len(sizes):
        raise ServiceError("InvalidPartNumber", "The requested partnumber is not satisfiable", part_number=number)
    start = sum(sizes[: number - 1])
    return start, start + sizes[number - 1]
