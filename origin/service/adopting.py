"""Adopting versions of another store: a version keeps the date, ETag, list, lock and place in its history it had there.

The rule of this file: bytes take the steps of every other write, and what was adopted is known by the catalog alone.
The id of an adopted version ends in its *mark*, a hash of the id it had at its source; the null version has no mark,
and is known by its ETag and date. So a migration that was cut short finds what is done, and nothing is adopted twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import closing

import msgspec
from msgspec.structs import replace

from origin.catalog.contract import Tables
from origin.catalog.rows import (
    UNLOCKED,
    BucketRow,
    Described,
    Lock,
    NewVersion,
    OwnerRow,
    UploadRow,
    UploadState,
    VersionRow,
)
from origin.service.access import no_such_bucket
from origin.service.acl import FULL_CONTROL, PRIVATE, PUBLIC, Grant, list_text, read_acl
from origin.service.describe import Digests, digests_of, seal_digests
from origin.service.digests import with_checksum
from origin.service.duplicates import Duplicates
from origin.service.encryption import encrypted, vault_of
from origin.service.exposure import Ownership, ownership, public_access
from origin.service.ingest import Ingest
from origin.service.joining import join
from origin.service.limits import check_key
from origin.service.listing import successor
from origin.service.model import Caller, Expected, Key, Owner, Permission, Setting
from origin.service.multipart import CompletedPart
from origin.service.parts import MOST_PARTS, Place, put_part
from origin.service.placing import bucket_again, insert, place_content, remove_version
from origin.service.quota import check_quota, usage_before
from origin.service.steps import Step
from origin.service.stores import Stores
from origin.service.version_ids import shown_id
from wire.feed import OBJECT_ACL, OBJECT_CREATED, OBJECT_HIDDEN, OBJECT_TAGS

MARK_BYTES = 8
Body = AsyncIterator[bytes | bytearray | memoryview]


class Foreign(msgspec.Struct, frozen=True, kw_only=True):
    """A version as its source has it. `version_id` is None for the null version; `owner` and `grants` are ids here.

    Grants and tags are None where the source does not tell them.
    """

    key: str
    version_id: str | None
    created: float
    owner: str
    marker: bool = False
    etag: str = ""
    size: int = 0
    content_type: str = ""
    headers: Mapping[str, str] = {}
    metadata: Mapping[str, str] = {}
    storage_class: str = "STANDARD"
    grants: tuple[Grant, ...] | None = None
    tags: Mapping[str, str] | None = None
    lock: Lock = UNLOCKED

    @property
    def mark(self) -> str:
        """What its id here ends in; "" for the null version."""
        return mark_of(self.version_id)


def mark_of(version_id: str | None) -> str:
    """The mark of a version that has that id at its source."""
    return "" if version_id is None else hashlib.blake2b(version_id.encode(), digest_size=MARK_BYTES).hexdigest()


def has_mark(version: VersionRow, mark: str) -> bool:
    """Whether a version here is the one of that mark."""
    return version.version_id.endswith(mark) if mark else not version.version_id


class Adoption:
    """`Service.adoption`, for administration: nobody is asked whether they may."""

    def __init__(self, stores: Stores, duplicates: Duplicates) -> None:
        self._stores = stores
        self._duplicates = duplicates

    async def history(self, bucket: str, key: str) -> list[tuple[VersionRow, str]]:
        """The versions of a key, newest first, each with its ETag. Raises ServiceError NoSuchBucket."""
        name = check_key(key)

        def snapshot(tables: Tables) -> list[tuple[VersionRow, str]]:
            row = tables.buckets.get(bucket)
            if row is None:
                raise no_such_bucket(bucket)
            with closing(tables.versions.history(row.number, name, name + b"\0")) as rows:
                return [(one, "" if one.marker else digests_of(self._stores, one).etag) for one in rows]

        return await self._stores.read(snapshot)

    async def keys(self, bucket: BucketRow, prefix: str, after: str, limit: int) -> list[str]:
        """Keys with that prefix after `after` that have any version, in order."""
        start = max(prefix.encode(), after.encode() + b"\0" if after else b"")

        def snapshot(tables: Tables) -> list[str]:
            found: list[str] = []
            at, stop = start, successor(prefix.encode())
            while len(found) < limit and (stop is None or at < stop):
                with closing(tables.versions.history(bucket.number, at, stop)) as rows:
                    row = next(rows, None)
                if row is None:
                    break
                found.append(row.key.decode())
                at = row.key + b"\0"
            return found

        return await self._stores.read(snapshot)

    async def put(self, bucket: BucketRow, foreign: Foreign, expected: Expected, body: Body) -> None:
        """Adopt a version that was not uploaded in parts. Raises as `Objects.put`, and what `body` raises."""
        stores = self._stores
        headers = encrypted(stores, bucket, foreign.headers, None)
        vault = vault_of(stores, headers, None)
        limit = stores.settings.origin.max_object
        async with Ingest(stores, with_checksum(expected, None), limit, vault) as ingest:
            content = await ingest.receive(body)
            digests = Digests(foreign.etag, content.checksums)

            def transact(tables: Tables) -> tuple[bytes, ...]:
                placed = place_content(stores, tables, content, ingest.pending)
                self._place(tables, bucket, foreign, headers, placed.manifest, digests)
                stores.observe(Step.TRANSACT)
                return placed.duplicates

            dropped = await stores.write(transact)
            stores.observe(Step.COMMIT)
            ingest.adopted()
        self._duplicates.drop(dropped)

    async def mark(self, bucket: BucketRow, foreign: Foreign) -> None:
        """Adopt a delete marker. Raises ServiceError NoSuchBucket."""
        await self._stores.write(lambda tables: self._place(tables, bucket, foreign, {}, None, None))

    async def begin(
        self, bucket: BucketRow, foreign: Foreign, algorithm: str | None, kind: str | None, attempt: int
    ) -> Upload:
        """The upload by which a version of parts is adopted: a new one, or the one that was cut short."""
        stores = self._stores
        said = (bucket.number, foreign.key, foreign.mark, foreign.etag, foreign.created, algorithm, attempt)
        headers = encrypted(stores, bucket, foreign.headers, None)

        def transact(tables: Tables) -> UploadRow:
            number = 0
            while True:
                name = msgspec.json.encode((said, number))
                upload_id = hashlib.blake2b(name, digest_size=32).hexdigest()
                found = tables.uploads.get(upload_id)
                if found is not None and found.state is UploadState.OPEN:
                    return found
                if found is None:
                    break
                number += 1
            row = UploadRow(
                id=upload_id,
                bucket=bucket_again(tables, bucket).number,
                key=check_key(foreign.key),
                owner=bucket.owner,
                created=stores.clock(),
                described=_described(foreign, headers, PRIVATE),
                checksum_algorithm=algorithm,
                checksum_type=kind,
                state=UploadState.OPEN,
                generation=0,
                manifest=None,
                sequence=None,
            )
            tables.uploads.add(row)
            return row

        return Upload(stores, self._duplicates, bucket, await stores.write(transact))

    async def complete(self, upload: Upload, foreign: Foreign, *, keep_etag: bool) -> str:
        """Make the version of its parts. Returns the ETag they make; where that is not `foreign`'s, nothing is made
        unless `keep_etag`. Raises ServiceError.
        """
        stores, bucket = self._stores, upload.bucket

        def transact(tables: Tables) -> str:
            row = tables.uploads.get(upload.id)
            assert row is not None, "an open upload stays until it is finished"
            named = [
                CompletedPart(number=part.number, etag=known.etag, checksums=known.checksums)
                for part in tables.uploads.parts(upload.id, 0, MOST_PARTS)
                for known in (digests_of(stores, part),)
            ]
            joined = join(stores, tables, bucket, row, named, smallest=0)
            if joined.digests.etag != foreign.etag and not keep_etag:
                return joined.digests.etag
            manifest = tables.manifests.insert(
                size=joined.size, identity=joined.identity, seal_id=stores.random(16), parts=joined.parts, refs=2
            )
            digests = replace(joined.digests, etag=foreign.etag)
            sequence = self._place(
                tables, bucket, foreign, row.described.headers, manifest, digests,
                completed=tables.quotas.upload(upload.id),
            )  # fmt: skip
            tables.uploads.finish(upload.id, UploadState.COMPLETED, stores.clock(), manifest, sequence)
            return joined.digests.etag

        return await stores.write(transact)

    async def owners(self) -> list[OwnerRow]:
        """Every owner."""
        return await self._stores.read(lambda tables: tables.owners.all())

    async def refresh(self, bucket: BucketRow, version: VersionRow, foreign: Foreign) -> bool:
        """Give an adopted version the list and tags that its source has now; False where it has them."""
        stores = self._stores

        def transact(tables: Tables) -> bool:
            row = bucket_again(tables, bucket)
            now = tables.versions.get(row.number, version.key, version.version_id)
            if now is None or now.sequence != version.sequence:
                return False
            text = _list(row, foreign, now.owner.id)
            changed = False
            shown = shown_id(row, now.version_id)
            if foreign.grants is not None and set(read_acl(text, now.owner.id)) != set(
                read_acl(now.described.acl, now.owner.id)
            ):
                tables.versions.set_acl(now.sequence, text)
                counter = tables.meta.mutation()
                tables.events.add(OBJECT_ACL, row.name, now.key, shown, counter, stores.clock())
                changed = True
            if foreign.tags is not None and dict(now.tags) != dict(foreign.tags):
                tables.versions.set_tags(now.sequence, foreign.tags)
                counter = tables.meta.mutation()
                tables.events.add(OBJECT_TAGS, row.name, now.key, shown, counter, stores.clock())
                changed = True
            return changed

        return await stores.write(transact)

    async def remove(self, bucket: BucketRow, version: VersionRow) -> None:
        """Remove a version that its source no longer has. Raises ServiceError AccessDenied where a lock holds it."""
        stores = self._stores

        def transact(tables: Tables) -> None:
            row = bucket_again(tables, bucket)
            now = tables.versions.get(row.number, version.key, version.version_id)
            if now is not None and now.sequence == version.sequence:
                remove_version(stores, tables, row, now, None)

        await stores.write(transact)

    def _place(
        self, tables: Tables, bucket: BucketRow, foreign: Foreign, headers: Mapping[str, str], manifest: int | None,
        digests: Digests | None, *, completed: int = 0,
    ) -> int:  # fmt: skip
        """Make the version the latest of its key, as the bucket is now; returns its sequence."""
        stores = self._stores
        stores.room(0)
        row = bucket_again(tables, bucket)
        owner = row.owner.id if ownership(row) is Ownership.ENFORCED else foreign.owner
        text = _list(row, foreign, owner)
        sequence, seal_id = tables.meta.mutation(), b"" if digests is None else stores.random(16)
        key = check_key(foreign.key)
        before = usage_before(tables, row.number)
        version = NewVersion(
            bucket=row.number,
            key=key,
            version_id=f"{sequence:016x}{foreign.mark}" if foreign.mark else "",
            owner=owner,
            created=foreign.created,
            described=_described(foreign, headers, text),
            manifest=manifest,
            size=foreign.size,
            seal_id=seal_id,
            digests=b"" if digests is None else seal_digests(stores, seal_id, digests),
            marker=foreign.marker,
            tags=foreign.tags or {},
            lock=foreign.lock if Setting.OBJECT_LOCK in row.settings else UNLOCKED,
        )
        kind = OBJECT_HIDDEN if foreign.marker else OBJECT_CREATED
        insert(tables, row, sequence, version, kind, tables.versions.latest(row.number, key), stores.clock())
        check_quota(tables, row.name, row.number, before, completed=completed)
        return sequence


class Upload:
    """Parts of a version that is being adopted. What a run before this one stored is there."""

    def __init__(self, stores: Stores, duplicates: Duplicates, bucket: BucketRow, row: UploadRow) -> None:
        self._stores = stores
        self._duplicates = duplicates
        self._key = row.key.decode()
        self.bucket = bucket
        self.id = row.id

    async def sizes(self) -> dict[int, int]:
        """The sizes of the parts that are stored, by number."""
        rows = await self._stores.read(lambda tables: tables.uploads.parts(self.id, 0, MOST_PARTS))
        return {row.number: row.size for row in rows}

    async def put(self, number: int, size: int, body: Body) -> None:
        """Store a part. Raises as `parts.put_part`."""
        caller = Caller(key=as_owner(self.bucket), secure=True)
        place = Place(self.bucket.name, self._key, self.id, number)
        await put_part(self._stores, self._duplicates, caller, place, Expected(length=size), body, None)

    async def abort(self) -> None:
        """Give the parts up."""
        now = self._stores.clock()
        await self._stores.write(lambda tables: tables.uploads.finish(self.id, UploadState.ABORTED, now))


def as_owner(bucket: BucketRow) -> Key:
    """The key with which administration acts for the bucket's owner."""
    owner = Owner(bucket.owner.id, bucket.owner.name, bucket.owner.display)
    return Key("migration", owner, frozenset({Permission.ADMIN}))


def _described(foreign: Foreign, headers: Mapping[str, str], acl: str) -> Described:
    return Described(
        content_type=foreign.content_type,
        headers=headers,
        metadata=foreign.metadata,
        acl=acl,
        storage_class=foreign.storage_class,
    )


def _list(bucket: BucketRow, foreign: Foreign, owner: str) -> str:
    """The list of an adopted version of `owner`, as the bucket's ownership and public access block let it be."""
    if ownership(bucket) is Ownership.ENFORCED:
        return PRIVATE
    grants: Sequence[Grant] = foreign.grants or (Grant(owner, FULL_CONTROL),)
    if public_access(bucket).block_public_acls:
        grants = [grant for grant in grants if grant.grantee not in PUBLIC]
    return list_text(owner, grants)
