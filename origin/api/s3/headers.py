"""Headers of objects: what of a request is kept, and what an answer shows.

The rule of this file: what is not named here is neither stored nor shown. A header that asks for something this
server does not do is refused, since ignoring it would store an object other than the one asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from origin.service.model import KEPT_HEADERS, Caller, ObjectInfo, ReadConditions, WriteConditions
from wire.checksums import HEADER_PREFIX
from wire.dates import http_date
from wire.refusals import Refusal

META_PREFIX = "x-amz-meta-"
DEFAULT_TYPE = "binary/octet-stream"
IDENTITY_HEADER = "x-facet-identity"

CANNED_ACLS = frozenset(
    {
        "private", "public-read", "public-read-write", "authenticated-read", "aws-exec-read", "bucket-owner-read",
        "bucket-owner-full-control", "log-delivery-write",
    }
)  # fmt: skip

# https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html, x-amz-storage-class
STORAGE_CLASSES = frozenset(
    {
        "STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE",
        "OUTPOSTS", "GLACIER_IR", "SNOW", "EXPRESS_ONEZONE", "FSX_OPENZFS",
    }
)  # fmt: skip

_UNSUPPORTED = re.compile(
    r"x-amz-(?:copy-source-)?server-side-encryption-customer-.*|x-amz-server-side-encryption-aws-kms-key-id"
    r"|x-amz-tagging|x-amz-object-lock-.*|x-amz-write-offset-bytes"
)
_OVERRIDES = {
    "response-content-type": "Content-Type",
    "response-content-language": "Content-Language",
    "response-expires": "Expires",
    "response-cache-control": "Cache-Control",
    "response-content-disposition": "Content-Disposition",
    "response-content-encoding": "Content-Encoding",
}
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def refuse_unsupported(headers: Mapping[str, str]) -> None:
    """Raise Refusal (NotImplemented) for a write that asks for encryption keys, tags or locks."""
    for name, value in headers.items():
        kms = name == "x-amz-server-side-encryption" and value != "AES256"
        if kms or _UNSUPPORTED.fullmatch(name):
            raise Refusal(
                "NotImplemented", "A header you provided implies functionality that is not implemented.", Header=name
            )


def kept(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that are stored with an object. `aws-chunked` is framing, not an encoding of the content."""
    found = {name: headers[name] for name in KEPT_HEADERS if headers.get(name)}
    encodings = [coding.strip() for coding in found.pop("content-encoding", "").split(",")]
    encoding = ",".join(coding for coding in encodings if coding and coding.lower() != "aws-chunked")
    if encoding:
        found["content-encoding"] = encoding
    return {name: _text(value) for name, value in found.items()}


def content_type(headers: Mapping[str, str]) -> str:
    """The object's media type; without one, S3's default."""
    return _text(headers.get("content-type") or DEFAULT_TYPE)


def metadata(headers: Mapping[str, str]) -> dict[str, str]:
    """User metadata by name, without its prefix."""
    return {
        _text(name.removeprefix(META_PREFIX)): _text(value)
        for name, value in headers.items()
        if name.startswith(META_PREFIX)
    }


def _text(value: str) -> str:
    """A header value as text: UTF-8 where it is that, else Latin-1 (RFC 9110 §5.5)."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
    return value


def storage_class(headers: Mapping[str, str]) -> str | None:
    """x-amz-storage-class. Raises Refusal (InvalidStorageClass) for a class that AWS does not know."""
    value = headers.get("x-amz-storage-class")
    if value is not None and value not in STORAGE_CLASSES:
        raise Refusal("InvalidStorageClass", "The storage class you specified is not valid", StorageClass=value)
    return value


def read_conditions(headers: Mapping[str, str], prefix: str = "") -> ReadConditions:
    """The conditions of a read; `prefix` is x-amz-copy-source- for those on a copy's source."""
    return ReadConditions(
        if_match=headers.get(f"{prefix}if-match"),
        if_none_match=headers.get(f"{prefix}if-none-match"),
        if_modified_since=headers.get(f"{prefix}if-modified-since"),
        if_unmodified_since=headers.get(f"{prefix}if-unmodified-since"),
    )


def write_conditions(headers: Mapping[str, str]) -> WriteConditions:
    """The conditions of a write."""
    return WriteConditions(if_match=headers.get("if-match"), if_none_match=headers.get("if-none-match"))


def overrides(query: Mapping[str, str], *, signed: bool) -> dict[str, str]:
    """The response headers that a GET or HEAD asks to be replaced.

    Raises Refusal: InvalidRequest for anonymous readers, InvalidArgument for a value that no header can hold.
    """
    found = {header: query[name] for name, header in _OVERRIDES.items() if query.get(name)}
    if found and not signed:
        raise Refusal("InvalidRequest", "Request specific response headers cannot be used for anonymous GET requests.")
    for header, value in found.items():
        if _CONTROL.search(value):
            raise Refusal("InvalidArgument", f"The value of {header} holds control characters.", ArgumentName=header)
    return {header: _text(value) for header, value in found.items()}


def of_object(info: ObjectInfo, caller: Caller, *, checksums: bool) -> dict[str, str]:
    """The headers that describe an object, all but Content-Length. `checksums` as x-amz-checksum-mode asks."""
    found = {
        "ETag": quoted(info.etag),
        "Last-Modified": http_date(info.last_modified),
        "Content-Type": info.content_type,
        "Accept-Ranges": "bytes",
    }
    for name, value in info.headers.items():
        found[_SHOWN.get(name, name)] = value
    for name, value in info.metadata.items():
        found[META_PREFIX + name] = value
    if info.version_id is not None:
        found["x-amz-version-id"] = info.version_id
    if info.storage_class != "STANDARD":
        found["x-amz-storage-class"] = info.storage_class
    if checksums:
        found.update(of_checksums(info.checksums))
        if info.checksums:
            found["x-amz-checksum-type"] = info.checksum_type
    if caller.sees_identity and info.identity:
        found[IDENTITY_HEADER] = info.identity
    return found


_SHOWN = {name: "-".join(word.capitalize() for word in name.split("-")) for name in KEPT_HEADERS if name[:2] != "x-"}


def of_checksums(checksums: Mapping[str, str]) -> dict[str, str]:
    """Checksums as headers."""
    return {HEADER_PREFIX + name.lower(): value for name, value in checksums.items()}


def quoted(etag: str) -> str:
    """An entity tag as it travels."""
    return f'"{etag}"'
