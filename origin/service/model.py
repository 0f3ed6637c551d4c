"""The nouns of the service: what every protocol above it speaks, and the error it answers with.

The rule of this file: values only; `Lock` is the catalog's own. Nothing here knows a socket or a protocol's spelling.
Keys are `str` (UTF-8 without surrogates) here and bytes in the catalog; times are seconds since 1970 as `float`; sizes
are bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from origin.catalog.rows import UNLOCKED
from origin.catalog.rows import Lock as Lock
from origin.seal.vault import CustomerKey as CustomerKey


class ServiceError(Exception):
    """A refusal. `code` is the name of the S3 error; a protocol maps it to its own status and body.

    `detail` carries what a body may name besides the message, such as `bucket`, `key` or `size`.
    """

    def __init__(self, code: str, message: str, **detail: str | int) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.detail: Mapping[str, str | int] = detail


class NotModified(ServiceError):
    """The conditions of a read say that the client's copy is good (304); `info` holds the headers to send."""

    def __init__(self, info: ObjectInfo) -> None:
        super().__init__("NotModified", "The object was not modified.", key=info.key)
        self.info = info


class IsDeleteMarker(ServiceError):
    """There is a delete marker where an object was asked for; it was made at `created` (seconds since 1970)."""

    def __init__(self, code: str, message: str, *, version_id: str, created: float, key: str) -> None:
        super().__init__(code, message, key=key)
        self.version_id = version_id
        self.created = created


AclWish = str | tuple[tuple[str, str, str], ...]
"""An ACL as a client asks for it: the name of a canned one, or (kind, grantee, permission) with the kinds id, uri
and emailAddress."""


class Setting(StrEnum):
    """The names of a bucket's settings."""

    POLICY = "policy"
    PUBLIC_ACCESS = "public-access"
    OWNERSHIP = "ownership"
    CORS = "cors"
    ENCRYPTION = "encryption"
    WEBSITE = "website"
    TAGS = "tags"
    OBJECT_LOCK = "object-lock"
    LIFECYCLE = "lifecycle"
    PAYMENT = "payment"
    ACCELERATION = "acceleration"
    LOGGING = "logging"
    NOTIFICATION = "notification"


class Permission(StrEnum):
    """What a key may do (DESIGN: Access). `ADMIN` includes reading, writing, deleting and configuring."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    ADMIN = "admin"
    CREATE_ONLY = "create-only"
    EDGE = "edge"
    FEED = "feed"


@dataclass(frozen=True, slots=True)
class Owner:
    """Who owns buckets and objects. `id` is the canonical user id, 64 hexadecimal digits."""

    id: str
    name: str
    display: str


@dataclass(frozen=True, slots=True)
class Key:
    """An access key without its secret; the secret comes from `Service.keys.secret` alone."""

    access_key: str
    owner: Owner
    permissions: frozenset[str]
    buckets: frozenset[str] | None = None
    """The only buckets it may touch; None is every bucket."""
    allow_delete: tuple[str, ...] = ()
    """Key prefixes that a create-only key may delete (restic's locks/)."""
    policy: str | None = None
    """An IAM-style policy document, as it was given."""


class Caller(msgspec.Struct, frozen=True):
    """Who asks, from where. Without a key the caller is anonymous."""

    key: Key | None = None
    anonymous_view: bool = False
    """True for an edge key that did not ask for its own rights: it sees what anonymous readers see."""
    address: str = ""
    secure: bool = False
    expected_owner: str | None = None
    """The owner's id that the bucket must have, where the client said so (x-amz-expected-bucket-owner)."""
    request: str = ""
    """The request's id, as answers and logs have it."""
    pays: bool = False
    """True where the client agreed to pay for the request (x-amz-request-payer: requester)."""
    context: Mapping[str, tuple[str, ...]] = {}
    """What policies may ask about the request, by condition key in lower case."""

    @property
    def owner(self) -> Owner | None:
        """The owner the key acts for; None for anonymous callers."""
        return self.key.owner if self.key else None

    @property
    def acts_anonymously(self) -> bool:
        """True where only what anybody may do is allowed."""
        return self.key is None or self.anonymous_view

    @property
    def sees_identity(self) -> bool:
        """True where answers may carry `ObjectInfo.identity`."""
        return self.key is not None and Permission.EDGE in self.key.permissions


ANONYMOUS = Caller()


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket."""

    name: str
    owner: Owner
    created: float
    region: str


class ObjectInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One version of an object, all but its bytes."""

    bucket: str
    key: str
    size: int
    etag: str
    """Without quotes: an MD5 in hexadecimal, or hex-N for an object of N parts. Empty for a delete marker."""
    last_modified: float
    content_type: str = "binary/octet-stream"
    headers: Mapping[str, str] = {}
    """Response headers kept with the object, by the names in `KEPT_HEADERS`."""
    metadata: Mapping[str, str] = {}
    """User metadata without the x-amz-meta- prefix."""
    owner: Owner
    checksums: Mapping[str, str] = {}
    """Algorithm (CRC32, CRC32C, CRC64NVME, SHA1, SHA256) → base64, as `x-amz-checksum-…` shows it."""
    checksum_type: str = "FULL_OBJECT"
    storage_class: str = "STANDARD"
    parts_count: int | None = None
    part_checksums: tuple[str, ...] = ()
    """The checksums of the parts in order, where the upload chose an algorithm (the one of `checksums`)."""
    identity: str = ""
    """Keyed hash of the content: equal bytes have equal identities. Shown to an edge key only."""
    conditional: bool = False
    """True where the caller may read it under a policy's condition only, so that others may not."""
    version_id: str | None = None
    """None in a bucket that was never versioned."""
    latest: bool = True
    delete_marker: bool = False
    tags: Mapping[str, str] = {}
    lock: Lock = UNLOCKED
    expiration: Expiration | None = None


@dataclass(frozen=True, slots=True)
class Expiration:
    """When the bucket's lifecycle will remove an object, and the id of the rule that does."""

    at: float
    rule: str


KEPT_HEADERS = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
    "x-amz-website-redirect-location",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
)


