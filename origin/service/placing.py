"""Step 7 of a write, and every other change of versions: functions that run inside the committing transaction.

The rule of this file: nothing here blocks on anything but the catalog and a file's length, and nothing changes but
the tables, so a function may be run again from its start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from origin.catalog.contract import Tables
from origin.catalog.rows import BlobState, BucketRow, Described, Lock, NewBlob, NewVersion, OwnerRow, VersionRow
from origin.seal.keyring import NONCE_BYTES
from origin.seal.vault import Vault
from origin.service.access import denied, no_such_bucket, no_such_key
from origin.service.describe import Digests, digests_of, seal_digests
from origin.service.exposure import admit
from origin.service.ingest import Content
from origin.service.locks import check_removable
from origin.service.locks import for_new as lock_of_new
from origin.service.model import Caller, DeleteConditions, ServiceError, WriteConditions
from origin.service.notifications import Cause, note, removal
from origin.service.quota import check_quota, usage_before
from origin.service.source import INLINE
from origin.service.stores import Stores
from origin.service.version_ids import new_id, shown_id
from wire.feed import OBJECT_CREATED, OBJECT_HIDDEN, OBJECT_REMOVED

ABANDONED = 0
"""The epoch of pending ids that no process works on."""
_NOTHING = Described(content_type="", headers={}, metadata={}, acl="private", storage_class="STANDARD")
"""What is said of a delete marker."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A manifest with one reference, and the ids of our blobs that turned out to be duplicates."""

    manifest: int
    duplicates: tuple[bytes, ...]


def place_content(stores: Stores, tables: Tables, content: Content, pending: Sequence[bytes]) -> Placed:
    """A manifest for a received body: its blobs join what is known, or are kept. A small one heals its like.

    A duplicate of ours becomes a dead blob, whose file the collector removes, or `Duplicates` before it.
    """
    seal_id = stores.random(16)
    inline = None
    if content.inline is not None:
        inline = _sealed(stores, content.inline, content.vault, seal_id)
        for bad in tables.bodies.bad(content.identity):
            tables.bodies.heal(bad.manifest, _sealed(stores, content.inline, content.vault, bad.seal_id))
    manifest = tables.manifests.insert(size=content.size, identity=content.identity, seal_id=seal_id, inline=inline)
    duplicates: list[bytes] = []
    segments: list[tuple[int, int, int, int]] = []
    offset = 0
    for blob in content.blobs:
        segments.append((offset, blob.size, _join_or_keep(stores, tables, blob, content.lengths, duplicates), 0))
        offset += blob.size
    if segments:
        tables.manifests.add_segments(manifest, segments)
        tables.blobs.drop_pending(pending)
    return Placed(manifest, tuple(duplicates))


def _sealed(stores: Stores, body: bytes, vault: Vault | None, seal_id: bytes) -> bytes:
    if vault is not None:
        body = vault.seal(seal_id, body, stores.random(NONCE_BYTES))
    return stores.keys.seal(INLINE, seal_id, body, stores.random(NONCE_BYTES))


def _join_or_keep(
    stores: Stores, tables: Tables, fresh: NewBlob, lengths: Mapping[bytes, int | None], duplicates: list[bytes]
) -> int:
    """The number of the blob that holds these bytes, with one reference more.

    A known blob is joined only if nobody flagged it and its file has the right length (a stat: 3 µs on a warm disk,
    and asked before the transaction where it takes longer); else it gets our file, which heals every object that
    refers to it. New bytes take the same statements as known ones, so that their time does not tell them apart.
    """
    if fresh.key_id is not None and fresh.key_id not in stores.ring:
        raise ServiceError("SlowDown", "The master key was retired meanwhile. Try again.")
    known = tables.blobs.find(fresh.fingerprint)
    looked = fresh.id if known is None else known.id
    length = lengths[looked] if looked in lengths else stores.blobs.length(looked)
    if known is None:
        number = tables.blobs.insert(fresh)
    else:
        assert known.state is not BlobState.DEAD
        number = known.number
        if not known.flagged and length == known.stored:
            tables.blobs.insert(fresh, dead=True)
            duplicates.append(fresh.id)
        else:
            tables.blobs.heal(number, fresh)
            tables.blobs.add_pending([known.id], ABANDONED, stores.clock())
    tables.blobs.acquire(number)
    return number


def new_version(
    stores: Stores, bucket: BucketRow, owner: OwnerRow, key: bytes, about: Described, manifest: int, size: int,
    digests: Digests, tags: Mapping[str, str], lock: Lock,
) -> NewVersion:  # fmt: skip
    """A version of the key, to be placed; its list is still a wish."""
    seal_id = stores.random(16)
    return NewVersion(
        bucket=bucket.number,
        key=key,
        version_id="",
        owner=owner.id,
        created=stores.clock(),
        described=about,
        manifest=manifest,
        size=size,
        seal_id=seal_id,
        digests=seal_digests(stores, seal_id, digests),
        tags=tags,
        lock=lock,
    )


def bucket_again(tables: Tables, bucket: BucketRow) -> BucketRow:
    """The bucket as it is now. Raises NoSuchBucket where it was removed since the caller was authorised."""
    now = tables.buckets.get(bucket.name)
    if now is None or now.number != bucket.number:
        raise no_such_bucket(bucket.name)
    return now


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


