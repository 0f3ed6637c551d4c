"""A migration from beginning to end: list, copy key by key, remove what is gone, report.

The rules of this file: the versions of a key are adopted one after the other, oldest first, and one that fails ends its
key for this run, so a history here is always the beginning of the one there; keys go side by side. What is done is
asked of the catalog before every key. A version that somebody wrote here after the source's is never covered by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from origin.catalog.rows import BucketRow, VersionRow
from origin.jobs.migrate.copying import Copying
from origin.jobs.migrate.history import Entry, History, histories, versioning_of
from origin.jobs.migrate.report import Report
from origin.jobs.migrate.source import Source, SourceError
from origin.jobs.migrate.wish import Migration
from origin.jobs.pace import Pace
from origin.jobs.progress import Progress, Tell
from origin.service.adopting import as_owner, has_mark, mark_of
from origin.service.model import Caller, Key, Owner, Permission, ServiceError
from origin.service.service import Service
from origin.service.version_ids import Versioning

PAGE = 1000
SAME = 1.0
"""Seconds by which two dates of one version may differ: listings and headers round them."""
STOPPING = frozenset({"InsufficientStorage", "QuotaExceeded", "ServiceUnavailable", "NoSuchBucket"})
"""Refusals of this origin that end the run: everything else would be refused as well."""


async def migrate(service: Service, wish: Migration, tell: Tell) -> dict[str, Any]:
    """Carry it out. Raises ServiceError where it cannot begin or cannot go on."""
    if not 1 <= wish.at_once <= 64:
        raise ServiceError("InvalidArgument", "--at-once is from 1 to 64.")
    source = Source(wish.source, 3 * wish.at_once + 2, Pace(wish.rate))
    path = service.settings.data / f"migrate-{wish.bucket}.jsonl"
    try:
        with Report(path) as report:
            await _Run(service, wish, source, report, tell).run()
            return report.document()
    except SourceError as error:
        raise ServiceError(error.code, f"{error}") from None
    finally:
        source.close()


class _Run:
    def __init__(self, service: Service, wish: Migration, source: Source, report: Report, tell: Tell) -> None:
        self._service = service
        self._wish = wish
        self._source = source
        self._report = report
        self._tell = tell
        self._whole = True
        self._seen = 0
        self._seen_bytes = 0

    async def run(self) -> None:
        state = await versioning_of(self._source)
        self._versioned = state is not Versioning.NEVER and not self._wish.current_only
        await self._begin()
        bucket = await self._bucket(state)
        owners = await self._service.adoption.owners()
        self._copying = Copying(self._service, self._source, self._report, bucket, self._versioned, self._wish, owners)
        survey = asyncio.create_task(self._survey())
        try:
            await self._copy_all()
            await survey
        finally:
            survey.cancel()
            await asyncio.gather(survey, return_exceptions=True)
        if self._wish.delete and bucket is not None and self._whole:
            await self._remove_gone(bucket)

    async def _begin(self) -> None:
        """Ask for the first page, so that wrong names and keys are told before anything is changed here."""
        async for _ in histories(self._source, self._versioned):
            return

    async def _bucket(self, state: Versioning) -> BucketRow | None:
        """The bucket here, made where it is missing; None for a dry run without one."""
        name = self._wish.bucket
        row = await self._service.stores.bucket(name)
        if self._wish.dry_run:
            return row
        if row is None:
            owner = await self._service.stores.read(lambda tables: tables.owners.named(self._wish.owner))
            if owner is None:
                raise ServiceError("InvalidArgument", f"There is no owner {self._wish.owner} (--owner).")
            key = Key("migration", Owner(owner.id, owner.name, owner.display), frozenset({Permission.ADMIN}))
            await self._service.buckets.create(Caller(key=key, secure=True), name)
            row = await self._service.stores.bucket(name)
            assert row is not None, "it was just made"
        if self._versioned and row.versioning == Versioning.NEVER:
            await self._service.versions.set_state(Caller(key=as_owner(row), secure=True), name, state)
            row = await self._service.stores.bucket(name)
        return row

    async def _survey(self) -> None:
        """Count what there is, ahead of the copying."""
        with suppress(SourceError):  # the copying lists as well, and reports it
            await self._count()

    async def _count(self) -> None:
        async for history in histories(self._source, self._versioned):
            self._report.listed += len(history.entries)
            self._report.listed_bytes += sum(entry.size for entry in history.entries)
            self._show()

    async def _copy_all(self) -> None:
        turns = asyncio.Semaphore(self._wish.at_once)
        try:
            async with asyncio.TaskGroup() as group:
                try:
                    async for history in histories(self._source, self._versioned):
                        await turns.acquire()
                        group.create_task(self._in_turn(turns, history))
                except SourceError as error:
                    self._whole = False
                    self._report.fail("", None, f"the listing broke off: {error}")
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _in_turn(self, turns: asyncio.Semaphore, history: History) -> None:
        try:
            await self._key(history)
        finally:
            turns.release()

    async def _key(self, history: History) -> None:
        """Adopt what is missing of one key's history."""
        try:
            here = await self._here(history.key)
        except ServiceError as error:
            self._report.fail(history.key, None, f"{error.message} ({error.code})")
            return
        marks = {mark_of(entry.version_id) for entry in history.entries} - {""}
        for number, entry in enumerate(history.entries):
            reason = await self._entry(entry, here, marks)
            self._seen += 1
            self._seen_bytes += entry.size
            self._show()
            if reason is not None:
                self._report.fail(entry.key, entry.version_id, reason)
                for later in history.entries[number + 1 :]:
                    self._report.fail(later.key, later.version_id, "an older version of the key failed")
                return

    async def _here(self, key: str) -> list[tuple[VersionRow, str]]:
        if self._wish.dry_run and await self._service.stores.bucket(self._wish.bucket) is None:
            return []
        return await self._service.adoption.history(self._wish.bucket, key)

    async def _entry(self, entry: Entry, here: list[tuple[VersionRow, str]], marks: set[str]) -> str | None:
        """Adopt one version; returns why it failed."""
        mark = mark_of(entry.version_id)
        known = next(((row, etag) for row, etag in here if has_mark(row, mark)), None)
        try:
            if known is not None and (mark or _same(entry, *known)):
                await self._copying.again(entry, known[0])
            elif here and _is_newer(here[0][0], entry, marks):
                self._report.newer += 1
            else:
                await self._copying.adopt(entry)
        except SourceError as error:
            return f"{error}"
        except ServiceError as error:
            if error.code in STOPPING:
                raise
            return f"{error.message} ({error.code})"
        except (LookupError, ValueError) as error:
            return f"the source's answer cannot be read: {error!r}"
        return None

    async def _remove_gone(self, bucket: BucketRow) -> None:
        """Remove what the source no longer has. Both sides are read in the order of keys."""
        theirs = histories(self._source, self._versioned)
        there = await anext(theirs, None)
        async for key in self._keys(bucket):
            while there is not None and there.key.encode() < key.encode():
                before, there = there.key, await anext(theirs, None)
                if there is not None and there.key.encode() <= before.encode():
                    self._report.fail(there.key, None, "the source lists out of order: nothing more is removed")
                    return
            entries = there.entries if there is not None and there.key == key else ()
            marks = {mark_of(entry.version_id) for entry in entries}
            for row, _ in await self._service.adoption.history(bucket.name, key):
                mark = next((one for one in marks if has_mark(row, one)), None)
                if mark is None:
                    await self._remove(bucket, row)

    async def _remove(self, bucket: BucketRow, row: VersionRow) -> None:
        try:
            if not self._wish.dry_run:
                await self._service.adoption.remove(bucket, row)
            self._report.removed += 1
        except ServiceError as error:
            self._report.fail(row.key.decode(), None, f"not removed: {error.message} ({error.code})")

    async def _keys(self, bucket: BucketRow) -> AsyncIterator[str]:
        after = ""
        while page := await self._service.adoption.keys(bucket, self._wish.source.prefix, after, PAGE):
            for key in page:
                yield key
            after = page[-1]

    def _show(self) -> None:
        total, size = max(self._report.listed, self._seen), max(self._report.listed_bytes, self._seen_bytes)
        self._tell(Progress("versions" if self._versioned else "objects", self._seen, total, "objects"))
        self._tell(Progress("bytes", self._seen_bytes, size, "bytes"))


def _same(entry: Entry, row: VersionRow, etag: str) -> bool:
    """Whether the null version here is the one there."""
    same_kind = entry.marker == row.marker and (entry.marker or (entry.etag, entry.size) == (etag, row.size))
    return same_kind and abs(row.created - entry.modified) < SAME


def _is_newer(latest: VersionRow, entry: Entry, marks: set[str]) -> bool:
    """Whether somebody wrote the key here after the source's version was made."""
    return latest.created >= entry.modified + SAME and not any(has_mark(latest, mark) for mark in marks)
