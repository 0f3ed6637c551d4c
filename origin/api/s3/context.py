"""What policies may ask about a request: its condition keys.

The rule of this file: a key is there only where the request has it; addresses and schemes come from trusted proxies
alone. https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil
from urllib.parse import parse_qsl, unquote

from msgspec.structs import replace

from origin.api.s3.authenticate import Identity
from origin.service.model import Caller, Lock
from wire.dates import iso8601, parse_iso8601

Context = dict[str, tuple[str, ...]]

# Headers that are condition keys of the same name.
_HEADERS = (
    "x-amz-acl", "x-amz-content-sha256", "x-amz-grant-full-control", "x-amz-grant-read",
    "x-amz-grant-read-acp", "x-amz-grant-write", "x-amz-grant-write-acp", "x-amz-metadata-directive",
    "x-amz-object-ownership", "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm", "x-amz-storage-class", "x-amz-website-redirect-location",
    "if-match", "if-none-match",
)  # fmt: skip
_QUERY = {"prefix": "s3:prefix", "delimiter": "s3:delimiter", "max-keys": "s3:max-keys", "versionId": "s3:versionid"}
_TAG = "s3:requestobjecttag/"
_TAG_KEYS = "s3:requestobjecttagkeys"
_LOCK = "s3:object-lock-"
_DAY = 86400
FORM = "POST"
"""The kind of signature of a form."""


class LateContext(Mapping[str, tuple[str, ...]]):
    """The condition keys of a request, made when a policy first asks: most requests meet none.

    `identity` is set once the request is verified; nobody asks before.
    """

    def __init__(self, headers: Mapping[str, str], query: Mapping[str, str], now: float) -> None:
        self._headers = headers
        self._query = query
        self._now = now
        self.identity: Identity | None = None
        self._made: Mapping[str, tuple[str, ...]] | None = None

    @property
    def _keys(self) -> Mapping[str, tuple[str, ...]]:
        if self._made is None:
            assert self.identity is not None, "nobody is asked about before the signature holds"
            self._made = context_of(self.identity, self._headers, self._query, self._now)
        return self._made

    def __getitem__(self, key: str) -> tuple[str, ...]:
        return self._keys[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def context_of(identity: Identity, headers: Mapping[str, str], query: Mapping[str, str], now: float) -> Context:
    """The condition keys of a request, in lower case. `headers` are by lower-case name."""
    caller = identity.caller
    found: dict[str, str | None] = {
        "aws:sourceip": caller.address,
        "aws:securetransport": str(caller.secure).lower(),
        "aws:currenttime": iso8601(now),
        "aws:epochtime": str(int(now)),
        "aws:useragent": headers.get("user-agent"),
        "aws:referer": headers.get("referer"),
        "aws:viaawsservice": "false",
        "s3:authtype": _kind(identity),
        "s3:signatureversion": _version(identity),
        "s3:signatureage": None if identity.made is None else str(max(0, round((now - identity.made) * 1000))),
        "s3:x-amz-copy-source": _source(headers.get("x-amz-copy-source")),
        **{key: query.get(name) for name, key in _QUERY.items()},
        **{f"s3:{name}": headers.get(name) for name in _HEADERS},
    }
    if caller.owner is not None and not caller.acts_anonymously:
        found |= {
            "aws:username": caller.owner.name,
            "aws:userid": caller.owner.id,
            "aws:principalaccount": caller.owner.id,
            "aws:principalarn": f"arn:aws:iam::{caller.owner.id}:user/{caller.owner.name}",
            "aws:principaltype": "User",
            "aws:principalisawsservice": "false",
        }
    else:
        found["aws:principaltype"] = "Anonymous"
    context: Context = {key: (value,) for key, value in found.items() if value is not None}
    tags = parse_qsl(headers.get("x-amz-tagging", ""), keep_blank_values=True, max_num_fields=64)
    return context | of_tags(dict(tags)) | of_lock(_asked_lock(headers), now)


def of_form(caller: Caller, fields: Mapping[str, str], *, modern: bool, now: float) -> Context:
    """The condition keys of a form: those of its request, and its fields as headers (lower-case names).

    `modern` is signature version 4.
    """
    found = context_of(Identity(caller, ""), fields, {}, now)
    found |= {key: values for key, values in caller.context.items() if key in ("aws:useragent", "aws:referer")}
    if caller.key is None:
        return found
    return found | {"s3:authtype": (FORM,), "s3:signatureversion": ("AWS4-HMAC-SHA256" if modern else "AWS",)}


def knowing(caller: Caller, more: Mapping[str, tuple[str, ...]]) -> Caller:
    """The caller, of whose request the body has told more."""
    return replace(caller, context={**caller.context, **more})


def of_tags(tags: Mapping[str, str]) -> Context:
    """The condition keys of the tags that a request gives to an object."""
    if not tags:
        return {}
    return {_TAG_KEYS: tuple(tags), **{f"{_TAG}{name.lower()}": (value,) for name, value in tags.items()}}


def of_lock(lock: Lock, now: float) -> Context:
    """The condition keys of the lock that a request gives to an object."""
    found: Context = {}
    if lock.mode is not None:
        found[f"{_LOCK}mode"] = (lock.mode,)
    if lock.until is not None:
        found[f"{_LOCK}retain-until-date"] = (iso8601(lock.until),)
        found[f"{_LOCK}remaining-retention-days"] = (str(max(0, ceil((lock.until - now) / _DAY))),)
    if lock.hold is not None:
        found[f"{_LOCK}legal-hold"] = ("ON" if lock.hold else "OFF",)
    return found


def _asked_lock(headers: Mapping[str, str]) -> Lock:
    """The lock that headers ask for, whatever of it makes sense: the write itself refuses the rest."""
    until, hold = headers.get("x-amz-object-lock-retain-until-date"), headers.get("x-amz-object-lock-legal-hold")
    return Lock(
        mode=headers.get("x-amz-object-lock-mode"),
        until=None if until is None else parse_iso8601(until),
        hold=None if hold is None else hold == "ON",
    )


def _source(header: str | None) -> str | None:
    """The source of a copy as policies name it: BUCKET/KEY, decoded, without the version."""
    return None if header is None else unquote(header.partition("?versionId=")[0]).removeprefix("/")


def _kind(identity: Identity) -> str | None:
    if not identity.signed:
        return None
    return "REST-QUERY-STRING" if identity.presigned else "REST-HEADER"


def _version(identity: Identity) -> str | None:
    if not identity.signed:
        return None
    return "AWS4-HMAC-SHA256" if identity.chain is not None else "AWS"
