"""Copying one version: its bytes, checked against what the source says of them, and everything beside them.

The rule of this file: an ETag is reproduced or the note says that it is kept as given; an object that changes while it
is read is read again as it is then.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

from origin.catalog.rows import UNLOCKED, BucketRow, OwnerRow, VersionRow
from origin.jobs.migrate.history import Entry
from origin.jobs.migrate.reading import Seen, layouts, look, version_of, with_access
from origin.jobs.migrate.report import Report
from origin.jobs.migrate.source import TRIES, Changed, Source, SourceError, pause
from origin.jobs.migrate.verifying import read_back
from origin.jobs.migrate.wish import Migration
from origin.service.adopting import Foreign, Upload, mark_of
from origin.service.model import Expected, ServiceError, Setting
from origin.service.service import Service

_AGAIN = frozenset({"SlowDown", "BadDigest", "IncompleteBody"})
"""Refusals of this origin after which the bytes are read once more."""
CHECKSUM_NAMES = ("CRC64NVME", "CRC32C", "CRC32", "SHA256", "SHA1")


class Copying:
    """Copies versions into `bucket`, which is None in a dry run without one."""

    def __init__(
        self, service: Service, source: Source, report: Report, bucket: BucketRow | None, versioned: bool,
        wish: Migration, owners: list[OwnerRow],
    ) -> None:  # fmt: skip
        self._service = service
        self._source = source
        self._report = report
        self._bucket = bucket
        self._versioned = versioned
        self._wish = wish
        self._ids = {owner.id: owner.id for owner in owners}
        names = {owner.name: owner.id for owner in owners}
        for there, name in wish.owners.items():
            if name not in names:
                raise ServiceError("InvalidArgument", f"There is no owner {name} (--owner-map).")
            self._ids[there] = names[name]

    async def adopt(self, entry: Entry) -> None:
        """Copy a version. Raises SourceError, ServiceError."""
        if self._wish.dry_run:
            self._count(entry, entry.size)
            return
        assert self._bucket is not None, "only a dry run has none"
        if entry.marker:
            await self._service.adoption.mark(self._bucket, self._marker(entry, self._bucket))
            self._count(entry, 0)
            return
        tries = 0
        while True:
            try:
                size = await self._copy(entry, self._bucket)
                break
            except (Changed, ServiceError) as error:
                tries += 1
                if tries == TRIES or (isinstance(error, ServiceError) and error.code not in _AGAIN):
                    raise
                await asyncio.sleep(pause(tries))
        self._count(entry, size)
        if self._wish.verify:
            await self._verify(entry)

    async def again(self, entry: Entry, row: VersionRow) -> None:
        """Look after a version that is here already: its list and tags may have changed. Raises as `adopt`."""
        refreshed = False
        if not (entry.marker or self._wish.quick or self._wish.dry_run):
            assert self._bucket is not None, "it has a version"
            known = Foreign(key=entry.key, version_id=entry.version_id, created=row.created, owner=row.owner.id)
            note = partial(self._note, entry)
            foreign = await with_access(
                self._source, known, entry, version_of(entry, self._versioned), self._ids.get, row.owner.id, note
            )
            refreshed = await self._service.adoption.refresh(self._bucket, row, foreign)
        self._report.refreshed += refreshed
        self._report.unchanged += not refreshed
        if self._wish.verify and not entry.marker and not self._wish.dry_run:
            await self._verify(entry)

    def _count(self, entry: Entry, size: int) -> None:
        self._report.markers += entry.marker
        self._report.copied += not entry.marker
        self._report.copied_bytes += size

    def _note(self, entry: Entry, what: str) -> None:
        self._report.note(entry.key, entry.version_id, what)

    def _marker(self, entry: Entry, bucket: BucketRow) -> Foreign:
        return Foreign(
            key=entry.key, version_id=entry.version_id, created=entry.modified, marker=True,
            owner=self._ids.get(entry.owner, bucket.owner.id),
        )  # fmt: skip

    async def _copy(self, entry: Entry, bucket: BucketRow) -> int:
        note = partial(self._note, entry)
        seen = await look(self._source, entry, self._versioned, self._ids.get, bucket.owner.id, note)
        if seen.foreign.lock != UNLOCKED and Setting.OBJECT_LOCK not in bucket.settings:
            note("its lock is left out: the bucket here has no object lock")
        if seen.parts is not None:
            await self._copy_parts(entry, bucket, seen, seen.parts)
        else:
            await self._copy_whole(entry, bucket, seen)
        return seen.foreign.size

    async def _copy_whole(self, entry: Entry, bucket: BucketRow, seen: Seen) -> None:
        foreign = seen.foreign
        sums = seen.whole_checksums
        if seen.md5 is None:
            how = "by its checksum" if sums else "by its size"
            self._note(entry, f"its ETag is not the MD5 of its bytes; it is kept as given, the bytes are checked {how}")
        expected = Expected(length=foreign.size, md5=seen.md5, checksums=sums)
        await self._service.adoption.put(bucket, foreign, expected, self._body(entry, foreign, 0, foreign.size))

    async def _copy_parts(self, entry: Entry, bucket: BucketRow, seen: Seen, parts: int) -> None:
        foreign = seen.foreign
        algorithm = next((name for name in CHECKSUM_NAMES if name in seen.checksums), None)
        kind = seen.checksum_type if algorithm else None
        candidates = await layouts(self._source, entry, self._versioned, foreign.size, parts)
        if not seen.plain_md5:
            candidates = candidates[:1]
        for attempt, sizes in enumerate(candidates):
            last = attempt == len(candidates) - 1
            upload = await self._service.adoption.begin(bucket, foreign, algorithm, kind, attempt)
            try:
                await self._parts(entry, foreign, upload, sizes)
            except Changed:
                await upload.abort()
                raise
            made = await self._service.adoption.complete(upload, foreign, keep_etag=last)
            if made == foreign.etag:
                return
            if not last:
                await upload.abort()
        self._note(entry, "its ETag could not be made again of its parts; it is kept as given")

    async def _parts(self, entry: Entry, foreign: Foreign, upload: Upload, sizes: list[int]) -> None:
        stored, start = await upload.sizes(), 0
        for number, size in enumerate(sizes, start=1):
            if stored.get(number) != size:
                await upload.put(number, size, self._body(entry, foreign, start, size))
            start += size

    def _body(self, entry: Entry, foreign: Foreign, start: int, size: int) -> AsyncIterator[bytes]:
        return self._source.stream(entry.key, version_of(entry, self._versioned), foreign.etag, start, size)

    async def _verify(self, entry: Entry) -> None:
        assert self._bucket is not None, "it has the version"
        reason = await read_back(self._service, self._bucket, entry.key, mark_of(entry.version_id))
        if reason is not None:
            raise SourceError("Damaged", reason)
        self._report.verified += 1
