"""Objects: writing, copying, removing and sharing them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from msgspec.structs import replace

from origin.catalog.contract import Tables
from origin.catalog.rows import UNLOCKED, Described
from origin.service.access import authorise, authorise_in, authorise_tags, create_only, writer
from origin.service.acl import wish_text
from origin.service.copying import copy
from origin.service.describe import Digests, described, new_info
from origin.service.digests import with_checksum
from origin.service.duplicates import Duplicates
from origin.service.encryption import encrypted, vault_of
from origin.service.ingest import Ingest, entity_tag
from origin.service.limits import check_key, check_metadata
from origin.service.locks import bypasses, check_wanted, for_new
from origin.service.model import (
    ANY_DELETE,
    ANY_READ,
    Caller,
    Copied,
    CopyRequest,
    CustomerKey,
    DeleteConditions,
    Deletion,
    ObjectInfo,
    PutRequest,
    ReadConditions,
    ServiceError,
    Target,
)
from origin.service.notifications import POST, PUT, Cause
from origin.service.operations import Level, operation
from origin.service.placing import (
    Placed,
    Written,
    check_delete,
    new_version,
    place_content,
    place_marker,
    place_version,
    remove_version,
)
from origin.service.reading import Reading, begin, look, opened, part_sizes
from origin.service.steps import Step
from origin.service.stores import Stores
from origin.service.version_ids import Versioning, shown_id
from origin.service.versions import named, naming

DELETE_MANY = 1000
"""The most keys of one DeleteObjects (AWS: 1,000)."""


class Objects:
    """`Service.objects`."""

    def __init__(self, stores: Stores, duplicates: Duplicates) -> None:
        self._stores = stores
        self._duplicates = duplicates

    async def put(
        self, caller: Caller, request: PutRequest, body: AsyncIterator[bytes | bytearray | memoryview]
    ) -> ObjectInfo:
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
        row = await stores.bucket(request.bucket)
        bucket = authorise_in(row, caller, operation("PutObject"), request.bucket, request.key)
        authorise_tags(caller, bucket, request.key, request.tags)
        check_wanted(caller, bucket, request.key, request.lock, stores.clock())
        if for_new(bucket, request.lock, stores.clock()) != UNLOCKED and not request.expected.digested:
            raise ServiceError(
                "InvalidRequest",
                "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock"
                " parameters",
            )
        about = replace(about, headers=encrypted(stores, bucket, about.headers, request.customer))
        vault = vault_of(stores, about.headers, request.customer)
        expected = with_checksum(request.expected, None)
        async with Ingest(stores, expected, stores.settings.origin.max_put, vault) as ingest:
            content = await ingest.receive(body)
            digests = Digests(entity_tag(stores, content.md5, vault), content.checksums)

            def transact(tables: Tables) -> tuple[Written, Placed]:
                placed = place_content(stores, tables, content, ingest.pending)
                version = new_version(
                    stores, bucket, writer(caller, bucket), key, about, placed.manifest, content.size, digests,
                    request.tags, request.lock,
                )  # fmt: skip
                written = place_version(
                    stores, tables, bucket, version, request.conditions, Cause(POST if request.form else PUT, caller),
                    create_only=create_only(caller),
                )  # fmt: skip
                stores.observe(Step.TRANSACT)
                return written, placed

            written, placed = await stores.write_brief(transact)
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
        customer: CustomerKey | None = None,
    ) -> ObjectInfo:
        """What a GET would answer, without bytes. Raises as `open` does."""
        head = operation("HeadObject")
        info, _, _ = await self._stores.reading(
            lambda: look(self._stores, caller, head, bucket, key, version_id, conditions, customer)
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
        customer: CustomerKey | None = None,
    ) -> Reading:
        """Begin a read: conditions and range are evaluated in the snapshot that yields the bytes.

        `part` reads one part of a multipart object instead of a range. `range` is the Range header's value; junk and
        several ranges read everything (as AWS does). Use the answer as an async context manager, or `aclose()` it.
        Raises NotModified; ServiceError: NoSuchBucket, NoSuchKey, AccessDenied, PreconditionFailed,
        InvalidRange (detail `size`), InvalidPartNumber, NoSuchVersion, InternalError where the bytes are damaged.
        """
        get = operation("GetObject")
        return await opened(
            self._stores,
            lambda: begin(self._stores, caller, get, bucket, key, version_id, conditions, range, part, customer),
        )

    async def attributes(
        self, caller: Caller, bucket: str, key: str, version_id: str | None = None, customer: CustomerKey | None = None
    ) -> tuple[ObjectInfo, tuple[int, ...]]:
        """What is known of an object, and the sizes of its parts. Raises as `open` does."""
        get = operation("GetObjectAttributes")
        info, _, manifest = await self._stores.reading(
            lambda: look(self._stores, caller, get, bucket, key, version_id, ANY_READ, customer)
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
            return Deletion(key=target.key, marker=place_marker(self._stores, tables, row, key, caller))
        version = latest if target.version_id is None else named(tables, row, target.key, target.version_id)
        if version is None:
            return Deletion(key=target.key, version_id=target.version_id)
        remove_version(self._stores, tables, row, version, caller, bypass=bypasses(caller, row, target.key, bypass))
        marker = shown_id(row, version.version_id) if version.marker else None
        return Deletion(key=target.key, version_id=target.version_id, marker=marker)

    async def copy(self, caller: Caller, request: CopyRequest) -> Copied:
        """Make an object of another one. Raises as `copying.copy`."""
        return await copy(self._stores, self._duplicates, caller, request)


def _described(stores: Stores, request: PutRequest, storage_class: str) -> Described:
    check_metadata(stores.settings, request.metadata)
    acl = wish_text(request.acl, Level.OBJECT)
    return described(request.content_type, request.headers, request.metadata, acl, storage_class)
