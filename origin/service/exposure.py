"""How far a bucket may be opened: public access block and object ownership.

The rule of this file: both are settings that take away what lists and policies give; neither ever gives anything.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache

import msgspec
from msgspec.structs import replace

from origin.catalog.contract import Tables
from origin.catalog.rows import BucketRow, NewVersion, VersionRow
from origin.service.acl import PRIVATE, is_public, make_acl, read_acl
from origin.service.model import ServiceError, Setting
from origin.service.operations import Level


class PublicAccessBlock(msgspec.Struct, frozen=True):
    """The four switches, as AWS names them."""

    block_public_acls: bool = False
    """Refuse to set a list that is public."""
    ignore_public_acls: bool = False
    """Take what a list gives to everybody as not given."""
    block_public_policy: bool = False
    """Refuse to set a policy that is public."""
    restrict_public_buckets: bool = False
    """Where the policy is public, let it give nothing to anybody but the owner."""


class Ownership(StrEnum):
    """Who owns what others write; ENFORCED turns lists off."""

    WRITER = "ObjectWriter"
    PREFERRED = "BucketOwnerPreferred"
    ENFORCED = "BucketOwnerEnforced"


BUCKET_OWNER_FULL_CONTROL = "bucket-owner-full-control"
_HARMLESS = frozenset({"", BUCKET_OWNER_FULL_CONTROL})
_OPEN = PublicAccessBlock()


@lru_cache(maxsize=64)
def _read(document: str) -> PublicAccessBlock:
    return msgspec.json.decode(document, type=PublicAccessBlock)


def public_access(bucket: BucketRow) -> PublicAccessBlock:
    """The bucket's block; nothing is blocked where it was never set."""
    document = bucket.settings.get(Setting.PUBLIC_ACCESS)
    return _OPEN if document is None else _read(document)


def ownership(bucket: BucketRow) -> Ownership:
    """The bucket's object ownership; without controls, who writes an object owns it."""
    return Ownership(bucket.settings.get(Setting.OWNERSHIP, Ownership.WRITER))


def owner_of_version(bucket: BucketRow, version: VersionRow) -> str:
    """Whose object it is: the bucket owner's where lists are turned off."""
    return bucket.owner.id if ownership(bucket) is Ownership.ENFORCED else version.owner.id


def check_wish(bucket: BucketRow, wish: str) -> None:
    """Raise ServiceError AccessControlListNotSupported for a wish that a bucket without lists does not take."""
    if ownership(bucket) is Ownership.ENFORCED and wish not in _HARMLESS:
        raise ServiceError("AccessControlListNotSupported", "The bucket does not allow ACLs")


def list_for(tables: Tables, bucket: BucketRow, wish: str, level: Level, owner: str) -> str:
    """The list to keep for a wish on the bucket or on an object of `owner` in it.

    Raises ServiceError: AccessControlListNotSupported, AccessDenied (a public list that is blocked), and as `make_acl`.
    """
    check_wish(bucket, wish)
    text = make_acl(tables, wish, level, owner, bucket.owner.id)
    if public_access(bucket).block_public_acls and is_public(read_acl(text, owner)):
        raise ServiceError("AccessDenied", "Access Denied")
    return text


def admit(tables: Tables, bucket: BucketRow, version: NewVersion) -> NewVersion:
    """A new version with its final owner and list; until now its list is a wish. Raises as `list_for`."""
    wish, rule = version.described.acl, ownership(bucket)
    owner = version.owner
    if rule is Ownership.ENFORCED or (rule is Ownership.PREFERRED and wish == BUCKET_OWNER_FULL_CONTROL):
        owner = bucket.owner.id
    text = list_for(tables, bucket, wish, Level.OBJECT, owner)
    if rule is Ownership.ENFORCED:
        text = PRIVATE
    return replace(version, owner=owner, described=replace(version.described, acl=text))


def check_enforceable(bucket: BucketRow, rule: str) -> None:
    """Refuse to turn lists off while the bucket's grants something (InvalidBucketAclWithObjectOwnership)."""
    if rule == Ownership.ENFORCED and any(
        grant.grantee != bucket.owner.id for grant in read_acl(bucket.acl, bucket.owner.id)
    ):
        raise ServiceError(
            "InvalidBucketAclWithObjectOwnership",
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
        )
