"""Buckets: making, finding, listing and removing them, and who may see them."""

from __future__ import annotations

from origin.catalog.contract import Tables
from origin.catalog.rows import BucketRow
from origin.service.access import authorise, authorise_service
from origin.service.acl import make_acl, wish_text
from origin.service.describe import bucket_of
from origin.service.exposure import check_enforceable
from origin.service.limits import check_bucket_name
from origin.service.locks import ENABLED as LOCK_ENABLED
from origin.service.locks import document_of
from origin.service.model import AclWish, Bucket, Caller, ServiceError, Setting
from origin.service.operations import Level, operation
from origin.service.pages import BucketPage
from origin.service.stores import Stores
from origin.service.version_ids import Versioning
from wire.feed import BUCKET_CREATED, BUCKET_REMOVED

CLASSIC_REGION = "us-east-1"
"""Where AWS forgives that a bucket is made again, and names no location."""
MOST = 10_000
"""Buckets of one page (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html)."""


class Buckets:
    """`Service.buckets`."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def create(
        self,
        caller: Caller,
        name: str,
        *,
        acl: AclWish | None = None,
        region: str | None = None,
        ownership: str | None = None,
        lock: bool = False,
    ) -> Bucket:
        """Make a bucket owned by the caller. With `lock` it has object lock, and so is versioned.

        A bucket that the caller already owns stays as it is, which many clients rely on before they write
        (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html: us-east-1 answers 200). AWS resets
        its ACL then; here a request for another ACL is BucketAlreadyExists. In other regions it is
        BucketAlreadyOwnedByYou.

        Raises ServiceError: AccessDenied, InvalidBucketName, BucketAlreadyExists, BucketAlreadyOwnedByYou.
        """
        owner = authorise_service(caller, operation("CreateBucket"), name).owner
        check_bucket_name(self._stores.settings, name)
        wish = wish_text(acl, Level.BUCKET)
        created = self._stores.clock()
        place = region or self._stores.settings.origin.region

        def alike(tables: Tables, known: BucketRow) -> bool:
            return not wish or make_acl(tables, wish, Level.BUCKET, owner.id, owner.id) == known.acl

        def transact(tables: Tables) -> None:
            known = tables.buckets.get(name)
            if known is not None and known.owner.id == owner.id and not place == known.region == CLASSIC_REGION:
                raise ServiceError(
                    "BucketAlreadyOwnedByYou",
                    "Your previous request to create the named bucket succeeded and you already own it.",
                    bucket=name,
                )
            if known is not None and known.owner.id == owner.id and alike(tables, known):
                return
            if known is not None:
                raise ServiceError(
                    "BucketAlreadyExists",
                    "The requested bucket name is not available. Please select a different name and try again.",
                    bucket=name,
                )
            kept = make_acl(tables, wish, Level.BUCKET, owner.id, owner.id)
            tables.buckets.add(name=name, owner=owner.id, created=created, acl=kept, region=place)
            made = tables.buckets.get(name)
            assert made is not None, "it was just added"
            if ownership is not None:
                check_enforceable(made, ownership)
                tables.buckets.set_setting(made.number, Setting.OWNERSHIP, ownership)
            if lock:
                tables.buckets.set_versioning(made.number, Versioning.ENABLED)
                tables.buckets.set_setting(made.number, Setting.OBJECT_LOCK, document_of(LOCK_ENABLED))
            tables.events.add(BUCKET_CREATED, name, None, None, tables.meta.mutation(), created)

        await self._stores.write(transact)
        return Bucket(name, owner, created, place)

    async def head(self, caller: Caller, name: str) -> Bucket:
        """The bucket, for whoever may list it. Raises ServiceError: NoSuchBucket, AccessDenied."""
        return await self._find(caller, "HeadBucket", name)

    async def location(self, caller: Caller, name: str) -> str:
        """The bucket's region. Raises ServiceError: NoSuchBucket, AccessDenied."""
        return (await self._find(caller, "GetBucketLocation", name)).region

    async def _find(self, caller: Caller, name: str, bucket: str) -> Bucket:
        return bucket_of(await self._stores.read(lambda tables: authorise(tables, caller, operation(name), bucket)))

    async def delete(self, caller: Caller, name: str) -> None:
        """Remove an empty bucket; uploads in progress are aborted.

        Raises ServiceError: NoSuchBucket, AccessDenied, BucketNotEmpty.
        """

        def transact(tables: Tables) -> None:
            bucket = authorise(tables, caller, operation("DeleteBucket"), name)
            if tables.buckets.holds_versions(bucket.number):
                raise ServiceError("BucketNotEmpty", "The bucket you tried to delete is not empty", bucket=name)
            now = self._stores.clock()
            tables.uploads.abort_all(bucket.number, now)
            tables.buckets.remove(bucket.number)
            tables.events.add(BUCKET_REMOVED, name, None, None, tables.meta.mutation(), now)

        await self._stores.write(transact)

    async def list(
        self, caller: Caller, *, prefix: str = "", max_buckets: int = MOST, token: str | None = None
    ) -> BucketPage:
        """The caller's own buckets, by name. Raises ServiceError: AccessDenied, InvalidArgument (max_buckets)."""
        key = authorise_service(caller, operation("ListBuckets"))
        if not 1 <= max_buckets <= MOST:
            raise ServiceError("InvalidArgument", f"max-buckets must be from 1 to {MOST}.", argument="max-buckets")
        # The token is the last name of the page before: names order as bytes and are no secret from their owner.
        rows = await self._stores.read(
            lambda tables: tables.buckets.owned(key.owner.id, prefix, token or "", max_buckets + 1)
        )
        page = tuple(bucket_of(row) for row in rows[:max_buckets])
        return BucketPage(buckets=page, next_token=page[-1].name if len(rows) > max_buckets else None)
