"""Reading and setting access control lists of buckets and objects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from origin.catalog.contract import Tables
from origin.service.access import authorise
from origin.service.acl import GROUPS, read_acl, wish_text
from origin.service.describe import owner_of
from origin.service.exposure import list_for
from origin.service.model import AclWish, Caller, Owner
from origin.service.notifications import ACL, Cause, note
from origin.service.operations import Level, operation
from origin.service.reading import find
from origin.service.stores import Stores
from origin.service.version_ids import shown_id
from wire.feed import BUCKET_ACL, OBJECT_ACL


@dataclass(frozen=True, slots=True)
class AclView:
    """A list with the names of those it speaks of; a group is its URI."""

    owner: Owner
    grants: tuple[tuple[Owner | str, str], ...]


class Acls:
    """`Service.acls`."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def bucket(self, caller: Caller, bucket: str) -> AclView:
        """The list of a bucket. Raises ServiceError: NoSuchBucket, AccessDenied."""

        def snapshot(tables: Tables) -> AclView:
            row = authorise(tables, caller, operation("GetBucketAcl"), bucket)
            return _view(tables, owner_of(row.owner), row.acl)

        return await self._stores.read(snapshot)

    async def owner(
        self, caller: Caller, name: str, bucket: str, key: str | None = None, version_id: str | None = None
    ) -> Owner:
        """Who owns a bucket or object, for who may do the operation `name` to its list. Raises ServiceError."""

        def snapshot(tables: Tables) -> Owner:
            if key is None:
                return owner_of(authorise(tables, caller, operation(name), bucket).owner)
            return owner_of(find(tables, caller, operation(name), bucket, key, version_id)[1].owner)

        return await self._stores.read(snapshot)

    async def set_bucket(self, caller: Caller, bucket: str, wish: AclWish) -> None:
        """Set the list of a bucket.

        Raises ServiceError: NoSuchBucket, AccessDenied, InvalidArgument, UnresolvableGrantByEmailAddress,
        AccessControlListNotSupported.
        """
        text = wish_text(wish, Level.BUCKET)

        def transact(tables: Tables) -> None:
            row = authorise(tables, caller, operation("PutBucketAcl"), bucket)
            tables.buckets.set_acl(row.number, list_for(tables, row, text, Level.BUCKET, row.owner.id))
            tables.events.add(BUCKET_ACL, bucket, None, None, tables.meta.mutation(), self._stores.clock())

        await self._stores.write(transact)

    async def object(self, caller: Caller, bucket: str, key: str, version_id: str | None = None) -> AclView:
        """The list of an object. Raises ServiceError: NoSuchBucket, NoSuchKey, NoSuchVersion, AccessDenied."""

        def snapshot(tables: Tables) -> AclView:
            _, version = find(tables, caller, operation("GetObjectAcl"), bucket, key, version_id)
            return _view(tables, owner_of(version.owner), version.described.acl)

        return await self._stores.read(snapshot)

    async def set_object(
        self, caller: Caller, bucket: str, key: str, wish: AclWish, version_id: str | None = None
    ) -> None:
        """Set the list of an object. Raises as `object` and `set_bucket`."""
        text = wish_text(wish, Level.OBJECT)

        def transact(tables: Tables) -> None:
            row, version = find(tables, caller, operation("PutObjectAcl"), bucket, key, version_id)
            tables.versions.set_acl(version.sequence, list_for(tables, row, text, Level.OBJECT, version.owner.id))
            shown = shown_id(row, version.version_id)
            now, counter = self._stores.clock(), tables.meta.mutation()
            notice = note(self._stores, row, counter, Cause(ACL, caller), version.key, version=version)
            tables.events.add(OBJECT_ACL, bucket, version.key, shown, counter, now, notice)

        await self._stores.write(transact)


def _view(tables: Tables, owner: Owner, text: str) -> AclView:
    grants = read_acl(text, owner.id)
    known = _names(tables, (grant.grantee for grant in grants))
    return AclView(owner, tuple((known.get(grant.grantee, grant.grantee), grant.permission) for grant in grants))


def _names(tables: Tables, grantees: Iterable[str]) -> dict[str, Owner]:
    """The owners among the grantees, by id."""
    rows = (tables.owners.with_id(grantee) for grantee in set(grantees) - GROUPS)
    return {row.id: owner_of(row) for row in rows if row is not None}
