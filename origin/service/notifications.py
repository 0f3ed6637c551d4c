"""Event notifications of buckets: which changes are told to whom, and what is noted with a change in the feed.

The rule of this file: what is told is decided in the transaction of the change, by the configuration as it is then,
and is kept sealed with the feed's event until it is delivered. Names and filters are AWS's:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from origin.catalog.rows import BucketRow, EventRow, NewVersion, VersionRow
from origin.seal.keyring import NONCE_BYTES
from origin.service.describe import digests_of
from origin.service.model import Caller, ServiceError, Setting
from origin.service.settings import Settings
from origin.service.stores import Stores

TEST = "s3:TestEvent"
EVENTS = (
    "ObjectCreated:*", "ObjectCreated:Put", "ObjectCreated:Post", "ObjectCreated:Copy",
    "ObjectCreated:CompleteMultipartUpload", "ObjectRemoved:*", "ObjectRemoved:Delete",
    "ObjectRemoved:DeleteMarkerCreated", "ObjectRestore:*", "ObjectRestore:Post", "ObjectRestore:Completed",
    "ObjectRestore:Delete", "ReducedRedundancyLostObject", "Replication:*", "Replication:OperationFailedReplication",
    "Replication:OperationNotTracked", "Replication:OperationMissedThreshold",
    "Replication:OperationReplicatedAfterThreshold", "LifecycleTransition", "IntelligentTiering", "ObjectAcl:Put",
    "LifecycleExpiration:*", "LifecycleExpiration:Delete", "LifecycleExpiration:DeleteMarkerCreated",
    "ObjectTagging:*", "ObjectTagging:Put", "ObjectTagging:Delete",
)  # fmt: skip
"""Every event that a configuration may name, without s3: before it."""

PUT, POST = "ObjectCreated:Put", "ObjectCreated:Post"
COPY, COMPLETE = "ObjectCreated:Copy", "ObjectCreated:CompleteMultipartUpload"
TRANSITION = "LifecycleTransition"
ACL = "ObjectAcl:Put"
TAGGED, UNTAGGED = "ObjectTagging:Put", "ObjectTagging:Delete"

Version = NewVersion | VersionRow
_CONTEXT = "event notice"


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One configuration: events (as EVENTS has them) of keys with that beginning and end, told to a destination.

    `kind` is topic, queue or function: how a client spelled it.
    """

    kind: str
    id: str
    arn: str
    events: tuple[str, ...]
    prefix: str | None = None
    suffix: str | None = None

    def wants(self, event: str, key: str) -> bool:
        """Whether it is told of an event of a key."""
        return (
            any(_wildcard(one, event) for one in self.events)
            and key.startswith(self.prefix or "")
            and key.endswith(self.suffix or "")
        )


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something changed: an event of `EVENTS`, and who made it (None is the bucket's lifecycle)."""

    event: str
    caller: Caller | None


class Notice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is told of a change, and to whom: (ARN, id of the configuration)."""

    event: str
    targets: tuple[tuple[str, str], ...]
    bucket_owner: str
    region: str
    principal: str = ""
    address: str = ""
    request: str = ""
    size: int | None = None
    etag: str | None = None


_decoder = msgspec.json.Decoder(Notice)


@lru_cache(maxsize=256)
def targets_of(document: str) -> tuple[Target, ...]:
    """The configurations as a bucket keeps them."""
    return msgspec.json.decode(document, type=tuple[Target, ...])


def removal(caller: Caller | None, *, marker: bool) -> Cause:
    """A removal by a caller, or by the bucket's lifecycle (None). `marker` is a delete marker's making."""
    what = "DeleteMarkerCreated" if marker else "Delete"
    return Cause(f"{'ObjectRemoved' if caller else 'LifecycleExpiration'}:{what}", caller)


def note(
    stores: Stores, bucket: BucketRow, counter: int, cause: Cause, key: bytes, *, version: Version | None = None
) -> bytes | None:
    """The sealed notice of a change, None where nobody is to be told.

    `counter` is the event's; `version` the one whose size and tag are told.
    """
    document = bucket.settings.get(Setting.NOTIFICATION)
    if document is None:
        return None
    wanting = tuple(_wanting(document, cause.event, key.decode()))
    if not wanting:
        return None
    size, etag = (None, None) if version is None else (version.size, digests_of(stores, version).etag)
    return _sealed(stores, bucket, counter, cause, wanting, size=size, etag=etag)


class Notifications:
    """`Service.notifications`."""

    def __init__(self, stores: Stores, settings: Settings) -> None:
        self._stores = stores
        self._settings = settings

    async def targets(self, caller: Caller, bucket: str) -> tuple[Target, ...]:
        """GetBucketNotificationConfiguration. Raises ServiceError: NoSuchBucket, AccessDenied."""
        document = await self._settings.get(caller, "GetBucketNotificationConfiguration", bucket, Setting.NOTIFICATION)
        return () if document is None else targets_of(document)

    async def set_targets(self, caller: Caller, bucket: str, targets: tuple[Target, ...]) -> None:
        """PutBucketNotificationConfiguration; every destination gets a test event.

        Raises ServiceError: InvalidArgument (a destination that the settings do not have, configurations that
        overlap), NoSuchBucket, AccessDenied.
        """
        name = "PutBucketNotificationConfiguration"
        targets = tuple(
            target if target.id else msgspec.structs.replace(target, id=self._stores.random(16).hex())
            for target in targets
        )
        check_targets(targets, {one.arn for one in self._stores.settings.destinations})
        document = msgspec.json.encode(targets).decode() if targets else None

        def tell(row: BucketRow, counter: int) -> bytes | None:
            return note_test(self._stores, row, counter, targets, caller) if targets else None

        await self._settings.put(caller, name, bucket, Setting.NOTIFICATION, document, note=tell)


def check_targets(targets: tuple[Target, ...], known: Collection[str]) -> None:
    """Raise ServiceError (InvalidArgument) where configurations cannot be carried out."""
    if len({target.id for target in targets}) != len(targets):
        raise _invalid("Same ID used for multiple configurations. IDs must be unique.")
    for target in targets:
        if target.arn not in known:
            raise _invalid("Unable to validate the following destination configurations", target.arn)
    for number, one in enumerate(targets):
        if any(_overlap(one, other) for other in targets[:number]):
            raise _invalid(
                "Configurations overlap. Configurations on the same bucket cannot share a common event type."
            )


def _overlap(one: Target, other: Target) -> bool:
    """Whether two configurations may both be told of one event of one key."""
    return (
        any(_wildcard(left, right) or _wildcard(right, left) for left in one.events for right in other.events)
        and _either_way(one.prefix or "", other.prefix or "", str.startswith)
        and _either_way(one.suffix or "", other.suffix or "", str.endswith)
    )


def _wildcard(pattern: str, event: str) -> bool:
    return pattern == event or (pattern.endswith("*") and event.startswith(pattern[:-1]))


def _either_way(one: str, other: str, holds: Callable[[str, str], bool]) -> bool:
    return holds(one, other) or holds(other, one)


def _invalid(message: str, value: str = "") -> ServiceError:
    return ServiceError("InvalidArgument", message, argument="Configuration", value=value)


def note_test(stores: Stores, bucket: BucketRow, counter: int, targets: tuple[Target, ...], caller: Caller) -> bytes:
    """The sealed notice of a new configuration: every destination is told once that it is one."""
    pairs = tuple(dict.fromkeys((target.arn, "") for target in targets))
    return _sealed(stores, bucket, counter, Cause(TEST, caller), pairs)


def _wanting(document: str, event: str, key: str) -> Iterator[tuple[str, str]]:
    return ((target.arn, target.id) for target in targets_of(document) if target.wants(event, key))


def _sealed(
    stores: Stores, bucket: BucketRow, counter: int, cause: Cause, targets: tuple[tuple[str, str], ...],
    *, size: int | None = None, etag: str | None = None,
) -> bytes:  # fmt: skip
    caller = cause.caller
    notice = Notice(
        event=cause.event,
        targets=targets,
        bucket_owner=bucket.owner.id,
        region=bucket.region,
        principal=caller.owner.id if caller and caller.owner else "",
        address=caller.address if caller else "",
        request=caller.request if caller else "",
        size=size,
        etag=etag,
    )
    return stores.keys.seal(_CONTEXT, _bound(counter), msgspec.json.encode(notice), stores.random(NONCE_BYTES))


def notice_of(stores: Stores, event: EventRow) -> Notice:
    """The notice of an event that has one."""
    assert event.notice is not None
    return _decoder.decode(stores.keys.open(_CONTEXT, _bound(event.counter), event.notice))


def _bound(counter: int) -> bytes:
    return counter.to_bytes(8, "big")