def check_delete(stores: Stores, latest: VersionRow | None, conditions: DeleteConditions) -> None:
    """Raise PreconditionFailed where the latest version is not what the client says; what is gone stays gone.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html: only * wants an object to exist.
    """
    wanted = None if conditions.if_match is None else conditions.if_match.strip()
    if latest is None or latest.marker:
        if wanted == "*":
            raise precondition_failed("If-Match")
        return
    if wanted not in (None, "*") and wanted.strip('"') != digests_of(stores, latest).etag:
        raise precondition_failed("If-Match")
    if conditions.modified not in (None, int(latest.created)):
        raise precondition_failed("x-amz-if-match-last-modified-time")
    if conditions.size not in (None, latest.size):
        raise precondition_failed("x-amz-if-match-size")


def precondition_failed(condition: str) -> ServiceError:
    """A condition of the client does not hold."""
    return ServiceError(
        "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", condition=condition
    )


@dataclass(frozen=True, slots=True)
class Written:
    """A version that was inserted, and its bucket as it was in that transaction."""

    bucket: BucketRow
    sequence: int
    version: NewVersion


def place_version(
    stores: Stores,
    tables: Tables,
    bucket: BucketRow,
    version: NewVersion,
    conditions: WriteConditions,
    cause: Cause,
    *,
    create_only: bool,
    completed: int = 0,
) -> Written:
    """Make `version` the latest of its key. It gets its id, lock, owner and list here, as the bucket is set now.

    `completed` is the bytes of the upload it is made of, which are still counted as uploading. Copies write rows alone,
    so space is asked for here, too: what frees space needs the reserve for its own rows.
    """
    stores.room(0)
    bucket = bucket_again(tables, bucket)
    version = admit(tables, bucket, version)
    latest = tables.versions.latest(bucket.number, version.key)
    check_conditions(stores, latest, version.key, conditions, create_only=create_only)
    before = usage_before(tables, bucket.number)
    written = _place(stores, tables, bucket, version, OBJECT_CREATED, cause, latest)
    check_quota(tables, bucket.name, bucket.number, before, completed=completed)
    return written


def place_marker(stores: Stores, tables: Tables, bucket: BucketRow, key: bytes, caller: Caller | None) -> str | None:
    """Hide a key of a versioned bucket behind a delete marker; returns the marker's id. No caller is the lifecycle."""
    marker = NewVersion(
        bucket=bucket.number,
        key=key,
        version_id="",
        owner=bucket.owner.id,
        created=stores.clock(),
        described=_NOTHING,
        manifest=None,
        size=0,
        seal_id=b"",
        digests=b"",
        marker=True,
    )
    latest = tables.versions.latest(bucket.number, key)
    placed = _place(stores, tables, bucket, marker, OBJECT_HIDDEN, removal(caller, marker=True), latest)
    return shown_id(bucket, placed.version.version_id)


def _place(
    stores: Stores, tables: Tables, bucket: BucketRow, version: NewVersion, kind: str, cause: Cause,
    latest: VersionRow | None,
) -> Written:  # fmt: skip
    """Insert a version or delete marker; a null one takes the place of the null version.

    A key without a latest version has none, and where the latest is the null version it need not be looked for.
    """
    sequence, now = tables.meta.mutation(), version.created
    version = replace(version, version_id=new_id(stores, bucket, sequence))
    if not version.marker:
        version = replace(version, lock=lock_of_new(bucket, version.lock, now))
    notice = note(stores, bucket, sequence, cause, version.key, version=None if version.marker else version)
    insert(tables, bucket, sequence, version, kind, latest, now, notice)
    return Written(bucket, sequence, version)


def insert(
    tables: Tables, bucket: BucketRow, sequence: int, version: NewVersion, kind: str, latest: VersionRow | None,
    now: float, notice: bytes | None = None,
) -> None:  # fmt: skip
    """Make `version`, which has its id, the latest of its key, after `latest`; a null one replaces the null one."""
    null: VersionRow | None = None
    if not version.version_id and latest is not None:
        null = latest if not latest.version_id else tables.versions.get(bucket.number, version.key, "")
    if null is not None:
        _give_up(tables, null, now, sequence, bypass=False)
    tables.versions.insert(sequence, version, replaces=null)
    tables.events.add(kind, bucket.name, version.key, shown_id(bucket, version.version_id), sequence, now, notice)


def remove_version(
    stores: Stores, tables: Tables, bucket: BucketRow, version: VersionRow, caller: Caller | None,
    *, bypass: bool = False,
) -> None:  # fmt: skip
    """Remove a version and give up its content; no caller is the lifecycle.

    Raises ServiceError AccessDenied where its lock holds.
    """
    sequence, now = tables.meta.mutation(), stores.clock()
    _give_up(tables, version, now, sequence, bypass=bypass)
    tables.versions.remove(version)
    shown = shown_id(bucket, version.version_id)
    notice = note(stores, bucket, sequence, removal(caller, marker=False), version.key)
    tables.events.add(OBJECT_REMOVED, bucket.name, version.key, shown, sequence, now, notice)


def _give_up(tables: Tables, version: VersionRow, now: float, mutation: int, *, bypass: bool) -> None:
    """Release what a version holds that is about to be removed. Nothing is removed otherwise: here is the lock gate."""
    check_removable(version, now, bypass=bypass)
    if version.manifest is not None:
        tables.manifests.release(version.manifest, now, mutation)
