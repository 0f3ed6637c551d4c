"""Headers of objects: what of a request is kept, and what an answer shows.

The rule of this file: what is not named here is neither stored nor shown. A header that asks for something this
server does not do is refused, since ignoring it would store an object other than the one asked for.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from urllib.parse import quote

from origin.service.archives import RESTORED
from origin.service.encryption import ALGORITHM_HEADER, BUCKET_KEY_HEADER, KEY_HEADER, KMS, SSE_S3, shown
from origin.service.model import (
    KEPT_HEADERS,
    Caller,
    DeleteConditions,
    Expiration,
    Lock,
    ObjectInfo,
    ReadConditions,
    WriteConditions,
)
from origin.service.rules import ARCHIVES
from wire.checksums import HEADER_PREFIX
from wire.dates import http_date, iso8601, parse_http_date, parse_iso8601
from wire.refusals import Refusal

META_PREFIX = "x-amz-meta-"
DEFAULT_TYPE = "binary/octet-stream"
IDENTITY_HEADER = "x-facet-identity"
REDIRECT = "x-amz-website-redirect-location"
VERSION_HEADER = "x-amz-version-id"
LOCK_MODE = "x-amz-object-lock-mode"
LOCK_UNTIL = "x-amz-object-lock-retain-until-date"
LOCK_HOLD = "x-amz-object-lock-legal-hold"
UNCACHEABLE_HEADER = "x-facet-uncacheable"
"""Tells an edge that the answer hung on a condition of a policy, so that it must ask again each time."""

# https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html, x-amz-storage-class
STORAGE_CLASSES = frozenset(
    {
        "STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE",
        "OUTPOSTS", "GLACIER_IR", "SNOW", "EXPRESS_ONEZONE", "FSX_OPENZFS",
    }
)  # fmt: skip

CONTEXT_HEADER = f"{ALGORITHM_HEADER}-context"
_UNSUPPORTED = frozenset({"x-amz-write-offset-bytes"})
_OVERRIDES = {
    "response-content-type": "Content-Type",
    "response-content-language": "Content-Language",
    "response-expires": "Expires",
    "response-cache-control": "Cache-Control",
    "response-content-disposition": "Content-Disposition",
    "response-content-encoding": "Content-Encoding",
}
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# RFC 9110 §5.6.2
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def check_encryption(headers: Mapping[str, str]) -> None:
    """Raise Refusal (InvalidArgument) for an algorithm that does not exist, or a key id without KMS."""
    algorithm = headers.get(ALGORITHM_HEADER)
    if algorithm is not None and algorithm not in {SSE_S3, *KMS}:
        raise Refusal(
            "InvalidArgument", "The encryption method specified is not supported", ArgumentName=ALGORITHM_HEADER,
            ArgumentValue=algorithm,
        )  # fmt: skip
    if KEY_HEADER in headers and algorithm not in KMS:
        raise Refusal(
            "InvalidArgument",
            "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : "
            "aws:kms",
            ArgumentName=ALGORITHM_HEADER,
        )
    if headers.get(BUCKET_KEY_HEADER, "true").lower() not in ("true", "false"):
        raise _not_valid(BUCKET_KEY_HEADER, headers[BUCKET_KEY_HEADER])
    if CONTEXT_HEADER in headers and not _is_context(headers[CONTEXT_HEADER]):
        raise _not_valid(CONTEXT_HEADER, headers[CONTEXT_HEADER])


def _not_valid(name: str, value: str) -> Refusal:
    return Refusal("InvalidArgument", f"The header '{name}' is not valid.", ArgumentName=name, ArgumentValue=value)


def _is_context(value: str) -> bool:
    """Whether that is an encryption context: base64 of a JSON object of strings."""
    try:
        document = json.loads(base64.b64decode(value, validate=True))
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and all(isinstance(one, str) for one in document.values())


def refuse_unsupported(headers: Mapping[str, str]) -> None:
    """Raise Refusal for a write that asks for what there is not, or for encryption that does not exist."""
    check_encryption(headers)
    for name in _UNSUPPORTED & set(headers):
        raise Refusal(
            "NotImplemented", "A header you provided implies functionality that is not implemented.", Header=name
        )


def refuse_encryption(headers: Mapping[str, str]) -> None:
    """Raise Refusal (InvalidArgument) for a header that chooses the encryption where nothing is to be chosen."""
    if ALGORITHM_HEADER in headers:
        raise Refusal(
            "InvalidArgument",
            f"{ALGORITHM_HEADER} header is not supported for this operation.",
            ArgumentName=ALGORITHM_HEADER,
            ArgumentValue=headers[ALGORITHM_HEADER],
        )


def kept(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that are stored with an object. `aws-chunked` is framing, not an encoding of the content.

    Raises Refusal: InvalidArgument for a value that no header can hold, as one from a query or a form may be;
    InvalidRedirectLocation.
    """
    found = {name: headers[name] for name in KEPT_HEADERS if headers.get(name)}
    encodings = [coding.strip() for coding in found.pop("content-encoding", "").split(",")]
    encoding = ",".join(coding for coding in encodings if coding and coding.lower() != "aws-chunked")
    if encoding:
        found["content-encoding"] = encoding
    if not found.get(REDIRECT, "/").startswith(("/", "http://", "https://")):
        raise Refusal(
            "InvalidRedirectLocation",
            "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
        )
    return {name: _text(name, value) for name, value in found.items()}


def content_type(headers: Mapping[str, str]) -> str:
    """The object's media type; without one, S3's default. Raises Refusal as `kept` does."""
    return _text("content-type", headers.get("content-type") or DEFAULT_TYPE)


