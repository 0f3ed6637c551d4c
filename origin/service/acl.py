"""Access control lists: grants, the canned lists, and who they let do what.

The rule of this file: a list is its grants and nothing else; its owner may read and write the list itself whatever it
grants. Kept as the name of a canned list or as JSON.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from origin.catalog.contract import Tables
from origin.service.model import AclWish, ServiceError
from origin.service.operations import Level

_GROUPS = "http://acs.amazonaws.com/groups/"
ALL_USERS = f"{_GROUPS}global/AllUsers"
AUTHENTICATED_USERS = f"{_GROUPS}global/AuthenticatedUsers"
LOG_DELIVERY = f"{_GROUPS}s3/LogDelivery"
GROUPS = frozenset({ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY})
PUBLIC = frozenset({ALL_USERS, AUTHENTICATED_USERS})

FULL_CONTROL = "FULL_CONTROL"
PERMISSIONS = frozenset({FULL_CONTROL, "READ", "WRITE", "READ_ACP", "WRITE_ACP"})
MOST_GRANTS = 100

PRIVATE = "private"
BUCKET_OWNER = "bucket owner"

# What each canned list grants beside the owner's full control. https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl
_BOTH: dict[str, tuple[tuple[str, str], ...]] = {
    PRIVATE: (),
    "public-read": ((ALL_USERS, "READ"),),
    "public-read-write": ((ALL_USERS, "READ"), (ALL_USERS, "WRITE")),
    "authenticated-read": ((AUTHENTICATED_USERS, "READ"),),
    "aws-exec-read": (),
}
CANNED: dict[Level, dict[str, tuple[tuple[str, str], ...]]] = {
    Level.OBJECT: {
        **_BOTH,
        "bucket-owner-read": ((BUCKET_OWNER, "READ"),),
        "bucket-owner-full-control": ((BUCKET_OWNER, FULL_CONTROL),),
        "log-delivery-write": (),
    },
    Level.BUCKET: {
        **_BOTH,
        "bucket-owner-read": (),
        "bucket-owner-full-control": (),
        "log-delivery-write": ((LOG_DELIVERY, "WRITE"), (LOG_DELIVERY, "READ_ACP")),
    },
}


@dataclass(frozen=True, slots=True)
class Grant:
    """A permission for a canonical id or a group's URI."""

    grantee: str
    permission: str


Acl = tuple[Grant, ...]


def read_acl(text: str, owner: str) -> Acl:
    """The list of a thing of that owner, as it is kept."""
    if text.startswith("["):
        return tuple(Grant(grantee, permission) for grantee, permission in orjson.loads(text))
    return _canned(text, Level.BUCKET, owner, owner)


def wish_text(wish: AclWish | None, level: Level) -> str:
    """A wish as it is kept until the object is made; "" where the client said nothing.

    Raises ServiceError: InvalidArgument for a canned name or a number of grants that is none.
    """
    if wish is None:
        return ""
    if isinstance(wish, str):
        if wish not in CANNED[level]:
            raise ServiceError("InvalidArgument", f"{wish} is not a canned ACL.", argument="x-amz-acl", value=wish)
        return wish
    if len(wish) > MOST_GRANTS:
        raise ServiceError("InvalidArgument", f"An ACL has at most {MOST_GRANTS} grants.")
    return orjson.dumps(wish).decode()


def make_acl(tables: Tables, wish: str, level: Level, owner: str, bucket_owner: str) -> str:
    """The text to keep for a wish (`wish_text`).

    Raises ServiceError: InvalidArgument (a grantee that is none), UnresolvableGrantByEmailAddress.
    """
    if wish.startswith("["):
        return _text(Grant(_resolved(tables, kind, name), permission) for kind, name, permission in orjson.loads(wish))
    grants = _canned(wish or PRIVATE, level, owner, bucket_owner)
    return _text(grants) if len(grants) > 1 else PRIVATE


def list_text(owner: str, given: Iterable[Grant]) -> str:
    """The text to keep for a list as another store had it, of a thing that `owner` owns here."""
    kept = tuple(dict.fromkeys(given))
    return PRIVATE if kept == (Grant(owner, FULL_CONTROL),) else _text(kept)


def _canned(name: str, level: Level, owner: str, bucket_owner: str) -> Acl:
    extra = (
        Grant(bucket_owner if grantee == BUCKET_OWNER else grantee, permission)
        for grantee, permission in CANNED[level][name]
    )
    return tuple(dict.fromkeys((Grant(owner, FULL_CONTROL), *extra)))


def _text(grants: Iterable[Grant]) -> str:
    return orjson.dumps([(grant.grantee, grant.permission) for grant in dict.fromkeys(grants)]).decode()


def _resolved(tables: Tables, kind: str, name: str) -> str:
    """The canonical id or group that a grantee means."""
    if kind == "uri":
        if name not in GROUPS:
            raise ServiceError("InvalidArgument", "Invalid group uri", argument="uri", value=name)
        return name
    if kind == "id":
        if tables.owners.with_id(name) is None:
            raise ServiceError("InvalidArgument", "Invalid id", argument="CanonicalUser/ID", value=name)
        return name
    found = tables.owners.with_email(name)
    if found is None:
        raise ServiceError(
            "UnresolvableGrantByEmailAddress", "The e-mail address you provided does not match any account on record."
        )
    return found.id


def grants(acl: Acl, permission: str, owner: str | None, *, ignore_public: bool = False) -> bool:
    """Whether the list gives `permission` to who has the canonical id `owner` (None: anonymous)."""
    who = {ALL_USERS} if owner is None else {ALL_USERS, AUTHENTICATED_USERS, owner}
    if ignore_public:
        who -= PUBLIC
    return any(grant.grantee in who and grant.permission in (permission, FULL_CONTROL) for grant in acl)


def is_public(acl: Acl) -> bool:
    """Whether the list gives anything to everybody or to every authenticated user."""
    return any(grant.grantee in PUBLIC for grant in acl)
