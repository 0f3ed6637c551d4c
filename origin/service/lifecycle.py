"""Lifecycle configurations of buckets, and the removals that follow from them.

The rule of this file: whatever a rule removes goes the way of every other delete, so locks hold and the feed tells of
it; and whether it is due is asked again inside the transaction that removes it.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from origin.catalog.contract import Tables
from origin.catalog.rows import BucketRow, UploadState, VersionRow
from origin.service.mistakes import check_rules
from origin.service.model import Caller, ServiceError, Setting
from origin.service.notifications import TRANSITION, Cause, note
from origin.service.placing import bucket_again, place_marker, remove_version
from origin.service.rules import Past, Rule, Rules, class_due, decoded, is_due, rules_of, upload_is_due
from origin.service.settings import Settings
from origin.service.stores import Stores
from origin.service.version_ids import Versioning, shown_id
from wire.feed import OBJECT_CLASS


@dataclass(frozen=True, slots=True)
class Due:
    """A version that a snapshot showed to be due."""

    version: VersionRow
    past: Past | None


@dataclass(slots=True)
class Swept:
    """What became of what was due."""

    removed: int = 0
    moved: int = 0
    locked: int = 0
    aborted: int = 0

    def add(self, other: Swept) -> None:
        """Count another batch."""
        self.removed += other.removed
        self.moved += other.moved
        self.locked += other.locked
        self.aborted += other.aborted


class Lifecycle:
    """`Service.lifecycle`."""

    def __init__(self, stores: Stores, settings: Settings) -> None:
        self._stores = stores
        self._settings = settings

    async def rules(self, caller: Caller, bucket: str) -> Rules:
        """GetBucketLifecycleConfiguration. Raises ServiceError: NoSuchLifecycleConfiguration, NoSuchBucket, …"""
        document = await self._settings.get(caller, "GetBucketLifecycleConfiguration", bucket, Setting.LIFECYCLE)
        if document is None:
            raise ServiceError(
                "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist", bucket=bucket
            )
        return decoded(document)

    async def set_rules(self, caller: Caller, bucket: str, rules: Sequence[Rule]) -> None:
        """PutBucketLifecycleConfiguration; a rule without an id gets one.

        Raises ServiceError: InvalidArgument, InvalidRequest, NoSuchBucket, AccessDenied.
        """
        checked = tuple(
            rule if rule.id else msgspec.structs.replace(rule, id=self._stores.random(24).hex()) for rule in rules
        )
        check_rules(checked, self._stores.settings.origin.lifecycle_day)
        document = msgspec.json.encode(checked).decode()
        await self._settings.put(caller, "PutBucketLifecycleConfiguration", bucket, Setting.LIFECYCLE, document)

    async def remove_rules(self, caller: Caller, bucket: str) -> None:
        """DeleteBucketLifecycle. Raises ServiceError: NoSuchBucket, AccessDenied."""
        await self._settings.put(caller, "DeleteBucketLifecycle", bucket, Setting.LIFECYCLE, None)

    async def buckets(self) -> list[BucketRow]:
        """Every bucket that has rules."""
        return await self._stores.read(lambda tables: tables.buckets.with_setting(Setting.LIFECYCLE))

    async def remove(self, bucket: BucketRow, batch: Sequence[Due], day: float) -> Swept:
        """Remove or move what of a batch is still due, in one commit. A day lasts `day` seconds.

        Raises ServiceError: NoSuchBucket; errors of the stores.
        """
        now = self._stores.clock()

        def transact(tables: Tables) -> Swept:
            current = bucket_again(tables, bucket)
            rules, swept = rules_of(current), Swept()
            for due in batch:
                version = _again(tables, due)
                if version is None:
                    continue
                if not is_due(rules, version, due.past, now, day):
                    swept.moved += self._move(tables, current, version, class_due(rules, version, due.past, now, day))
                    continue
                try:
                    self._remove(tables, current, version)
                    swept.removed += 1
                except ServiceError as error:
                    if error.code != "AccessDenied":
                        raise
                    swept.locked += 1
            return swept

        return await self._stores.write(transact)

    def _remove(self, tables: Tables, bucket: BucketRow, version: VersionRow) -> None:
        """What a client's delete would do: the current version of a versioned bucket is hidden, all else removed."""
        if version.latest and not version.marker and bucket.versioning != Versioning.NEVER:
            place_marker(self._stores, tables, bucket, version.key, None)
        else:
            remove_version(self._stores, tables, bucket, version, None)

    def _move(self, tables: Tables, bucket: BucketRow, version: VersionRow, to: str | None) -> bool:
        """Give a version another storage class, where it is to have one."""
        if to is None:
            return False
        tables.versions.set_storage_class(version.sequence, to)
        shown, now, counter = shown_id(bucket, version.version_id), self._stores.clock(), tables.meta.mutation()
        notice = note(self._stores, bucket, counter, Cause(TRANSITION, None), version.key, version=version)
        tables.events.add(OBJECT_CLASS, bucket.name, version.key, shown, counter, now, notice)
        return True

    async def abort(self, bucket: BucketRow, uploads: Sequence[str], day: float) -> Swept:
        """Abort what of these uploads is still open and due. Raises as `remove` does."""
        now = self._stores.clock()

        def transact(tables: Tables) -> Swept:
            rules, swept = rules_of(bucket_again(tables, bucket)), Swept()
            for upload_id in uploads:
                upload = tables.uploads.get(upload_id)
                if upload and upload.state is UploadState.OPEN and upload_is_due(rules, upload, now, day):
                    tables.uploads.finish(upload_id, UploadState.ABORTED, now)
                    swept.aborted += 1
            return swept

        return await self._stores.write(transact)


def _again(tables: Tables, due: Due) -> VersionRow | None:
    """The version as it is now; None where it is gone or stands elsewhere among the versions of its key."""
    seen = due.version
    version = tables.versions.get(seen.bucket, seen.key, seen.version_id)
    if version is None or version.sequence != seen.sequence or version.latest is not (due.past is None):
        return None
    if version.latest and version.marker:
        older = tables.versions.history(seen.bucket, seen.key, seen.key + b"\0", version.sequence)
        return None if next(older, None) else version
    return version
