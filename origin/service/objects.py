"""Objects: writing, copying, removing and sharing them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

from origin.catalog.contract import Tables
from origin.catalog.rows import UNLOCKED, BucketRow, Described, Lock, NewVersion, OwnerRow, VersionRow
from origin.service.access import authorise, authorise_tags, authorise_version, create_only, writer
from origin.service.acl import wish_text
from origin.service.describe import Digests, described, digests_of, new_info, seal_digests
from origin.service.digests import with_checksum
from origin.service.duplicates import Duplicates
from origin.service.encryption import carried
from origin.service.ingest import Ingest
from origin.service.limits import check_key, check_metadata
from origin.service.locks import bypasses, check_wanted, for_new
from origin.service.model import (
    ANY_DELETE,
    ANY_READ,
    Caller,
    Copied,
    CopyRequest,
    DeleteConditions,
    Deletion,
    IsDeleteMarker,
    ObjectInfo,
    PutRequest,
    ReadConditions,
    ServiceError,
    Target,
)
from origin.service.operations import Level, operation
from origin.service.placing import (
    Placed,
    Written,
    check_delete,
    place_content,
    place_marker,
    place_version,
    precondition_failed,
    remove_version,
)
from origin.service.reading import Reading, begin, find, judge, look, part_sizes
from origin.service.steps import Step
from origin.service.stores import Stores
from origin.service.version_ids import Versioning, shown_id
from origin.service.versions import named, naming, no_source
from wire.conditions import Outcome

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
        InsufficientStorage, MetadataTooLarge, NotImplemented (canned ACLs not offered), InvalidRequest (a lock
        without digest, or where the bucket has no object lock), InvalidArgument (a retention in the past).
        """
        stores = self._stores
        about = _described(stores, request, request.storage_class)
        key = check_key(request.key)
        bucket = await stores.read(
            lambda tables: authorise(tables, caller, operation("PutObject"), request.bucket, request.key)
        )
        authorise_tags(caller, bucket, request.key, request.tags)
        check_wanted(caller, bucket, request.key, request.lock, stores.clock())
        if for_new(bucket, request.lock, stores.clock()) != UNLOCKED and not request.expected.digested:
            raise ServiceError(
                "InvalidRequest",
                "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock"
                " parameters",
            )
        expected = with_checksum(request.expected, None)
        async with Ingest(stores, expected, stores.settings.origin.max_put) as ingest:
            content = await ingest.receive(body)
            digests = Digests(content.md5.hex(), content.checksums)

            def transact(tables: Tables) -> tuple[Written, Placed]:
                placed = place_content(stores, tables, content, ingest.pending)
                version = _version(
                    stores, bucket, writer(caller, bucket), key, about, placed.manifest, content.size, digests,
                    request.tags, request.lock,
                )  # fmt: skip
                written = place_version(
                    stores, tables, bucket, version, request.conditions, create_only=create_only(caller)
                )
                stores.observe(Step.TRANSACT)
                return written, placed

            written, placed = await stores.write(transact)
            stores.observe(Step.COMMIT)
            ingest.adopted()
        self._duplicates.drop(placed.duplicates)
        stores.observe(Step.ANSWER)
        return new_info(written.bucket, bucket.owner, written.version, digests, content.identity)

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

    async def delete(
        self,
        caller: Caller,
        bucket: str,
        key: str,
        version_id: str | None = None,
        *,
        conditions: DeleteConditions = ANY_DELETE,
        bypass: bool = False,
    ) -> Deletion:
        """Remove a version, or a key: hidden where the bucket is versioned. Removing what is not there succeeds.

        `bypass` asks for governance retention to yield. Raises ServiceError: NoSuchBucket, AccessDenied (a lock, too),
        InvalidArgument (no version id), PreconditionFailed.
        """
        target = Target(key, version_id, conditions)
        return await self._stores.write(
            lambda tables: self._delete(tables, caller, "DeleteObject", bucket, target, bypass)
        )

    async def delete_many(
        self, caller: Caller, bucket: str, targets: Sequence[Target], *, bypass: bool = False
    ) -> tuple[Deletion, ...]:
        """Remove up to 1,000 targets in one commit; each answer carries its own error.

        Raises ServiceError: NoSuchBucket, MalformedXML (more than 1,000).
        """
        if len(targets) > DELETE_MANY:
            raise ServiceError("MalformedXML", f"At most {DELETE_MANY} keys can be deleted at once.")

        def one(tables: Tables, target: Target) -> Deletion:
            # Whatever refuses does so before the first change, so the others of the batch stand.
            try:
                return self._delete(tables, caller, "DeleteObjects", bucket, target, bypass)
            except ServiceError as error:
                if error.code == "NoSuchBucket":
                    raise
                return Deletion(key=target.key, version_id=target.version_id, error=error)

        return await self._stores.write(lambda tables: tuple(one(tables, target) for target in targets))

    def _delete(self, tables: Tables, caller: Caller, name: str, bucket: str, target: Target, bypass: bool) -> Deletion:
        row = authorise(tables, naming(caller, target.version_id), operation(name), bucket, target.key)
        key = check_key(target.key)
        latest = tables.versions.latest(row.number, key)
        check_delete(self._stores, latest, target.conditions)
        if target.version_id is None and row.versioning != Versioning.NEVER:
            return Deletion(key=target.key, marker=place_marker(self._stores, tables, row, key))
        version = latest if target.version_id is None else named(tables, row, target.key, target.version_id)
        if version is None:
            return Deletion(key=target.key, version_id=target.version_id)
        remove_version(self._stores, tables, row, version, bypass=bypasses(caller, row, target.key, bypass))
        marker = shown_id(row, version.version_id) if version.marker else None
        return Deletion(key=target.key, version_id=target.version_id, marker=marker)

    async def copy(self, caller: Caller, request: CopyRequest) -> Copied:
        """Make an object of another one's manifest; no byte moves.

        Raises ServiceError: NoSuchBucket, NoSuchKey, AccessDenied, InvalidRequest (onto itself without a change, of
        a delete marker, a lock where the bucket has none), InvalidArgument (a retention in the past),
        PreconditionFailed.
        """
        stores = self._stores
        key = check_key(request.key)
        acl = wish_text(request.acl, Level.OBJECT)
        check_metadata(stores.settings, request.metadata)
        same = (request.source_bucket, request.source_key) == (request.bucket, request.key)
        if same and not request.replace and request.storage_class is None and request.source_version is None:
            raise ServiceError(
                "InvalidRequest",
                "This copy request is illegal because it is trying to copy an object to itself without changing the"
                " object's metadata, storage class, website redirect location or encryption attributes.",
            )

        def transact(tables: Tables) -> tuple[Written, OwnerRow, Digests, tuple[bytes, str | None]]:
            bucket = authorise(tables, caller, operation("CopyObject"), request.bucket, request.key)
            row, source = _source_of_copy(stores, tables, caller, request)
            assert source.manifest is not None
            digests = digests_of(stores, source)
            about = source.described
            if request.replace:
                about = described(request.content_type, request.headers, request.metadata, acl, about.storage_class)
            about = described(
                about.content_type,
                carried(about.headers, request.headers),
                about.metadata,
                acl,
                request.storage_class or about.storage_class,
            )
            check_wanted(caller, bucket, request.key, request.lock, stores.clock())
            tables.manifests.acquire(source.manifest)
            tags = source.tags if request.tags is None else request.tags
            authorise_tags(caller, bucket, request.key, tags)
            version = _version(
                stores, bucket, writer(caller, bucket), key, about, source.manifest, source.size, digests, tags,
                request.lock,
            )  # fmt: skip
            written = place_version(
                stores, tables, bucket, version, request.conditions, create_only=create_only(caller)
            )
            return written, bucket.owner, digests, (source.identity, shown_id(row, source.version_id))

        written, owner, digests, (content, source_version) = await stores.write(transact)
        return Copied(new_info(written.bucket, owner, written.version, digests, content), source_version)


def _described(stores: Stores, request: PutRequest, storage_class: str) -> Described:
    check_metadata(stores.settings, request.metadata)
    acl = wish_text(request.acl, Level.OBJECT)
    return described(request.content_type, request.headers, request.metadata, acl, storage_class)


def _source_of_copy(
    stores: Stores, tables: Tables, caller: Caller, request: CopyRequest
) -> tuple[BucketRow, VersionRow]:
    """What is copied, where the caller may read it and its conditions hold.

    A copy has no 304: every condition that does not hold is PreconditionFailed
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html, x-amz-copy-source-if-…).
    """
    get = operation("GetObject")
    reader = naming(replace(caller, expected_owner=request.source_expected_owner), request.source_version)
    try:
        row, source = find(tables, reader, get, request.source_bucket, request.source_key, request.source_version)
    except IsDeleteMarker as error:
        raise no_source(error) from error
    if request.tags is None and source.tags:
        authorise_version(reader, operation("GetObjectTagging"), row, request.source_key, source)
    etag = digests_of(stores, source).etag
    if judge(stores, etag, source, request.source_conditions) is not Outcome.PROCEED:
        raise precondition_failed("x-amz-copy-source-if")
    return row, source


def _version(
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
