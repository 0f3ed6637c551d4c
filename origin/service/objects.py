"""Objects: writing, copying, removing and sharing them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from origin.service.model import ANY_READ, Caller, CopyRequest, Deletion, ObjectInfo, PutRequest, ReadConditions
from origin.service.reading import Reading


class Objects:
    """`Service.objects`."""

    async def put(self, caller: Caller, request: PutRequest, body: AsyncIterator[bytes]) -> ObjectInfo:
        """Store a body under a key; returns only when it is durable.

        Nothing is taken from `body` until the caller is authorised and the bucket exists. An exception that `body`
        raises passes through and stores nothing.
        Raises ServiceError: AccessDenied, NoSuchBucket, KeyTooLongError, EntityTooLarge, IncompleteBody, BadDigest,
        XAmzContentSHA256Mismatch, InvalidDigest, PreconditionFailed, NoSuchKey (If-Match on nothing), SlowDown,
        InsufficientStorage, MetadataTooLarge, NotImplemented (canned ACLs not offered).
        """
        raise NotImplementedError

    async def head(
        self, caller: Caller, bucket: str, key: str, version_id: str | None = None,
        *, conditions: ReadConditions = ANY_READ,
    ) -> ObjectInfo:
        """What a GET would answer, without bytes. Raises as `open` does."""
        raise NotImplementedError

    async def open(
        self, caller: Caller, bucket: str, key: str, version_id: str | None = None,
        *, conditions: ReadConditions = ANY_READ, range: str | None = None,
    ) -> Reading:
        """Begin a read: conditions and range are evaluated in the snapshot that yields the bytes.

        `range` is the Range header's value; junk and several ranges read everything (as AWS does). Use the answer
        as an async context manager, or `aclose()` it.
        Raises NotModified; ServiceError: NoSuchBucket, NoSuchKey, AccessDenied, PreconditionFailed,
        InvalidRange (detail `size`), NoSuchVersion.
        """
        raise NotImplementedError

    async def delete(self, caller: Caller, bucket: str, key: str, version_id: str | None = None) -> Deletion:
        """Remove a key; removing what is not there succeeds.

        Raises ServiceError: NoSuchBucket, AccessDenied, NoSuchVersion.
        """
        raise NotImplementedError

    async def delete_many(
        self, caller: Caller, bucket: str, keys: Sequence[tuple[str, str | None]]
    ) -> tuple[Deletion, ...]:
        """Remove up to 1,000 (key, version) in one commit; each answer carries its own error.

        Raises ServiceError: NoSuchBucket, MalformedXML (more than 1,000).
        """
        raise NotImplementedError

    async def copy(self, caller: Caller, request: CopyRequest) -> ObjectInfo:
        """Make an object of another one's manifest; no byte moves.

        Raises ServiceError: NoSuchBucket, NoSuchKey, AccessDenied, InvalidRequest (onto itself without a change),
        PreconditionFailed.
        """
        raise NotImplementedError

    async def get_acl(self, caller: Caller, bucket: str, key: str, version_id: str | None = None) -> ObjectInfo:
        """The object with its ACL, for who may read that. Raises ServiceError: NoSuchBucket, NoSuchKey, AccessDenied."""
        raise NotImplementedError

    async def set_acl(
        self, caller: Caller, bucket: str, key: str, acl: str, version_id: str | None = None
    ) -> None:
        """Set a canned ACL. Raises ServiceError: NoSuchBucket, NoSuchKey, AccessDenied, NotImplemented."""
        raise NotImplementedError
