"""The nouns of multipart uploads, spoken by every protocol above the service.

The rule of this file: values only, in the units of `model`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from origin.catalog.rows import UNLOCKED, Lock
from origin.service.model import AclWish, CustomerKey, Expiration, Owner


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateUploadRequest:
    """What CreateMultipartUpload fixes for the object that will come of it."""

    bucket: str
    key: str
    content_type: str = "binary/octet-stream"
    headers: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    acl: AclWish | None = None
    storage_class: str = "STANDARD"
    tags: Mapping[str, str] = field(default_factory=dict)
    lock: Lock = UNLOCKED
    checksum_algorithm: str | None = None
    checksum_type: str | None = None
    customer: CustomerKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadInfo:
    """A multipart upload in progress."""

    bucket: str
    key: str
    upload_id: str
    initiated: float
    owner: Owner
    storage_class: str
    checksum_algorithm: str | None = None
    checksum_type: str | None = None
    abort: Expiration | None = None
    """When the bucket's lifecycle aborts it, and the rule that does."""
    encryption: Mapping[str, str] = field(default_factory=dict)
    """The headers that say what the object will be encrypted with."""


class PartInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One uploaded part."""

    number: int
    size: int
    etag: str
    last_modified: float
    checksums: Mapping[str, str] = {}
    encryption: Mapping[str, str] = {}
    """As `UploadInfo.encryption`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedPart:
    """A part as CompleteMultipartUpload names it; the tag may be quoted or bare."""

    number: int
    etag: str
    checksums: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """What the client says the object of a multipart upload will be."""

    size: int | None = None
    checksums: Mapping[str, str] = field(default_factory=dict)
    checksum_type: str | None = None
