"""Object lock: what keeps a version from being removed, and who may change that.

The rules of this file:

- A lock is asked inside the transaction that would remove its version, by the one function that removes versions; no
  path leads around it. Time is the service's clock, never a request's.
- COMPLIANCE holds until its date for everybody. GOVERNANCE yields to a caller who asks to bypass it and may. A legal
  hold yields to nobody; it is taken off first.
- A retention is only ever made longer, unless it has ended or its governance is bypassed.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import msgspec
from msgspec.structs import replace

from origin.catalog.contract import Tables
from origin.catalog.rows import UNLOCKED, BucketRow, Lock, VersionRow
from origin.service.access import authorise, decide, denied
from origin.service.model import Caller, Permission, ServiceError, Setting
from origin.service.operations import Level, Operation, operation
from origin.service.stores import Stores
from origin.service.version_ids import Versioning, shown_id
from origin.service.versions import present
from wire.feed import BUCKET_CHANGED, OBJECT_LOCK

GOVERNANCE = "GOVERNANCE"
COMPLIANCE = "COMPLIANCE"
MODES = (GOVERNANCE, COMPLIANCE)
DAY = 86400.0
LONGEST_DAYS, LONGEST_YEARS = 36500, 100

Change = Callable[[BucketRow, Lock], Lock]

_BYPASS = Operation("BypassGovernanceRetention", Level.OBJECT, "", "", Permission.ADMIN)
"""A right that is no operation of its own; policies name it as they name operations."""


class DefaultRetention(msgspec.Struct, frozen=True):
    """What new objects of a bucket get: a mode, for days or for years of 365 days."""

    mode: str
    days: int | None = None
    years: int | None = None


class LockConfiguration(msgspec.Struct, frozen=True):
    """The document of a bucket that has object lock."""

    default: DefaultRetention | None = None


ENABLED = LockConfiguration()


def document_of(configuration: LockConfiguration) -> str:
    """The configuration as the bucket's setting keeps it."""
    return msgspec.json.encode(configuration).decode()


@lru_cache(maxsize=256)
def _configuration(document: str) -> LockConfiguration:
    return msgspec.json.decode(document, type=LockConfiguration)


def configuration_of(bucket: BucketRow) -> LockConfiguration | None:
    """The bucket's lock configuration; None where object lock was never enabled."""
    document = bucket.settings.get(Setting.OBJECT_LOCK)
    return None if document is None else _configuration(document)


def check_wanted(caller: Caller, bucket: BucketRow, key: str, wanted: Lock, now: float) -> None:
    """Raise ServiceError where a write asks for a lock that its caller may not set, or that cannot be.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html: a lock in the headers of a write
    needs the permission to set it.
    """
    if wanted == UNLOCKED:
        return
    if configuration_of(bucket) is None:
        raise _without_lock(bucket.name)
    needed = {"PutObjectRetention": wanted.mode, "PutObjectLegalHold": wanted.hold}
    for name, value in needed.items():
        if value is not None and not decide(caller, operation(name), bucket, key).allowed:
            raise denied()
    if wanted.until is not None and wanted.until <= now:
        raise _in_the_past()


def for_new(bucket: BucketRow, wanted: Lock, now: float) -> Lock:
    """The lock of a new version: what its writer asked for, else the bucket's default retention from `now`."""
    configuration = configuration_of(bucket)
    if wanted.mode is not None or configuration is None or configuration.default is None:
        return wanted
    default = configuration.default
    days = default.days if default.days is not None else 365 * (default.years or 0)
    return replace(wanted, mode=default.mode, until=now + days * DAY)


def check_removable(version: VersionRow, now: float, *, bypass: bool) -> None:
    """The lock gate. Raises ServiceError AccessDenied where the version's lock holds."""
    lock = version.lock
    if lock.hold or (_retained(lock, now) and not (lock.mode == GOVERNANCE and bypass)):
        raise ServiceError(
            "AccessDenied", "Access Denied because object protected by object lock.", key=version.key.decode()
        )


def bypasses(caller: Caller, bucket: BucketRow, key: str, asked: bool) -> bool:
    """True where the caller asks to bypass governance and may: that is an administrator's right."""
    return asked and decide(caller, _BYPASS, bucket, key).allowed


def _retained(lock: Lock, now: float) -> bool:
    return lock.until is not None and lock.until > now


def _check_change(old: Lock, new: Lock, now: float, *, bypass: bool) -> None:
    """Raise AccessDenied where a retention that still holds would become weaker."""
    if not _retained(old, now) or (old.mode == GOVERNANCE and bypass):
        return
    longer = new.mode == old.mode and new.until is not None and old.until is not None and new.until >= old.until
    if not longer:
        raise denied()


