"""Objects: writing, copying, removing and sharing them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from origin.catalog.contract import Tables
from origin.catalog.rows import BucketRow, Described, NewVersion, VersionRow
from origin.service.access import authorise, canned_acl, create_only, no_such_key
from origin.service.describe import Digests, described, digests_of, info_of, new_info, seal_digests
from origin.service.digests import with_checksum
from origin.service.duplicates import Duplicates
from origin.service.ingest import Ingest
from origin.service.limits import check_key, check_metadata
from origin.service.model import (
    ANY_READ,
    Caller,
    CopyRequest,
    Deletion,
    ObjectInfo,
    PutRequest,
    ReadConditions,
    ServiceError,
)
from origin.service.operations import Level, operation
from origin.service.placing import Placed, place_content, place_version, precondition_failed, remove_version
from origin.service.reading import (
    Reading,
    begin,
    find,
    judge,
    look,
    no_such_version,
    null_id,
    part_sizes,
    version_named,
)
from origin.service.steps import Step
from origin.service.stores import Stores
from wire.conditions import Outcome
from wire.feed import OBJECT_ACL

DELETE_MANY = 1000
"""The most keys of one DeleteObjects (AWS: 1,000)."""


class Objects:
    """`Service.objects`."""

    def __init__(self, stores: Stores, duplicates: Duplicates) -> None:
        self._stores = stores
        self._duplicates = duplicates

    async def put(self, caller: Caller, request: PutRequest, body: AsyncIterator[bytes | bytearray]) -> ObjectInfo:
        """Store a body under a key; returns only when it is durable.

        Nothing is taken from `body` until the caller is authorised and the bucket exists. An exception that `body`
        raises passes through and stores nothing.
        Raises ServiceError: AccessDenied, NoSuchBucket, KeyTooLongError, EntityTooLarge, IncompleteBody, BadDigest,
        XAmzContentSHA256Mismatch, PreconditionFailed, NoSuchKey (If-Match on nothing), SlowDown,
        InsufficientStorage, MetadataTooLarge, NotImplemented (canned ACLs not offered).
        """
        stores = self._stores
        about = _described(stores, request, request.storage_class)
        key = check_key(request.key)
        bucket = await stores.read(
            lambda tables: authorise(tables, caller, operation("PutObject"), request.bucket, request.key)
        )
        expected = with_checksum(request.expected, None)
        async with Ingest(stores, expected, stores.settings.origin.max_put) as ingest:
            content = await ingest.receive(body)
            digests = Digests(content.md5.hex(), content.checksums)

            def transact(tables: Tables) -> tuple[NewVersion, Placed]:
                placed = place_content(stores, tables, content, ingest.pending)
                version = _version(stores, bucket, key, about, placed.manifest, content.size, digests)
                place_version(stores, tables, bucket, version, request.conditions, create_only=create_only(caller))
                stores.observe(Step.TRANSACT)
                return version, placed

            version, placed = await stores.write(transact)
            stores.observe(Step.COMMIT)
            ingest.adopted()
        self._duplicates.drop(placed.duplicates)
        stores.observe(Step.ANSWER)
        return new_info(bucket.name, bucket.owner, version, digests, content.identity)

    async def head(
        self,
        caller: Caller,
        bucket: str,
        key: str,
        version_id: str | None = None,
        *,
        conditions: ReadConditions = ANY_READ,
    ) -> ObjectInfo:
        """What a GET would answer, without bytes. Raises as `open` does."""
        head = operation("HeadObject")
        info, _, _ = await self._stores.reading(
            lambda: look(self._stores, caller, head, bucket, key, version_id, conditions)
        )
        return info

    async def open(
        self,
        caller: Caller,
        bucket: str,
        key: str,
        version_id: str | None = None,
        *,
        conditions: ReadConditions = ANY_READ,
        range: str | None = None,
        part: int | None = None,
    ) -> Reading:
        """Begin a read: conditions and range are evaluated in the snapshot that yields the bytes.

        `part` reads one part of a multipart object instead of a range. `range` is the Range header's value; junk and
        several ranges read everything (as AWS does). Use the answer as an async context manager, or `aclose()` it.
        Raises NotModified; ServiceError: NoSuchBucket, NoSuchKey, AccessDenied, PreconditionFailed,
        InvalidRange (detail `size`), InvalidPartNumber, NoSuchVersion, InternalError where the bytes are damaged.
        """
        get = operation("GetObject")
        begun: list[Reading] = []

        def work() -> Reading:
            begun.append(begin(self._stores, caller, get, bucket, key, version_id, conditions, range, part))
            return begun[0]

        try:
            return await self._stores.reading(work)
        except asyncio.CancelledError:
            # The thread has finished; what it opened belongs to nobody now, and the collector would wait for it.
            for reading in begun:
                await reading.aclose()
            raise

    async def attributes(
        self, caller: Caller, bucket: str, key: str, version_id: str | None = None
    ) -> tuple[ObjectInfo, tuple[int, ...]]:
        """What is known of an object, and the sizes of its parts. Raises as `open` does."""
        get = operation("GetObjectAttributes")
        info, _, manifest = await self._stores.reading(
            lambda: look(self._stores, caller, get, bucket, key, version_id, ANY_READ)
        )
        return info, () if manifest is None else part_sizes(info, manifest)

    async def delete(self, caller: Caller, bucket: str, key: str, version_id: str | None = None) -> Deletion:
        """Remove a key; removing what is not there succeeds.

        Raises ServiceError: NoSuchBucket, AccessDenied, NoSuchVersion.
        """
        return await self._stores.write(
            lambda tables: self._delete(tables, caller, "DeleteObject", bucket, key, version_id)
        )

    async def delete_many(
        self, caller: Caller, bucket: str, keys: Sequence[tuple[str, str | None]]
    ) -> tuple[Deletion, ...]:
        """Remove up to 1,000 (key, version) in one commit; each answer carries its own error.

        Raises ServiceError: NoSuchBucket, MalformedXML (more than 1,000).
        """
        if len(keys) > DELETE_MANY:
            raise ServiceError("MalformedXML", f"At most {DELETE_MANY} keys can be deleted at once.")

        def one(tables: Tables, key: str, version_id: str | None) -> Deletion:
            # Whatever refuses does so before the first change, so the others of the batch stand.
            try:
                return self._delete(tables, caller, "DeleteObjects", bucket, key, version_id)
            except ServiceError as error:
                if error.code == "NoSuchBucket":
                    raise
                return Deletion(key=key, version_id=version_id, error=error)

        return await self._stores.write(lambda tables: tuple(one(tables, key, version_id) for key, version_id in keys))

    def _delete(
        self, tables: Tables, caller: Caller, name: str, bucket: str, key: str, version_id: str | None
    ) -> Deletion:
        row = authorise(tables, caller, operation(name), bucket, key)
        version = tables.versions.get(row.number, key.encode(), null_id(version_id or "null"))
        if version is not None:
            remove_version(self._stores, tables, row, version)
        elif version_id not in (None, "null"):
            raise no_such_version(key, version_id or "")
        return Deletion(key=key, version_id=version_id)

    async def copy(self, caller: Caller, request: CopyRequest) -> ObjectInfo:
        """Make an object of another one's manifest; no byte moves.

        Raises ServiceError: NoSuchBucket, NoSuchKey, AccessDenied, InvalidRequest (onto itself without a change),
        PreconditionFailed.
        """
        stores = self._stores
        key = check_key(request.key)
        acl = canned_acl(request.acl, Level.OBJECT)
        check_metadata(stores.settings, request.metadata)
        same = (request.source_bucket, request.source_key) == (request.bucket, request.key)
        if same and not request.replace and request.storage_class is None and request.source_version is None:
            raise ServiceError(
                "InvalidRequest",
                "This copy request is illegal because it is trying to copy an object to itself without changing the"
                " object's metadata, storage class, website redirect location or encryption attributes.",
            )

        def transact(tables: Tables) -> tuple[BucketRow, NewVersion, Digests, bytes]:
            bucket = authorise(tables, caller, operation("CopyObject"), request.bucket, request.key)
            source = _source_of_copy(stores, tables, caller, request)
            assert source.manifest is not None
            digests = digests_of(stores, source)
            about = source.described
            if request.replace:
                about = described(request.content_type, request.headers, request.metadata, acl, about.storage_class)
            about = described(
                about.content_type, about.headers, about.metadata, acl, request.storage_class or about.storage_class
            )
            tables.manifests.acquire(source.manifest)
            version = _version(stores, bucket, key, about, source.manifest, source.size, digests)
            place_version(stores, tables, bucket, version, request.conditions, create_only=create_only(caller))
            return bucket, version, digests, source.identity

        bucket, version, digests, content = await stores.write(transact)
        return new_info(bucket.name, bucket.owner, version, digests, content)

    async def get_acl(self, caller: Caller, bucket: str, key: str, version_id: str | None = None) -> ObjectInfo:
        """The object with its ACL, for its owner. Raises ServiceError: NoSuchBucket, NoSuchKey, AccessDenied."""
        version = await self._stores.read(
            lambda tables: _owned(tables, caller, "GetObjectAcl", bucket, key, version_id)
        )
        return info_of(self._stores, bucket, version)

    async def set_acl(self, caller: Caller, bucket: str, key: str, acl: str, version_id: str | None = None) -> None:
        """Set a canned ACL. Raises ServiceError: NoSuchBucket, NoSuchKey, AccessDenied, NotImplemented."""
        stores = self._stores
        kept = canned_acl(acl, Level.OBJECT)

        def transact(tables: Tables) -> None:
            version = _owned(tables, caller, "PutObjectAcl", bucket, key, version_id)
            tables.versions.set_acl(version.sequence, kept)
            tables.events.add(
                OBJECT_ACL, bucket, version.key, version.version_id or None, tables.meta.mutation(), stores.clock()
            )

        await stores.write(transact)


def _described(stores: Stores, request: PutRequest, storage_class: str) -> Described:
    check_metadata(stores.settings, request.metadata)
    acl = canned_acl(request.acl, Level.OBJECT)
    return described(request.content_type, request.headers, request.metadata, acl, storage_class)


def _owned(tables: Tables, caller: Caller, name: str, bucket: str, key: str, version_id: str | None) -> VersionRow:
    """The version of an operation that only owners are allowed."""
    row = authorise(tables, caller, operation(name), bucket, key)
    version = version_named(tables, row, key, version_id)
    if version is None or version.marker:
        raise no_such_key(key)
    return version


def _source_of_copy(stores: Stores, tables: Tables, caller: Caller, request: CopyRequest) -> VersionRow:
    """What is copied, where the caller may read it and its conditions hold.

    A copy has no 304: every condition that does not hold is PreconditionFailed
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html, x-amz-copy-source-if-…).
    """
    get = operation("GetObject")
    reader = replace(caller, expected_owner=request.source_expected_owner)
    source = find(tables, reader, get, request.source_bucket, request.source_key, request.source_version)
    etag = digests_of(stores, source).etag
    if judge(stores, etag, source, request.source_conditions) is not Outcome.PROCEED:
        raise precondition_failed("x-amz-copy-source-if")
    return source


def _version(
    stores: Stores, bucket: BucketRow, key: bytes, about: Described, manifest: int, size: int, digests: Digests
) -> NewVersion:
    """A null version of the key, to be placed."""
    seal_id = stores.random(16)
    return NewVersion(
        bucket=bucket.number,
        key=key,
        version_id="",
        owner=bucket.owner.id,
        created=stores.clock(),
        described=about,
        manifest=manifest,
        size=size,
        seal_id=seal_id,
        digests=seal_digests(stores, seal_id, digests),
    )
