"""Access control lists: canned names, grant headers, and the XML of GET and PUT ?acl.

The rule of this file: an ACL is one of the canned ones. Grants spelled out in headers or XML are accepted where
together they say the same as a canned ACL, and refused as NotImplemented where they do not: an ACL is never
half applied. https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from origin.api.s3 import xml
from origin.api.s3.call import Answer, Call, xml_answer
from origin.api.s3.headers import CANNED_ACLS
from origin.service.model import Owner
from wire.refusals import Refusal

ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
PERMISSIONS = frozenset({"FULL_CONTROL", "READ", "WRITE", "READ_ACP", "WRITE_ACP"})
MAX_ACL_BODY = 64 * 1024
OWNER = "owner"

Grants = frozenset[tuple[str, str]]
"""Pairs of grantee (a canonical id, a group's URI, or OWNER for the resource's own owner) and permission."""

# What each canned ACL grants. The row's name is what is stored.
_CANNED: dict[str, Grants] = {
    "private": frozenset({(OWNER, "FULL_CONTROL")}),
    "public-read": frozenset({(OWNER, "FULL_CONTROL"), (ALL_USERS, "READ")}),
}
_GRANT_HEADERS = {
    "x-amz-grant-full-control": "FULL_CONTROL",
    "x-amz-grant-read": "READ",
    "x-amz-grant-read-acp": "READ_ACP",
    "x-amz-grant-write": "WRITE",
    "x-amz-grant-write-acp": "WRITE_ACP",
}


def asked_acl(headers: Mapping[str, str], owner: Owner | None) -> str | None:
    """The canned ACL that a request's headers ask for, None where they say nothing.

    Raises Refusal: InvalidArgument, InvalidRequest (both kinds of headers), NotImplemented (no canned equal).
    """
    canned = headers.get("x-amz-acl")
    granted = {name: headers[name] for name in _GRANT_HEADERS if name in headers}
    if canned is not None and granted:
        raise Refusal("InvalidRequest", "Specifying both Canned ACLs and Header Grants is not allowed")
    if granted:
        return _canned(
            (grantee, _GRANT_HEADERS[name]) for name, value in granted.items() for grantee in _grantees(value, owner)
        )
    if canned is not None and canned not in CANNED_ACLS:
        raise Refusal("InvalidArgument", "The canned ACL is not known.", ArgumentName="x-amz-acl", ArgumentValue=canned)
    return canned


def _grantees(value: str, owner: Owner | None) -> Iterable[str]:
    """The grantees of a grant header: id="…", uri="…" or emailAddress="…", separated by commas."""
    for piece in value.split(","):
        kind, equals, name = piece.strip().partition("=")
        name = name.strip().strip('"')
        if not equals or kind not in ("id", "uri", "emailAddress") or not name:
            raise Refusal("InvalidArgument", "Argument format not recognized", ArgumentValue=piece.strip())
        yield _named(name, owner)


def _named(grantee: str, owner: Owner | None) -> str:
    return OWNER if owner is not None and grantee == owner.id else grantee


def _canned(grants: Iterable[tuple[str, str]]) -> str:
    """The canned ACL that says the same as these grants; the owner's full control goes without saying."""
    given = frozenset(grants) | {(OWNER, "FULL_CONTROL")}
    if any(permission not in PERMISSIONS for _, permission in given):
        raise Refusal("MalformedACLError", "The ACL names a permission that does not exist.")
    effective = frozenset(grant for grant in given if grant[0] != OWNER or grant[1] == "FULL_CONTROL")
    for name, meaning in _CANNED.items():
        if meaning == effective:
            return name
    raise Refusal("NotImplemented", "Only grants that equal the canned ACLs private and public-read are supported.")


def _from_xml(data: bytes, owner: Owner) -> str:
    """The canned ACL of an AccessControlPolicy document. Raises Refusal: MalformedXML, AccessDenied, NotImplemented."""
    root = xml.parse(data, "AccessControlPolicy")
    stated = root.find("Owner")
    if stated is not None and stated.value("ID") not in (None, "", owner.id):
        raise Refusal("AccessDenied", "The owner in the ACL is not the owner of the resource.")
    listed = root.find("AccessControlList")
    if listed is None:
        raise xml.malformed()
    return _canned(_grant(element, owner) for element in listed.all("Grant"))


def _grant(element: xml.Element, owner: Owner) -> tuple[str, str]:
    grantee = element.find("Grantee")
    if grantee is None:
        raise xml.malformed()
    name = grantee.value("ID") or grantee.value("URI") or grantee.value("EmailAddress")
    if not name:
        raise xml.malformed()
    return _named(name, owner), element.require("Permission").strip()


def _to_xml(owner: Owner, acl: str) -> Answer:
    grants: list[xml.Item] = []
    for grantee, permission in sorted(_CANNED[acl], reverse=True):
        if grantee == OWNER:
            kind, content = "CanonicalUser", [("ID", owner.id), ("DisplayName", owner.display)]
        else:
            kind, content = "Group", [("URI", grantee)]
        tag = f'Grantee xmlns:xsi="{xml.XSI}" xsi:type="{kind}"'
        grants.append(("Grant", [(tag, content), ("Permission", permission)]))
    return xml_answer("AccessControlPolicy", [("Owner", owner_items(owner)), ("AccessControlList", grants)])


def owner_items(owner: Owner) -> list[xml.Item]:
    """The content of an Owner element."""
    return [("ID", owner.id), ("DisplayName", owner.display)]


async def _wanted(call: Call, owner: Owner) -> str:
    """The ACL that a PUT ?acl asks for, in its headers or its body."""
    body = await call.body.read(MAX_ACL_BODY)
    asked = asked_acl(call.headers, owner)
    if asked is not None:
        return asked
    if not body:
        raise Refusal("MissingSecurityHeader", "Your request was missing a required header: x-amz-acl")
    return _from_xml(body, owner)


async def get_bucket_acl(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAcl.html"""
    bucket = await call.service.buckets.get_acl(call.caller, call.bucket)
    return _to_xml(bucket.owner, bucket.acl)


async def put_bucket_acl(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAcl.html"""
    bucket = await call.service.buckets.get_acl(call.caller, call.bucket)
    await call.service.buckets.set_acl(call.caller, call.bucket, await _wanted(call, bucket.owner))
    return Answer()


async def get_object_acl(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAcl.html"""
    info = await call.service.objects.get_acl(call.caller, call.bucket, call.key, call.query.get("versionId"))
    return _to_xml(info.owner, info.acl)


async def put_object_acl(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html"""
    version = call.query.get("versionId")
    info = await call.service.objects.get_acl(call.caller, call.bucket, call.key, version)
    await call.service.objects.set_acl(call.caller, call.bucket, call.key, await _wanted(call, info.owner), version)
    return Answer()
