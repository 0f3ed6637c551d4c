"""Who may do what. The same for every protocol.

The rules of this file, in the order they are asked:

1. An operation that is not supported is refused whoever asks.
2. A key acts within its bucket scope, its permissions and its own policy, if it has one: each only narrows the others.
   ADMIN includes the other permissions; CREATE_ONLY writes keys that do not exist, and deletes below its own prefixes.
3. An explicit deny of the bucket's policy refuses. Its owner, as ADMIN, may still mend the policy itself.
4. The owner of a bucket may do everything to it, and to the objects that are theirs.
5. Everybody else, an edge key included, may do what the bucket's policy or an ACL gives them; what public access block
   and object ownership take away is not given (exposure.py).
6. Who may not list a bucket does not learn whether a key exists: AccessDenied instead of NoSuchKey
   (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, "Permissions").

https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-s3-evaluates-access-control.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from origin.catalog.contract import Tables
from origin.catalog.rows import BucketRow, OwnerRow, VersionRow
from origin.service.acl import grants, read_acl
from origin.service.actions import OF_THE_LIST, OF_THE_VERSION, action, bucket_grant, object_grant
from origin.service.exposure import Ownership, owner_of_version, ownership, public_access
from origin.service.model import Caller, Key, Permission, ServiceError, Setting
from origin.service.operations import Operation
from origin.service.operations import operation as operation_named
from origin.service.policy import (
    ARN,
    Effect,
    Outcome,
    Principal,
    Request,
    read_bucket_policy,
    read_key_policy,
)
from origin.service.stores import Stores

_MENDING = frozenset({"GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"})
_INCLUDED = {"GetObjectAttributes": ("GetObject",)}
"""Operations that need the right to another one, too."""
_SILENT = Outcome(Effect.NONE)
REQUESTER = "Requester"
"""The value of the payment setting with which others pay for their requests."""
VERSION_KEY = "s3:versionid"
"""The condition key that is there where the client names a version."""
TAG_KEY = "s3:existingobjecttag/"
"""Before the name of a tag of the version: its condition key."""


def denied() -> ServiceError:
    """The one answer to whoever may not."""
    return ServiceError("AccessDenied", "Access Denied")


def no_such_bucket(name: str) -> ServiceError:
    """There is no bucket of that name."""
    return ServiceError("NoSuchBucket", "The specified bucket does not exist", bucket=name)


def no_such_key(key: str) -> ServiceError:
    """There is no object of that key."""
    return ServiceError("NoSuchKey", "The specified key does not exist.", key=key)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the caller may, and whether that hung on a condition of a policy."""

    allowed: bool
    conditional: bool = False


def create_only(caller: Caller) -> bool:
    """True where the caller may make keys and never replace them."""
    return caller.key is not None and not {Permission.WRITE, Permission.ADMIN} & caller.key.permissions


def writer(caller: Caller, bucket: BucketRow) -> OwnerRow:
    """Who owns what the caller writes: nobody's objects are the bucket owner's."""
    owner = None if caller.acts_anonymously else caller.owner
    return bucket.owner if owner is None else OwnerRow(owner.id, owner.name, owner.display)


def may_list(caller: Caller, bucket: BucketRow) -> bool:
    """True where the caller may learn which keys there are."""
    return decide(caller, operation_named("ListObjectsV2"), bucket).allowed


def authorise(tables: Tables, caller: Caller, operation: Operation, bucket: str, key: str = "") -> BucketRow:
    """The bucket's row, where the caller may do that to it or to `key` in it.

    What the object's own list and owner decide is asked of `authorise_version`. Raises ServiceError.
    """
    return authorise_in(tables.buckets.get(bucket), caller, operation, bucket, key)


def authorise_in(row: BucketRow | None, caller: Caller, operation: Operation, bucket: str, key: str = "") -> BucketRow:
    """As `authorise`, for a row that was read already; None where there is no bucket of that name."""
    _supported(operation)
    if row is None:
        raise no_such_bucket(bucket)
    if caller.expected_owner not in (None, row.owner.id) or not _pays(caller, row):
        raise denied()
    if operation.name not in OF_THE_VERSION and not decide(caller, operation, row, key).allowed:
        raise denied()
    if operation.name in _MENDING and (caller.owner is None or caller.owner.id != row.owner.id):
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicy.html: policies are their owner's alone
        raise ServiceError("MethodNotAllowed", "The specified method is not allowed against this resource.")
    return row


def _pays(caller: Caller, bucket: BucketRow) -> bool:
    """Whether somebody pays: the bucket's owner does unless it says Requester; then others must have agreed to.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/RequesterPaysBuckets.html
    """
    if bucket.settings.get(Setting.PAYMENT) != REQUESTER or (caller.owner and caller.owner.id == bucket.owner.id):
        return True
    return caller.pays and not caller.acts_anonymously


def authorise_version(
    caller: Caller, operation: Operation, bucket: BucketRow, key: str, version: VersionRow | None
) -> VersionRow:
    """The version, where the caller may do that to it. Raises ServiceError: NoSuchKey, AccessDenied."""
    if version is None or version.marker:
        raise no_such_key(key) if may_list(caller, bucket) else denied()
    asked = [operation, *(operation_named(name) for name in _INCLUDED.get(operation.name, ()))]
    if not all(decide(caller, one, bucket, key, version).allowed for one in asked):
        raise denied()
    return version


