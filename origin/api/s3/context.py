"""What policies may ask about a request: its condition keys.

The rule of this file: a key is there only where the request has it; addresses and schemes come from trusted proxies
alone. https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from origin.api.s3.authenticate import Identity
from wire.dates import iso8601

# Headers that are condition keys of the same name.
_HEADERS = (
    "x-amz-acl", "x-amz-content-sha256", "x-amz-copy-source", "x-amz-grant-full-control", "x-amz-grant-read",
    "x-amz-grant-read-acp", "x-amz-grant-write", "x-amz-grant-write-acp", "x-amz-metadata-directive",
    "x-amz-object-ownership", "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm", "x-amz-storage-class", "x-amz-website-redirect-location",
    "if-match", "if-none-match",
)  # fmt: skip
_QUERY = {"prefix": "s3:prefix", "delimiter": "s3:delimiter", "max-keys": "s3:max-keys", "versionId": "s3:versionid"}
_TAG = "s3:requestobjecttag/"


def context_of(
    identity: Identity, headers: Mapping[str, str], query: Mapping[str, str], now: float
) -> dict[str, tuple[str, ...]]:
    """The condition keys of a request, in lower case. `headers` are by lower-case name."""
    caller = identity.caller
    found: dict[str, str | None] = {
        "aws:sourceip": caller.address,
        "aws:securetransport": str(caller.secure).lower(),
        "aws:currenttime": iso8601(now),
        "aws:epochtime": str(int(now)),
        "aws:useragent": headers.get("user-agent"),
        "aws:referer": headers.get("referer"),
        "s3:authtype": _kind(identity),
        "s3:signatureversion": _version(identity),
        **{key: query.get(name) for name, key in _QUERY.items()},
        **{f"s3:{name}": headers.get(name) for name in _HEADERS},
    }
    if caller.owner is not None and not caller.acts_anonymously:
        found |= {
            "aws:username": caller.owner.name,
            "aws:userid": caller.owner.id,
            "aws:principalaccount": caller.owner.id,
            "aws:principaltype": "User",
        }
    else:
        found["aws:principaltype"] = "Anonymous"
    context: dict[str, tuple[str, ...]] = {key: (value,) for key, value in found.items() if value is not None}
    tags = parse_qsl(headers.get("x-amz-tagging", ""), keep_blank_values=True, max_num_fields=64)
    if tags:
        context["s3:requestobjecttagkeys"] = tuple(name for name, _ in tags)
        context |= {f"{_TAG}{name.lower()}": (value,) for name, value in tags}
    return context


def _kind(identity: Identity) -> str | None:
    if not identity.signed:
        return None
    return "REST-QUERY-STRING" if identity.presigned else "REST-HEADER"


def _version(identity: Identity) -> str | None:
    if not identity.signed:
        return None
    return "AWS4-HMAC-SHA256" if identity.chain is not None else "AWS"
