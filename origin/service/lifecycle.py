"""Lifecycle configurations of buckets, and the removals that follow from them.

The rule of this file: whatever a rule removes goes the way of every other delete, so locks hold and the feed tells of
it; and whether it is due is asked again inside the transaction that removes it.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from origin.catalog.contract import Tables
from origin.catalog.rows import BucketRow, UploadState, VersionRow
from origin.service.model import Caller, ServiceError, Setting
from origin.service.placing import bucket_again, place_marker, remove_version
from origin.service.rules import Past, Rule, Rules, decoded, is_due, rules_of, upload_is_due
from origin.service.settings import Settings
from origin.service.stores import Stores
from origin.service.version_ids import Versioning

MOST_RULES = 1000
MOST_NEWER = 100
LONGEST_ID = 255
MIDNIGHT = 86400


@dataclass(frozen=True, slots=True)
class Due:
    """A version that a snapshot showed to be due."""

    version: VersionRow
    past: Past | None


@dataclass(slots=True)
class Swept:
    """What became of what was due."""

    removed: int = 0
    locked: int = 0
    aborted: int = 0

    def add(self, other: Swept) -> None:
        """Count another batch."""
        self.removed += other.removed
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
        check_rules(checked)
        document = msgspec.json.encode(checked).decode()
        await self._settings.put(caller, "PutBucketLifecycleConfiguration", bucket, Setting.LIFECYCLE, document)

    async def remove_rules(self, caller: Caller, bucket: str) -> None:
        """DeleteBucketLifecycle. Raises ServiceError: NoSuchBucket, AccessDenied."""
        await self._settings.put(caller, "DeleteBucketLifecycle", bucket, Setting.LIFECYCLE, None)

    async def buckets(self) -> list[BucketRow]:
        """Every bucket that has rules."""
        return await self._stores.read(lambda tables: tables.buckets.with_setting(Setting.LIFECYCLE))

    async def remove(self, bucket: BucketRow, batch: Sequence[Due], day: float) -> Swept:
        """Remove what of a batch is still due, in one commit. A day lasts `day` seconds.

        Raises ServiceError: NoSuchBucket; errors of the stores.
        """
        now = self._stores.clock()

        def transact(tables: Tables) -> Swept:
            current = bucket_again(tables, bucket)
            rules, swept = rules_of(current), Swept()
            for due in batch:
                version = _again(tables, due)
                if version is None or not is_due(rules, version, due.past, now, day):
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
            place_marker(self._stores, tables, bucket, version.key)
        else:
            remove_version(self._stores, tables, bucket, version)

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


# What is wrong with a rule, in the order in which it is told, in AWS's words.
_MISTAKES: tuple[tuple[Callable[[Rule], bool], str, str], ...] = (
    (
        lambda rule: len(rule.id) > LONGEST_ID,
        "InvalidArgument",
        f"ID length should not exceed allowed limit of {LONGEST_ID}",
    ),
    (
        lambda rule: rule.expiration is None and rule.noncurrent is None and rule.abort_days is None,
        "InvalidRequest",
        "At least one action needs to be specified in a rule",
    ),
    (
        lambda rule: rule.expiration is not None and rule.expiration.days is not None and rule.expiration.days < 1,
        "InvalidArgument",
        "'Days' for Expiration action must be a positive integer",
    ),
    (
        lambda rule: rule.expiration is not None and (rule.expiration.date or 0) % MIDNIGHT != 0,
        "InvalidArgument",
        "'Date' must be at midnight GMT",
    ),
    (
        lambda rule: rule.noncurrent is not None and rule.noncurrent.days < 1,
        "InvalidArgument",
        "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer",
    ),
    (
        lambda rule: (
            rule.noncurrent is not None
            and rule.noncurrent.newer is not None
            and not 1 <= rule.noncurrent.newer <= MOST_NEWER
        ),
        "InvalidArgument",
        f"'NewerNoncurrentVersions' must be between 1 and {MOST_NEWER}",
    ),
    (
        lambda rule: rule.abort_days is not None and rule.abort_days < 1,
        "InvalidArgument",
        "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer",
    ),
    (
        lambda rule: rule.filter is not None and any(value is not None and value < 0 for value in _sizes(rule)),
        "InvalidArgument",
        "Object sizes of a filter must not be negative",
    ),
    (
        lambda rule: _sizes_cross(*_sizes(rule)),
        "InvalidRequest",
        "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'",
    ),
    (
        lambda rule: rule.abort_days is not None and _picks_objects(rule),
        "InvalidRequest",
        "AbortIncompleteMultipartUpload cannot be specified with Tags or object sizes",
    ),
    (
        lambda rule: rule.expiration is not None and rule.expiration.markers is not None and _picks_objects(rule),
        "InvalidRequest",
        "ExpiredObjectDeleteMarker cannot be specified with Tags or object sizes",
    ),
)


def check_rules(rules: Rules) -> None:
    """Raise ServiceError where rules that are well formed make no sense."""
    if len(rules) > MOST_RULES:
        raise ServiceError("InvalidRequest", f"The number of lifecycle rules must not exceed {MOST_RULES}")
    if len({rule.id for rule in rules}) != len(rules):
        raise ServiceError("InvalidArgument", "Rule ID must be unique. Found same ID for more than one rule")
    for rule in rules:
        for is_wrong, code, message in _MISTAKES:
            if is_wrong(rule):
                raise ServiceError(code, message, argument=rule.id)


def _sizes(rule: Rule) -> tuple[int | None, int | None]:
    return (None, None) if rule.filter is None else (rule.filter.greater, rule.filter.less)


def _sizes_cross(greater: int | None, less: int | None) -> bool:
    return greater is not None and less is not None and greater >= less


def _picks_objects(rule: Rule) -> bool:
    """True where the filter asks what neither an upload nor a delete marker has."""
    return rule.filter is not None and bool(rule.filter.tags or _sizes(rule) != (None, None))