def authorise_tags(caller: Caller, bucket: BucketRow, key: str, tags: Mapping[str, str]) -> None:
    """Return where who may write the key may give it those tags with the same request, too.

    That takes s3:PutObjectTagging, but for a policy whose permission to write says itself which tags it wants.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html, "Permissions". Raises ServiceError.
    """
    tagging, put = operation_named("PutObjectTagging"), operation_named("PutObject")
    if not tags or decide(caller, tagging, bucket, key).allowed:
        return
    mine = caller.key if not caller.acts_anonymously else None
    if mine is not None and not _key_permits(caller, mine, tagging, bucket.name, key):
        raise denied()
    said = [_stated(caller, mine, operation, bucket, key, None) for operation in (tagging, put)]
    if said[0].effect is Effect.DENY or said[1].effect is not Effect.ALLOW or not said[1].asks_for_tags:
        raise denied()


def reads_conditionally(caller: Caller, bucket: BucketRow, key: str, version: VersionRow) -> bool:
    """Whether another reader, or this one at another time, might not read what this one may."""
    return decide(caller, operation_named("GetObject"), bucket, key, version).conditional


def authorise_service(caller: Caller, operation: Operation, bucket: str = "") -> Key:
    """The caller's key, where it may do what needs no bucket yet. Raises ServiceError."""
    _supported(operation)
    key = caller.key
    if key is None or caller.acts_anonymously or not _key_permits(caller, key, operation, bucket, ""):
        raise denied()
    return key


def decide(
    caller: Caller, operation: Operation, bucket: BucketRow, key: str = "", version: VersionRow | None = None
) -> Decision:
    """Whether the caller may. `version` is needed where the object's own list and owner decide."""
    mine = caller.key if not caller.acts_anonymously else None
    if mine is not None and not _key_permits(caller, mine, operation, bucket.name, key):
        return Decision(False)
    stated = _stated(caller, mine, operation, bucket, key, version)
    owns_bucket = mine is not None and mine.owner.id == bucket.owner.id
    mends = owns_bucket and operation.name in _MENDING
    if stated.effect is Effect.DENY and not mends:
        return Decision(False, stated.conditional)
    who = mine.owner.id if mine is not None else None
    owner = bucket.owner.id if version is None else owner_of_version(bucket, version)
    if who == owner or (owns_bucket and version is None):
        return Decision(True, stated.conditional)
    if stated.effect is Effect.ALLOW and owner == bucket.owner.id:
        return Decision(True, stated.conditional)
    return Decision(_listed(operation, bucket, version, who), stated.conditional)


def _supported(operation: Operation) -> None:
    if not operation.supported:
        raise ServiceError("NotImplemented", f"{operation.name} is not implemented.")


def _stated(
    caller: Caller, key: Key | None, operation: Operation, bucket: BucketRow, name: str, version: VersionRow | None
) -> Outcome:
    """What the bucket's policy says, after public access block."""
    document = bucket.settings.get(Setting.POLICY)
    if document is None:
        return _SILENT
    policy = read_bucket_policy(document, bucket.name)
    principal = Principal(key.owner.id, key.owner.name) if key is not None else None
    outcome = policy.evaluate(_request(caller, principal, operation, bucket.name, name, version))
    foreign = key is None or key.owner.id != bucket.owner.id
    if outcome.effect is Effect.ALLOW and foreign and public_access(bucket).restrict_public_buckets and policy.public:
        return Outcome(Effect.NONE, outcome.conditional)
    return outcome


def _listed(operation: Operation, bucket: BucketRow, version: VersionRow | None, who: str | None) -> bool:
    """What the ACL that decides the operation gives to `who` (None: anonymous)."""
    if ownership(bucket) is Ownership.ENFORCED:
        return False
    if version is not None:
        grant, text, owner = object_grant(operation), version.described.acl, version.owner.id
    else:
        grant, text, owner = bucket_grant(operation), bucket.acl, bucket.owner.id
    if grant is None:
        return False
    if who == owner and operation.name in OF_THE_LIST:
        return True
    return grants(read_acl(text, owner), grant, who, ignore_public=public_access(bucket).ignore_public_acls)


def _key_permits(caller: Caller, key: Key, operation: Operation, bucket: str, name: str) -> bool:
    """Whether a key's own scope, permissions and policy leave the operation to it."""
    if key.buckets is not None and bucket and bucket not in key.buckets:
        return False
    if not _permits(key, operation.permission, name):
        return False
    if key.policy is None:
        return True
    request = _request(caller, Principal(key.owner.id, key.owner.name), operation, bucket, name, None)
    return read_key_policy(key.policy).evaluate(request).effect is Effect.ALLOW


def _request(
    caller: Caller, principal: Principal | None, operation: Operation, bucket: str, name: str,
    version: VersionRow | None,
) -> Request:  # fmt: skip
    resource = f"{ARN}{bucket}/{name}" if name else f"{ARN}{bucket or '*'}"
    context = caller.context
    if version is not None and version.tags:
        context = {**context, **{f"{TAG_KEY}{tag.lower()}": (value,) for tag, value in version.tags.items()}}
    return Request(principal, action(operation, version=VERSION_KEY in context), resource, context)


def _permits(key: Key, permission: Permission, name: str) -> bool:
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
        if operation.name in OF_THE_VERSION:
            authorise_version(caller, operation, row, key, tables.versions.latest(row.number, key.encode()))