class ReadConditions(msgspec.Struct, frozen=True):
    """Request header values as sent; evaluated in the snapshot that yields the bytes (RFC 9110 §13)."""

    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: str | None = None
    if_unmodified_since: str | None = None


class WriteConditions(msgspec.Struct, frozen=True):
    """If-Match and If-None-Match of a write; evaluated inside the transaction that commits it."""

    if_match: str | None = None
    if_none_match: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteConditions:
    """What the latest version must be for a delete; evaluated inside the transaction that commits it.

    `modified` is in whole seconds since 1970, `size` in bytes.
    """

    if_match: str | None = None
    modified: int | None = None
    size: int | None = None


ANY_READ = ReadConditions()
ANY_WRITE = WriteConditions()
ANY_DELETE = DeleteConditions()


def _no_late_checksums() -> Mapping[str, str]:
    return {}


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What the client says the body is. Every given value is checked before the body gets a name.

    `late` is asked once, after the last byte of the body, for checksums that came in a trailer; `algorithms` names
    those in advance, so that they can be computed while the body streams.
    """

    length: int | None = None
    """Decoded bytes, where the client said so."""
    md5: bytes | None = None
    """Content-MD5, decoded: 16 bytes."""
    sha256: str | None = None
    """x-amz-content-sha256 in hexadecimal, where the payload is signed as a whole."""
    checksums: Mapping[str, str] = {}
    algorithms: tuple[str, ...] = ()
    late: Callable[[], Mapping[str, str]] = _no_late_checksums

    @property
    def digested(self) -> bool:
        """True where the client gave, or announced, a digest of the body as headers carry it."""
        return self.md5 is not None or bool(self.checksums) or bool(self.algorithms)


class PutRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of a PUT but its body."""

    bucket: str
    key: str
    content_type: str = "binary/octet-stream"
    headers: Mapping[str, str] = {}
    metadata: Mapping[str, str] = {}
    acl: AclWish | None = None
    storage_class: str = "STANDARD"
    tags: Mapping[str, str] = {}
    lock: Lock = UNLOCKED
    expected: Expected = Expected()
    conditions: WriteConditions = ANY_WRITE
    customer: CustomerKey | None = None
    form: bool = False
    """True where a browser's form uploads it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRequest:
    """A copy inside the store. With `replace` the new object gets the given type, headers and metadata."""

    source_bucket: str
    source_key: str
    source_version: str | None = None
    source_conditions: ReadConditions = ANY_READ
    source_expected_owner: str | None = None
    bucket: str
    key: str
    replace: bool = False
    content_type: str = "binary/octet-stream"
    headers: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    acl: AclWish | None = None
    storage_class: str | None = None
    """None is STANDARD; neither it nor a lock is ever copied."""
    tags: Mapping[str, str] | None = None
    """None keeps the source's."""
    lock: Lock = UNLOCKED
    conditions: WriteConditions = ANY_WRITE
    checksum_algorithm: str | None = None
    """None keeps the source's."""
    customer: CustomerKey | None = None
    source_customer: CustomerKey | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """What a delete means: a key, or one version of it."""

    key: str
    version_id: str | None = None
    conditions: DeleteConditions = ANY_DELETE


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy made, and of which version; None where the source's bucket was never versioned."""

    info: ObjectInfo
    source_version: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """What became of one key of a delete. `error` is None where it is gone (also where it never was).

    `version_id` is the one that was asked for, `marker` the id of a delete marker that was made or removed.
    """

    key: str
    version_id: str | None = None
    marker: str | None = None
    error: ServiceError | None = None
