"""Buckets: making, finding, listing and removing them, and who may see them."""

from __future__ import annotations

from origin.service.model import Bucket, BucketPage, Caller


class Buckets:
    """`Service.buckets`."""

    async def create(self, caller: Caller, name: str, *, acl: str = "private", region: str | None = None) -> Bucket:
        """Make a bucket owned by the caller.

        Raises ServiceError: AccessDenied, InvalidBucketName, BucketAlreadyExists, BucketAlreadyOwnedByYou.
        """
        raise NotImplementedError

    async def head(self, caller: Caller, name: str) -> Bucket:
        """The bucket, for whoever may list it. Raises ServiceError: NoSuchBucket, AccessDenied."""
        raise NotImplementedError

    async def location(self, caller: Caller, name: str) -> str:
        """The bucket's region. Raises ServiceError: NoSuchBucket, AccessDenied."""
        raise NotImplementedError

    async def delete(self, caller: Caller, name: str) -> None:
        """Remove an empty bucket. Raises ServiceError: NoSuchBucket, AccessDenied, BucketNotEmpty."""
        raise NotImplementedError

    async def list(
        self, caller: Caller, *, prefix: str = "", max_buckets: int = 10_000, token: str | None = None
    ) -> BucketPage:
        """The caller's own buckets, by name. Raises ServiceError: AccessDenied, InvalidArgument (token)."""
        raise NotImplementedError

    async def get_acl(self, caller: Caller, name: str) -> Bucket:
        """The bucket with its ACL, for who may read the ACL. Raises ServiceError: NoSuchBucket, AccessDenied."""
        raise NotImplementedError

    async def set_acl(self, caller: Caller, name: str, acl: str) -> None:
        """Set a canned ACL. Raises ServiceError: NoSuchBucket, AccessDenied, NotImplemented (other canned ACLs)."""
        raise NotImplementedError
