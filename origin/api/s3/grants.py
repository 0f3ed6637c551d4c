"""Access control lists as S3 spells them: canned names, grant headers, and the XML of GET and PUT ?acl.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from origin.api.s3 import xml
from origin.api.s3.call import Answer, Call, xml_answer
from origin.service.acl import PERMISSIONS
from origin.service.acls import AclView
from origin.service.model import AclWish, Owner
from wire.refusals import Refusal

MAX_ACL_BODY = 64 * 1024

_GRANT_HEADERS = {
    "x-amz-grant-full-control": "FULL_CONTROL",
    "x-amz-grant-read": "READ",
    "x-amz-grant-read-acp": "READ_ACP",
    "x-amz-grant-write": "WRITE",
    "x-amz-grant-write-acp": "WRITE_ACP",
}
_KINDS = {"id": "id", "uri": "uri", "emailaddress": "emailAddress"}
_ELEMENTS = {"ID": "id", "URI": "uri", "EmailAddress": "emailAddress"}


def asked_acl(headers: Mapping[str, str]) -> AclWish | None:
    """The ACL that a request's headers ask for, None where they say nothing.

    Raises Refusal: InvalidArgument, InvalidRequest (both kinds of headers).
    """
    canned = headers.get("x-amz-acl")
    granted = {name: headers[name] for name in _GRANT_HEADERS if name in headers}
    if canned is not None and granted:
        raise Refusal("InvalidRequest", "Specifying both Canned ACLs and Header Grants is not allowed")
    if granted:
        return tuple(
            (kind, grantee, _GRANT_HEADERS[name])
            for name, value in granted.items()
            for kind, grantee in _grantees(value)
        )
    return canned


def _grantees(value: str) -> Iterator[tuple[str, str]]:
    """The grantees of a grant header: id="…", uri="…" or emailAddress="…", separated by commas."""
    for piece in value.split(","):
        kind, equals, name = piece.strip().partition("=")
        name = name.strip().strip('"')
        if not equals or kind.strip().lower() not in _KINDS or not name:
            raise Refusal("InvalidArgument", "Argument format not recognized", ArgumentValue=piece.strip())
        yield _KINDS[kind.strip().lower()], name


def _from_xml(data: bytes, owner: Owner) -> AclWish:
    """The grants of an AccessControlPolicy document. Raises Refusal: MalformedXML, MalformedACLError, AccessDenied."""
    root = xml.parse(data, "AccessControlPolicy")
    stated = root.find("Owner")
    if stated is None:
        raise malformed_acl()
    if stated.value("ID") not in (None, "", owner.id):
        raise Refusal("AccessDenied", "Access Denied")
    listed = root.find("AccessControlList")
    if listed is None:
        raise malformed_acl()
    return tuple(_grant(element) for element in listed.all("Grant"))


def _grant(element: xml.Element) -> tuple[str, str, str]:
    grantee, permission = element.find("Grantee"), (element.value("Permission") or "")
    if grantee is None or permission not in PERMISSIONS:
        raise malformed_acl()
    for name, kind in _ELEMENTS.items():
        value = grantee.value(name)
        if value:
            return kind, value, permission
    raise malformed_acl()


def malformed_acl() -> Refusal:
    """The refusal of an ACL document that is none."""
    return Refusal(
        "MalformedACLError", "The XML you provided was not well-formed or did not validate against our published schema"
    )


def _to_xml(view: AclView) -> Answer:
    grants: list[xml.Item] = []
    for grantee, permission in view.grants:
        content: list[xml.Item]
        if isinstance(grantee, Owner):
            kind, content = "CanonicalUser", owner_items(grantee)
        else:
            kind, content = "Group", [("URI", grantee)]
        tag = f'Grantee xmlns:xsi="{xml.XSI}" xsi:type="{kind}"'
        grants.append(("Grant", [(tag, content), ("Permission", permission)]))
    return xml_answer("AccessControlPolicy", [("Owner", owner_items(view.owner)), ("AccessControlList", grants)])


def owner_items(owner: Owner) -> list[xml.Item]:
    """The content of an Owner element."""
    return [("ID", owner.id), ("DisplayName", owner.display)]


async def _wanted(call: Call, owner: Owner) -> AclWish:
    """The ACL that a PUT ?acl asks for, in its headers or its body."""
    body = await call.body.read(MAX_ACL_BODY)
    asked = asked_acl(call.headers)
    if asked is not None and body:
        raise Refusal("UnexpectedContent", "This request does not support content")
    if asked is not None:
        return asked
    if not body:
        raise Refusal("MissingSecurityHeader", "Your request was missing a required header: x-amz-acl")
    return _from_xml(body, owner)


async def get_bucket_acl(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAcl.html"""
    return _to_xml(await call.service.acls.bucket(call.caller, call.bucket))


async def put_bucket_acl(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAcl.html"""
    owner = await call.service.acls.owner(call.caller, "PutBucketAcl", call.bucket)
    await call.service.acls.set_bucket(call.caller, call.bucket, await _wanted(call, owner))
    return Answer()


async def get_object_acl(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAcl.html"""
    return _to_xml(await call.service.acls.object(call.caller, call.bucket, call.key, call.query.get("versionId")))


async def put_object_acl(call: Call) -> Answer:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html"""
    version = call.query.get("versionId")
    owner = await call.service.acls.owner(call.caller, "PutObjectAcl", call.bucket, call.key, version)
    await call.service.acls.set_object(call.caller, call.bucket, call.key, await _wanted(call, owner), version)
    return Answer()
