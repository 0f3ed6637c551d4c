"""Multipart uploads: parts are manifests, completing joins them without moving a byte."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from origin.service.model import (
    ANY_WRITE,
    Caller,
    CompletedPart,
    CreateUploadRequest,
    Expected,
    ObjectInfo,
    PartInfo,
    PartPage,
    UploadInfo,
    UploadPage,
    WriteConditions,
)


class Uploads:
    """`Service.uploads`."""

    async def create(self, caller: Caller, request: CreateUploadRequest) -> UploadInfo:
        """Begin an upload. Raises ServiceError: NoSuchBucket, AccessDenied, KeyTooLongError, MetadataTooLarge."""
        raise NotImplementedError

    async def put_part(
        self, caller: Caller, bucket: str, key: str, upload_id: str, number: int, expected: Expected,
        body: AsyncIterator[bytes],
    ) -> PartInfo:
        """Store part `number` (1 … 10,000), taking the place of an earlier one.

        Raises ServiceError: NoSuchUpload, InvalidArgument (number), and all that `Objects.put` raises for a body.
        """
        raise NotImplementedError

    async def list_parts(
        self, caller: Caller, bucket: str, key: str, upload_id: str, *, marker: int = 0, max_parts: int = 1000
    ) -> PartPage:
        """Parts after number `marker`. Raises ServiceError: NoSuchUpload, AccessDenied."""
        raise NotImplementedError

    async def list_uploads(
        self, caller: Caller, bucket: str, *, prefix: str = "", delimiter: str = "", key_marker: str = "",
        upload_marker: str = "", max_uploads: int = 1000,
    ) -> UploadPage:
        """Uploads in progress, by key and then by time. Raises ServiceError: NoSuchBucket, AccessDenied."""
        raise NotImplementedError

    async def complete(
        self, caller: Caller, bucket: str, key: str, upload_id: str, parts: Sequence[CompletedPart],
        *, conditions: WriteConditions = ANY_WRITE, expected_size: int | None = None,
    ) -> ObjectInfo:
        """Make the object. Completing again what was completed answers the same object while it is the latest.

        Raises ServiceError: NoSuchUpload, InvalidPart, InvalidPartOrder, EntityTooSmall, EntityTooLarge,
        MalformedXML (no parts), PreconditionFailed, AccessDenied.
        """
        raise NotImplementedError

    async def abort(self, caller: Caller, bucket: str, key: str, upload_id: str) -> None:
        """Forget an upload and its parts. Raises ServiceError: NoSuchUpload, AccessDenied."""
        raise NotImplementedError