def metadata(headers: Mapping[str, str]) -> dict[str, str]:
    """User metadata by name, without its prefix. Raises Refusal as `kept` does, and for a name that no header has."""
    found = {name.removeprefix(META_PREFIX): name for name in headers if name.startswith(META_PREFIX)}
    for short in found:
        if _TOKEN.fullmatch(short) is None:
            raise Refusal("InvalidArgument", "The name of metadata must be a token.", ArgumentName=META_PREFIX)
    return {short: _text(name, headers[name]) for short, name in found.items()}


def _text(name: str, value: str) -> str:
    """A header value as text: UTF-8 where it is that, else Latin-1 (RFC 9110 §5.5).

    Raises Refusal (InvalidArgument) for a value that no header can hold.
    """
    if _CONTROL.search(value):
        raise Refusal("InvalidArgument", f"The value of {name} holds control characters.", ArgumentName=name)
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


def delete_conditions(headers: Mapping[str, str]) -> DeleteConditions:
    """The conditions of a delete. Raises Refusal (InvalidArgument)."""
    size = headers.get("x-amz-if-match-size")
    modified = headers.get("x-amz-if-match-last-modified-time")
    if size is not None and not (size.isascii() and size.isdigit() and len(size) < 20):
        raise Refusal("InvalidArgument", "x-amz-if-match-size must be a number of bytes.", ArgumentValue=size)
    return DeleteConditions(
        if_match=headers.get("if-match"),
        modified=None if modified is None else time_of(modified),
        size=None if size is None else int(size),
    )


def time_of(text: str) -> int:
    """A time in whole seconds since 1970, as HTTP or ISO 8601 writes it. Raises Refusal (InvalidArgument)."""
    date = parse_http_date(text)
    found = parse_iso8601(text) if date is None else date
    if found is None:
        raise Refusal("InvalidArgument", "The time provided is in no known format.", ArgumentValue=text)
    return int(found)


def overrides(query: Mapping[str, str], *, signed: bool) -> dict[str, str]:
    """The response headers that a GET or HEAD asks to be replaced.

    Raises Refusal: InvalidRequest for anonymous readers, InvalidArgument for a value that no header can hold.
    """
    found = {header: query[name] for name, header in _OVERRIDES.items() if query.get(name)}
    if found and not signed:
        raise Refusal("InvalidRequest", "Request specific response headers cannot be used for anonymous GET requests.")
    return {header: _text(header, value) for header, value in found.items()}


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
        found[META_PREFIX + name] = value if value.isascii() else _encoded_word(value)
    found |= of_version(info.version_id) | of_expiration(info.expiration)
    if info.tags and not caller.acts_anonymously:
        found["x-amz-tagging-count"] = str(len(info.tags))
    if not caller.acts_anonymously:
        found |= of_lock(info.lock)
    if info.storage_class != "STANDARD":
        found["x-amz-storage-class"] = info.storage_class
    if info.storage_class in ARCHIVES:
        found["x-amz-restore"] = RESTORED
    if checksums:
        found.update(of_checksums(info.checksums))
        if info.checksums:
            found["x-amz-checksum-type"] = info.checksum_type
    if caller.sees_identity and info.identity:
        found[IDENTITY_HEADER] = info.identity
    if caller.sees_identity and info.conditional:
        found[UNCACHEABLE_HEADER] = "policy"
    return found


def _encoded_word(text: str) -> str:
    """Text beyond ASCII as AWS sends it back (RFC 2047).

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
    """
    return f"=?UTF-8?B?{base64.b64encode(text.encode()).decode()}?="


_SHOWN = {name: "-".join(word.capitalize() for word in name.split("-")) for name in KEPT_HEADERS if name[:2] != "x-"}


def of_write(info: ObjectInfo) -> dict[str, str]:
    """What the answer to any write says of the version it made."""
    return of_version(info.version_id) | of_expiration(info.expiration) | shown(info.headers)


def of_context(headers: Mapping[str, str]) -> dict[str, str]:
    """The encryption context of a write, told back; nothing else is done with it."""
    return {CONTEXT_HEADER: headers[CONTEXT_HEADER]} if CONTEXT_HEADER in headers else {}


def of_version(version_id: str | None) -> dict[str, str]:
    """The version an answer speaks of, where the bucket has versions."""
    return {} if version_id is None else {VERSION_HEADER: version_id}


def of_marker(version_id: str) -> dict[str, str]:
    """The headers of an answer that met, made or removed a delete marker."""
    return {"x-amz-delete-marker": "true", VERSION_HEADER: version_id}


def of_expiration(expiration: Expiration | None) -> dict[str, str]:
    """When the object's life ends, and by which rule."""
    if expiration is None:
        return {}
    rule = quote(expiration.rule, safe="")
    return {"x-amz-expiration": f'expiry-date="{http_date(expiration.at)}", rule-id="{rule}"'}


def of_abort(abort: Expiration | None) -> dict[str, str]:
    """When an upload is aborted that nobody finishes, and by which rule."""
    if abort is None:
        return {}
    return {"x-amz-abort-date": http_date(abort.at), "x-amz-abort-rule-id": quote(abort.rule, safe="")}


def of_lock(lock: Lock) -> dict[str, str]:
    """A lock as the headers of a read show it."""
    found: dict[str, str] = {}
    if lock.mode is not None and lock.until is not None:
        found |= {LOCK_MODE: lock.mode, LOCK_UNTIL: iso8601(lock.until)}
    if lock.hold is not None:
        found[LOCK_HOLD] = "ON" if lock.hold else "OFF"
    return found


def of_checksums(checksums: Mapping[str, str]) -> dict[str, str]:
    """Checksums as headers."""
    return {HEADER_PREFIX + name.lower(): value for name, value in checksums.items()}


def quoted(etag: str) -> str:
    """An entity tag as it travels."""
    return f'"{etag}"'
