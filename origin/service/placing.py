"""Step 7 of a write, and every other change of versions: functions that run inside the committing transaction.

The rule of this file: nothing here blocks on anything but the catalog and a file's length, and nothing changes but
the tables, so a function may be run again from its start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from origin.catalog.contract import Tables
from origin.catalog.rows import BlobState, BucketRow, NewBlob, NewVersion, VersionRow
from origin.seal.keyring import NONCE_BYTES
from origin.service.access import denied, no_such_bucket, no_such_key
from origin.service.describe import digests_of
from origin.service.ingest import Content
from origin.service.model import ServiceError, WriteConditions
from origin.service.quota import check_quota
from origin.service.source import INLINE
from origin.service.stores import Stores
from wire.feed import OBJECT_CREATED, OBJECT_REMOVED

ABANDONED = 0
"""The epoch of pending ids that no process works on."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A manifest with one reference, and the ids of our blobs that turned out to be duplicates."""

    manifest: int
    duplicates: tuple[bytes, ...]


def place_content(stores: Stores, tables: Tables, content: Content, pending: Sequence[bytes]) -> Placed:
    """A manifest for a received body: its blobs join what is known, or are kept.

    Of the pending ids only the duplicates stay pending, abandoned, until their files are gone.
    """
    seal_id = stores.random(16)
    inline = None
    if content.inline is not None:
        inline = stores.keys.seal(INLINE, seal_id, content.inline, stores.random(NONCE_BYTES))
    manifest = tables.manifests.insert(size=content.size, identity=content.identity, seal_id=seal_id, inline=inline)
    duplicates: list[bytes] = []
    segments: list[tuple[int, int, int, int]] = []
    offset = 0
    for blob in content.blobs:
        segments.append((offset, blob.size, _join_or_keep(stores, tables, blob, duplicates), 0))
        offset += blob.size
    if segments:
        tables.manifests.add_segments(manifest, segments)
        tables.blobs.abandon(duplicates)
        tables.blobs.drop_pending([blob_id for blob_id in pending if blob_id not in duplicates])
    return Placed(manifest, tuple(duplicates))


def _join_or_keep(stores: Stores, tables: Tables, fresh: NewBlob, duplicates: list[bytes]) -> int:
    """The number of the blob that holds these bytes, with one reference more.

    A known blob is joined only if nobody flagged it and its file has the right length (a stat: 3 µs on a warm disk);
    else it gets our file, which heals every object that refers to it.
    """
    if fresh.key_id is not None and fresh.key_id not in stores.ring:
        raise ServiceError("SlowDown", "The master key was retired meanwhile. Try again.")
    known = tables.blobs.find(fresh.fingerprint)
    if known is None:
        return tables.blobs.insert(fresh)
    assert known.state is not BlobState.DEAD
    tables.blobs.acquire(known.number)
    if not known.flagged and stores.blobs.length(known.id) == known.stored:
        duplicates.append(fresh.id)
    else:
        tables.blobs.heal(known.number, fresh)
        tables.blobs.add_pending([known.id], ABANDONED, stores.clock())
    return known.number


def bucket_again(tables: Tables, bucket: BucketRow) -> None:
    """Raise NoSuchBucket where the bucket was removed since the caller was authorised."""
    now = tables.buckets.get(bucket.name)
    if now is None or now.number != bucket.number:
        raise no_such_bucket(bucket.name)


def check_conditions(
    stores: Stores, latest: VersionRow | None, key: bytes, conditions: WriteConditions, *, create_only: bool
) -> None:
    """Raise where the key's present state forbids the write.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html: If-None-Match takes * alone,
    If-Match on a key that does not exist is 404.
    """
    exists = latest is not None and not latest.marker
    if create_only and exists:
        raise denied()
    if conditions.if_none_match is not None:
        if conditions.if_none_match.strip() != "*":
            raise ServiceError("NotImplemented", "If-None-Match on a write takes only *.", header="If-None-Match")
        if exists:
            raise precondition_failed("If-None-Match")
    if conditions.if_match is not None:
        if latest is None or latest.marker:
            raise no_such_key(key.decode())
        wanted = conditions.if_match.strip()
        if wanted != "*" and wanted.strip('"') != digests_of(stores, latest).etag:
            raise precondition_failed("If-Match")


def precondition_failed(condition: str) -> ServiceError:
    """A condition of the client does not hold."""
    return ServiceError(
        "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", condition=condition
    )


def place_version(
    stores: Stores,
    tables: Tables,
    bucket: BucketRow,
    version: NewVersion,
    conditions: WriteConditions,
    *,
    create_only: bool,
    completed: int = 0,
) -> int:
    """Make `version` the latest of its key, in place of the null version; returns its sequence.

    `completed` is the bytes of the upload it is made of, which are still counted as uploading.
    """
    bucket_again(tables, bucket)
    before = tables.quotas.usage(bucket.number)
    latest = tables.versions.latest(bucket.number, version.key)
    check_conditions(stores, latest, version.key, conditions, create_only=create_only)
    sequence = tables.meta.mutation()
    null = tables.versions.get(bucket.number, version.key, "")
    if null is not None:
        _drop(tables, null, version.created, sequence)
    tables.versions.insert(sequence, version)
    check_quota(tables, bucket.name, bucket.number, before, completed=completed)
    tables.events.add(OBJECT_CREATED, bucket.name, version.key, version.version_id or None, sequence, version.created)
    return sequence


def remove_version(stores: Stores, tables: Tables, bucket: BucketRow, version: VersionRow) -> None:
    """Remove a version and give up its content."""
    sequence = tables.meta.mutation()
    now = stores.clock()
    _drop(tables, version, now, sequence)
    tables.events.add(OBJECT_REMOVED, bucket.name, version.key, version.version_id or None, sequence, now)


def _drop(tables: Tables, version: VersionRow, now: float, mutation: int) -> None:
    tables.versions.remove(version)
    if version.manifest is not None:
        tables.manifests.release(version.manifest, now, mutation)