class Locks:
    """`Service.locks`: lock configurations of buckets, retentions and legal holds of versions."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def configuration(self, caller: Caller, bucket: str) -> LockConfiguration:
        """GetObjectLockConfiguration. Raises ServiceError: ObjectLockConfigurationNotFoundError, NoSuchBucket, …"""
        get = operation("GetObjectLockConfiguration")
        row = await self._stores.read(lambda tables: authorise(tables, caller, get, bucket))
        configuration = configuration_of(row)
        if configuration is None:
            raise ServiceError(
                "ObjectLockConfigurationNotFoundError",
                "Object Lock configuration does not exist for this bucket",
                bucket=bucket,
            )
        return configuration

    async def set_configuration(self, caller: Caller, bucket: str, configuration: LockConfiguration) -> None:
        """PutObjectLockConfiguration; on a versioned bucket it enables object lock, for good.

        Raises ServiceError: InvalidBucketState (not versioned), InvalidArgument, NoSuchBucket, AccessDenied.
        """
        _check_default(configuration.default)

        def transact(tables: Tables) -> None:
            row = authorise(tables, caller, operation("PutObjectLockConfiguration"), bucket)
            if row.versioning != Versioning.ENABLED:
                raise ServiceError(
                    "InvalidBucketState",
                    "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
                    bucket=bucket,
                )
            tables.buckets.set_setting(row.number, Setting.OBJECT_LOCK, document_of(configuration))
            tables.events.add(BUCKET_CHANGED, bucket, None, None, tables.meta.mutation(), self._stores.clock())

        await self._stores.write(transact)

    async def get(self, caller: Caller, name: str, bucket: str, key: str, version_id: str | None = None) -> Lock:
        """A version's lock; `name` is the operation's. Raises ServiceError: InvalidRequest (no object lock), …"""
        _, version = await self._stores.read(lambda tables: _lockable(tables, caller, name, bucket, key, version_id))
        return version.lock

    async def set_retention(
        self,
        caller: Caller,
        bucket: str,
        key: str,
        mode: str | None,
        until: float | None,
        version_id: str | None = None,
        *,
        bypass: bool = False,
    ) -> None:
        """PutObjectRetention; without mode and date the retention is taken off.

        Raises ServiceError: AccessDenied (it would become weaker), InvalidArgument (a date in the past),
        InvalidRequest (no object lock), NoSuchKey, NoSuchVersion, MethodNotAllowed (a delete marker).
        """
        now = self._stores.clock()
        if until is not None and until <= now:
            raise _in_the_past()

        def change(row: BucketRow, old: Lock) -> Lock:
            new = replace(old, mode=mode, until=until)
            _check_change(old, new, now, bypass=bypasses(caller, row, key, bypass))
            return new

        await self._change(caller, "PutObjectRetention", bucket, key, version_id, change)

    async def set_hold(self, caller: Caller, bucket: str, key: str, hold: bool, version_id: str | None = None) -> None:
        """PutObjectLegalHold. Raises as `set_retention` does."""
        await self._change(
            caller, "PutObjectLegalHold", bucket, key, version_id, lambda _, old: replace(old, hold=hold)
        )

    async def _change(
        self, caller: Caller, name: str, bucket: str, key: str, version_id: str | None, change: Change
    ) -> None:
        def transact(tables: Tables) -> None:
            row, version = _lockable(tables, caller, name, bucket, key, version_id)
            tables.versions.set_lock(version.sequence, change(row, version.lock))
            tables.events.add(
                OBJECT_LOCK, bucket, version.key, shown_id(row, version.version_id), tables.meta.mutation(),
                self._stores.clock(),
            )  # fmt: skip

        await self._stores.write(transact)


def _lockable(
    tables: Tables, caller: Caller, name: str, bucket: str, key: str, version_id: str | None
) -> tuple[BucketRow, VersionRow]:
    row = authorise(tables, caller, operation(name), bucket, key)
    if configuration_of(row) is None:
        raise _without_lock(bucket)
    return row, present(tables, row, key, version_id)


def _check_default(default: DefaultRetention | None) -> None:
    if default is None:
        return
    for name, value, longest in (("Days", default.days, LONGEST_DAYS), ("Years", default.years, LONGEST_YEARS)):
        if value is not None and not 1 <= value <= longest:
            wrong = "must be a positive integer value" if value < 1 else f"is too large: at most {longest}"
            raise ServiceError("InvalidArgument", f"Default retention period {wrong}.", argument=name)


def _without_lock(bucket: str) -> ServiceError:
    return ServiceError("InvalidRequest", "Bucket is missing Object Lock Configuration", bucket=bucket)


def _in_the_past() -> ServiceError:
    return ServiceError("InvalidArgument", "The retain until date must be in the future!")
