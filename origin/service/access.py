"""Who may do what. The same for every protocol.

The rules of this file, in the order they are asked:

1. An operation that is not supported is refused whoever asks.
2. A key acts within its bucket scope and permissions, on buckets of its own owner. ADMIN includes the others;
   CREATE_ONLY writes keys that do not exist, and deletes below its own prefixes.
3. Everybody else, an edge key included, may do what canned ACLs give to all: a public-read bucket may be listed, a
   public-read object may be read. One does not imply the other
   (https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl).
4. Who may not list a bucket does not learn whether a key exists: AccessDenied instead of NoSuchKey
   (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, "Permissions").
"""

from __future__ import annotations

from origin.catalog.contract import Tables
from origin.catalog.rows import BucketRow, VersionRow
from origin.service.model import Caller, Key, Permission, ServiceError
from origin.service.operations import Level, Operation
from origin.service.operations import operation as operation_named
from origin.service.stores import Stores

PRIVATE = "private"
PUBLIC_READ = "public-read"

# Object ACLs that name the bucket's owner grant nothing new where every object belongs to that owner.
_OBJECT_ACLS = {
    PRIVATE: PRIVATE,
    PUBLIC_READ: PUBLIC_READ,
    "bucket-owner-read": PRIVATE,
    "bucket-owner-full-control": PRIVATE,
}
_BUCKET_ACLS = {PRIVATE: PRIVATE, PUBLIC_READ: PUBLIC_READ}
_OTHER_ACLS = frozenset(
    {"public-read-write", "authenticated-read", "aws-exec-read", "log-delivery-write", *_OBJECT_ACLS}
)

_LISTS = frozenset({"ListObjects", "ListObjectsV2", "HeadBucket", "ListMultipartUploads"})
_READS = frozenset({"GetObject", "HeadObject", "GetObjectAttributes"})


def denied() -> ServiceError:
    """The one answer to whoever may not."""
    return ServiceError("AccessDenied", "Access Denied")


def no_such_bucket(name: str) -> ServiceError:
    """There is no bucket of that name."""
    return ServiceError("NoSuchBucket", "The specified bucket does not exist", bucket=name)


def no_such_key(key: str) -> ServiceError:
    """There is no object of that key."""
    return ServiceError("NoSuchKey", "The specified key does not exist.", key=key)


def canned_acl(acl: str, level: Level) -> str:
    """The ACL to keep for a canned name. Raises ServiceError: NotImplemented, InvalidArgument."""
    offered = _OBJECT_ACLS if level is Level.OBJECT else _BUCKET_ACLS
    if acl in offered:
        return offered[acl]
    if acl in _OTHER_ACLS:
        raise ServiceError("NotImplemented", f"The canned ACL {acl} is not offered.")
    raise ServiceError("InvalidArgument", f"{acl} is not a canned ACL.", argument="x-amz-acl", value=acl)


def create_only(caller: Caller) -> bool:
    """True where the caller may make keys and never replace them."""
    return caller.key is not None and not {Permission.WRITE, Permission.ADMIN} & caller.key.permissions


def may_list(caller: Caller, bucket: BucketRow) -> bool:
    """True where the caller may learn which keys there are."""
    return _allows(caller, operation_named("ListObjectsV2"), bucket, "")


def authorise(tables: Tables, caller: Caller, operation: Operation, bucket: str, key: str = "") -> BucketRow:
    """The bucket's row, where the caller may do that to it or to `key` in it.

    Reads of objects are decided by `authorise_read`, which needs the version. Raises ServiceError.
    """
    _supported(operation)
    row = tables.buckets.get(bucket)
    if row is None:
        raise no_such_bucket(bucket)
    if caller.expected_owner not in (None, row.owner.id):
        raise denied()
    if operation.name not in _READS and not _allows(caller, operation, row, key):
        raise denied()
    return row


def authorise_read(caller: Caller, bucket: BucketRow, key: str, version: VersionRow | None) -> VersionRow:
    """The version, where the caller may read it. Raises ServiceError: NoSuchKey, AccessDenied."""
    if version is None or version.marker:
        raise no_such_key(key) if may_list(caller, bucket) else denied()
    if _owns(caller, bucket) and _permits(caller.key, Permission.READ, key):
        return version
    if version.described.acl == PUBLIC_READ and _in_scope(caller, bucket.name):
        return version
    raise denied()


def authorise_service(caller: Caller, operation: Operation, bucket: str = "") -> Key:
    """The caller's key, where it may do what needs no bucket yet. Raises ServiceError."""
    _supported(operation)
    key = caller.key
    if key is None or caller.acts_anonymously or not _permits(key, operation.permission, ""):
        raise denied()
    if bucket and not _in_scope(caller, bucket):
        raise denied()
    return key


def _supported(operation: Operation) -> None:
    if not operation.supported:
        raise ServiceError("NotImplemented", f"{operation.name} is not implemented.")


def _allows(caller: Caller, operation: Operation, bucket: BucketRow, key: str) -> bool:
    if _owns(caller, bucket) and _permits(caller.key, operation.permission, key):
        return True
    return operation.name in _LISTS and bucket.acl == PUBLIC_READ and _in_scope(caller, bucket.name)


def _owns(caller: Caller, bucket: BucketRow) -> bool:
    return (
        caller.key is not None
        and not caller.acts_anonymously
        and caller.key.owner.id == bucket.owner.id
        and _in_scope(caller, bucket.name)
    )


def _in_scope(caller: Caller, bucket: str) -> bool:
    """A key is held to its buckets also where anybody may read; who acts anonymously has no scope."""
    return caller.acts_anonymously or caller.key is None or caller.key.buckets is None or bucket in caller.key.buckets


def _permits(key: Key | None, permission: Permission, name: str) -> bool:
    if key is None:
        return False
    if key.permissions & {permission, Permission.ADMIN}:
        return True
    if Permission.CREATE_ONLY not in key.permissions:
        return False
    if permission is Permission.DELETE:
        return name.startswith(key.allow_delete) if name and key.allow_delete else False
    return permission is Permission.WRITE


class Access:
    """`Service.access`. Every method of the service asks here itself; a protocol may ask earlier, to refuse a body."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def authorise(
        self, caller: Caller, operation: Operation, bucket: str | None = None, key: str | None = None
    ) -> None:
        """Return where the caller may. Raises ServiceError: NotImplemented, AccessDenied, NoSuchBucket, NoSuchKey."""
        if bucket is None or operation.name == "CreateBucket":
            authorise_service(caller, operation, bucket or "")
        else:
            await self._stores.read(lambda tables: self._authorise(tables, caller, operation, bucket, key or ""))

    @staticmethod
    def _authorise(tables: Tables, caller: Caller, operation: Operation, bucket: str, key: str) -> None:
        row = authorise(tables, caller, operation, bucket, key)
        if operation.name in _READS:
            authorise_read(caller, row, key, tables.versions.latest(row.number, key.encode()))
