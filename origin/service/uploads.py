"""Multipart uploads: parts are manifests, completing joins them without moving a byte.

The rule of this file: an upload's parts belong to the upload until it is completed; then those named belong to the
object's manifest, and the collector releases the others. Completing touches a handful of rows, however many parts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import closing

from msgspec.structs import replace

from origin.catalog.contract import Tables
from origin.catalog.rows import BucketRow, NewVersion, UploadRow, UploadState, VersionRow
from origin.service.access import authorise, authorise_tags, create_only, writer
from origin.service.acl import wish_text
from origin.service.describe import (
    described,
    info_of,
    new_info,
    part_of,
    seal_digests,
    upload_of,
)
from origin.service.duplicates import Duplicates
from origin.service.encryption import encrypted
from origin.service.exposure import check_wish
from origin.service.joining import Joined, check_choice, check_whole, join
from origin.service.limits import check_key, check_metadata
from origin.service.listing import MOST, skip_scan
from origin.service.locks import check_wanted
from origin.service.model import ANY_WRITE, Caller, CustomerKey, Expected, ObjectInfo, ServiceError, WriteConditions
from origin.service.multipart import CompletedPart, CreateUploadRequest, PartInfo, UploadInfo, Whole
from origin.service.notifications import COMPLETE, Cause
from origin.service.operations import Level, operation
from origin.service.pages import PartPage, UploadPage
from origin.service.parts import Place, copy_part, open_upload, put_part
from origin.service.placing import Written, place_version
from origin.service.reading import Reading
from origin.service.rules import abort_of
from origin.service.stores import Stores

ANYTHING = Whole()


class Uploads:
    """`Service.uploads`."""

    def __init__(self, stores: Stores, duplicates: Duplicates) -> None:
        self._stores = stores
        self._duplicates = duplicates

    async def create(self, caller: Caller, request: CreateUploadRequest) -> UploadInfo:
        """Begin an upload.

        Raises ServiceError: NoSuchBucket, AccessDenied, KeyTooLongError, MetadataTooLarge, InvalidRequest (a lock
        where the bucket has none), InvalidArgument (a retention in the past).
        """
        stores = self._stores
        key = check_key(request.key)
        check_metadata(stores.settings, request.metadata)
        acl = wish_text(request.acl, Level.OBJECT)
        about = described(request.content_type, request.headers, request.metadata, acl, request.storage_class)
        kind = check_choice(request.checksum_algorithm, request.checksum_type)
        upload_id = stores.random(32).hex()
        now = stores.clock()

        def transact(tables: Tables) -> UploadInfo:
            bucket = authorise(tables, caller, operation("CreateMultipartUpload"), request.bucket, request.key)
            authorise_tags(caller, bucket, request.key, request.tags)
            check_wanted(caller, bucket, request.key, request.lock, now)
            check_wish(bucket, acl)
            headers = encrypted(stores, bucket, about.headers, request.customer)
            row = UploadRow(
                id=upload_id,
                bucket=bucket.number,
                key=key,
                owner=writer(caller, bucket),
                created=now,
                described=replace(about, headers=headers),
                checksum_algorithm=request.checksum_algorithm,
                checksum_type=kind,
                state=UploadState.OPEN,
                generation=0,
                manifest=None,
                sequence=None,
                tags=request.tags,
                lock=request.lock,
            )
            tables.uploads.add(row)
            return upload_of(request.bucket, row, abort_of(bucket, key, now))

        return await stores.write(transact)

    async def put_part(
        self,
        caller: Caller,
        bucket: str,
        key: str,
        upload_id: str,
        number: int,
        expected: Expected,
        body: AsyncIterator[bytes | bytearray | memoryview],
        customer: CustomerKey | None = None,
    ) -> PartInfo:
        """Store a part. Raises as `parts.put_part`."""
        place = Place(bucket, key, upload_id, number)
        return await put_part(self._stores, self._duplicates, caller, place, expected, body, customer)

    async def copy_part(
        self,
        caller: Caller,
        bucket: str,
        key: str,
        upload_id: str,
        number: int,
        reading: Reading,
        customer: CustomerKey | None = None,
    ) -> PartInfo:
        """Make a part of what is being read. Raises as `parts.put_part`."""
        place = Place(bucket, key, upload_id, number)
        return await copy_part(self._stores, self._duplicates, caller, place, reading, customer)

    async def list_parts(
        self, caller: Caller, bucket: str, key: str, upload_id: str, *, marker: int = 0, max_parts: int = MOST
    ) -> PartPage:
        """Parts after number `marker`. Raises ServiceError: NoSuchUpload, AccessDenied, InvalidArgument."""
        limit = _limit(max_parts, "max-parts")

        def snapshot(tables: Tables) -> PartPage:
            upload = open_upload(tables, caller, "ListParts", bucket, key, upload_id)
            rows = tables.uploads.parts(upload_id, marker, limit + 1)
            truncated = len(rows) > limit > 0
            rows = rows[:limit]
            return PartPage(
                upload=upload_of(bucket, upload, abort_of(_bucket_of(tables, bucket), upload.key, upload.created)),
                parts=tuple(part_of(self._stores, row) for row in rows),
                truncated=truncated,
                next_marker=rows[-1].number if rows else 0,
            )

        return await self._stores.read(snapshot)

    async def list_uploads(
        self,
        caller: Caller,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str = "",
        key_marker: str = "",
        upload_marker: str = "",
        max_uploads: int = MOST,
    ) -> UploadPage:
        """Uploads in progress, by key and then by time. Raises ServiceError: NoSuchBucket, AccessDenied."""
        limit = _limit(max_uploads, "max-uploads")

        def snapshot(tables: Tables) -> UploadPage:
            row = authorise(tables, caller, operation("ListMultipartUploads"), bucket)
            marked = tables.uploads.get(upload_marker) if upload_marker and key_marker else None

            def seek(start: bytes, stop: bytes | None) -> Generator[UploadRow, None, None]:
                with closing(tables.uploads.open(row.number, start, stop)) as uploads:
                    for upload in uploads:
                        if marked is None or _place(upload) > _place(marked):
                            yield upload

            after = key_marker.encode()
            scan = skip_scan(seek, prefix.encode(), delimiter.encode(), after, limit, start=after if marked else None)
            last = scan.entries[-1] if scan.truncated and scan.entries else None
            return UploadPage(
                uploads=tuple(upload_of(bucket, entry) for entry in scan.entries if not isinstance(entry, bytes)),
                prefixes=tuple(entry.decode() for entry in scan.entries if isinstance(entry, bytes)),
                truncated=last is not None,
                next_key_marker=None if last is None else (last if isinstance(last, bytes) else last.key).decode(),
                next_upload_marker=None if last is None or isinstance(last, bytes) else last.id,
            )

        return await self._stores.read(snapshot)

    async def complete(
        self,
        caller: Caller,
        bucket: str,
        key: str,
        upload_id: str,
        parts: Sequence[CompletedPart],
        *,
        conditions: WriteConditions = ANY_WRITE,
        whole: Whole = ANYTHING,
    ) -> ObjectInfo:
        """Make the object. Completing again what was completed answers the same object while it is there.

        Raises ServiceError: NoSuchUpload, InvalidPart, InvalidPartOrder, EntityTooSmall, EntityTooLarge,
        MalformedXML (no parts), InvalidRequest and BadDigest (`whole`), PreconditionFailed, AccessDenied.
        """
        if not parts:
            raise ServiceError("MalformedXML", "At least one part must be named.")
        stores = self._stores
        while True:
            # The parts are checked in a snapshot, beside other writers; the transaction only checks that none changed.
            seen = await stores.read(lambda tables: self._joined(tables, caller, bucket, key, upload_id, parts, whole))
            if isinstance(seen, ObjectInfo):
                return seen
            joined = seen

            def transact(tables: Tables, joined: Joined = joined) -> Written | None:
                if _is_completed(tables.uploads.get(upload_id)):
                    return None
                upload = open_upload(tables, caller, "CompleteMultipartUpload", bucket, key, upload_id)
                if upload.generation != joined.upload.generation:
                    return None
                # One reference is the version's; the other is the upload's, until the collector sorted its parts.
                manifest = tables.manifests.insert(
                    size=joined.size, identity=joined.identity, seal_id=stores.random(16), parts=joined.parts, refs=2
                )
                seal_id = stores.random(16)
                version = NewVersion(
                    bucket=upload.bucket,
                    key=upload.key,
                    version_id="",
                    owner=upload.owner.id,
                    created=stores.clock(),
                    described=upload.described,
                    manifest=manifest,
                    size=joined.size,
                    seal_id=seal_id,
                    digests=seal_digests(stores, seal_id, joined.digests),
                    tags=upload.tags,
                    lock=upload.lock,
                )
                written = place_version(
                    stores, tables, joined.bucket, version, conditions, Cause(COMPLETE, caller),
                    create_only=create_only(caller), completed=tables.quotas.upload(upload_id),
                )  # fmt: skip
                tables.uploads.finish(upload_id, UploadState.COMPLETED, version.created, manifest, written.sequence)
                return written

            done = await stores.write(transact)
            if done is not None:
                return new_info(done.bucket, joined.upload.owner, done.version, joined.digests, joined.identity)

    def _joined(
        self,
        tables: Tables,
        caller: Caller,
        bucket: str,
        key: str,
        upload_id: str,
        parts: Sequence[CompletedPart],
        whole: Whole,
    ) -> Joined | ObjectInfo:
        """What the upload would become; or what it became, where it was completed before and that is still there."""
        row = authorise(tables, caller, operation("CompleteMultipartUpload"), bucket, key)
        upload = tables.uploads.get(upload_id)
        if upload is not None and _is_completed(upload) and upload.bucket == row.number:
            made = _made(tables, upload)
            if upload.key == key.encode() and made is not None:
                return info_of(self._stores, row, made)
        upload = open_upload(tables, caller, "CompleteMultipartUpload", bucket, key, upload_id)
        joined = join(self._stores, tables, row, upload, parts)
        check_whole(joined, whole)
        return joined

    async def abort(self, caller: Caller, bucket: str, key: str, upload_id: str) -> None:
        """Forget an upload and its parts. Raises ServiceError: NoSuchUpload, AccessDenied."""

        def transact(tables: Tables) -> None:
            open_upload(tables, caller, "AbortMultipartUpload", bucket, key, upload_id)
            tables.uploads.finish(upload_id, UploadState.ABORTED, self._stores.clock())

        await self._stores.write(transact)


def _bucket_of(tables: Tables, name: str) -> BucketRow:
    """The bucket of an upload that was found in it."""
    row = tables.buckets.get(name)
    assert row is not None, "an upload's bucket is in the same snapshot"
    return row


def _is_completed(upload: UploadRow | None) -> bool:
    return upload is not None and upload.state is UploadState.COMPLETED


def _made(tables: Tables, upload: UploadRow) -> VersionRow | None:
    """The version that a completed upload became, where it is still there."""
    assert upload.sequence is not None, "a completed upload has one"
    with closing(tables.versions.history(upload.bucket, upload.key, None, upload.sequence + 1)) as versions:
        found = next(versions, None)
    return found if found is not None and (found.key, found.sequence) == (upload.key, upload.sequence) else None


def _place(upload: UploadRow) -> tuple[bytes, float, str]:
    """Where an upload stands in a listing."""
    return upload.key, upload.created, upload.id


def _limit(asked: int, argument: str) -> int:
    if asked < 0:
        raise ServiceError("InvalidArgument", f"{argument} must not be negative.", argument=argument)
    return min(asked, MOST)
