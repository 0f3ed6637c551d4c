"""The catalog's rows, as its contract hands them out.

The rule of this file: values as they are stored. What is sealed is sealed bytes here, keys are bytes, bucket,
manifest and blob numbers are the catalog's own and mean nothing outside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

import msgspec


class OwnerRow(msgspec.Struct, frozen=True):
    """An owner; `id` is 64 hexadecimal digits."""

    id: str
    name: str
    display: str


class KeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """An access key; `secret` is sealed for the access key."""

    access_key: str
    owner: OwnerRow
    secret: bytes
    permissions: tuple[str, ...]
    buckets: tuple[str, ...] | None
    allow_delete: tuple[str, ...]
    policy: str | None
    created: float


class BucketRow(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket. `settings` are documents by name: policy, cors and whatever else a bucket can be set to.

    `versioning` is never, enabled or suspended; once it was enabled it is never "never" again.
    """

    number: int
    name: str
    owner: OwnerRow
    created: float
    acl: str
    region: str
    versioning: str
    settings: Mapping[str, str]


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """What a client says about an object, apart from its bytes."""

    content_type: str
    headers: Mapping[str, str]
    metadata: Mapping[str, str]
    acl: str
    storage_class: str


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """What keeps a version from being removed. `mode` and `until` (seconds since 1970) come together.

    `hold` is None where a legal hold was never set: on and off are both answers that somebody gave.
    """

    mode: str | None = None
    until: float | None = None
    hold: bool | None = None


UNLOCKED = Lock()


class NewVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version to be inserted as the latest of its key. `digests` is sealed for `seal_id`."""

    bucket: int
    key: bytes
    version_id: str
    owner: str
    created: float
    described: Described
    manifest: int | None
    size: int
    seal_id: bytes
    digests: bytes
    marker: bool = False
    tags: Mapping[str, str] = {}
    lock: Lock = UNLOCKED


class VersionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A version. `sequence` orders the versions of a key, and counts its events."""

    sequence: int
    bucket: int
    key: bytes
    version_id: str
    latest: bool
    marker: bool
    owner: OwnerRow
    created: float
    described: Described
    manifest: int | None
    identity: bytes
    size: int
    seal_id: bytes
    digests: bytes
    tags: Mapping[str, str]
    lock: Lock


class ManifestRow(msgspec.Struct, frozen=True, kw_only=True):
    """Content that versions and parts refer to: an inline body, a list of parts, or segments of its own.

    `inline` is sealed for `seal_id`. `parts` are (manifest, size) in order; their references belong to this row.
    """

    number: int
    refs: int
    size: int
    identity: bytes
    seal_id: bytes
    inline: bytes | None
    parts: tuple[tuple[int, int], ...]
    doomed_at: float | None
    doomed_in: int | None


class BlobState(IntEnum):
    """A blob's way out. Only the collector makes one dead; nothing joins a dead one."""

    LIVE = 0
    DOOMED = 1
    DEAD = 2


class NewBlob(msgspec.Struct, frozen=True, kw_only=True):
    """A blob that is durable under its id. `checksum` covers the stored bytes, so that scrubbing needs no key."""

    id: bytes
    fingerprint: bytes
    size: int
    stored: int
    checksum: bytes
    key_id: str | None
    wrapped: bytes | None


class BlobRow(msgspec.Struct, frozen=True, kw_only=True):
    """A blob the catalog knows. Without key_id and wrapped key it is plain."""

    number: int
    id: bytes
    size: int
    stored: int
    checksum: bytes
    key_id: str | None
    wrapped: bytes | None
    refs: int
    state: BlobState
    flagged: bool


class SegmentRow(msgspec.Struct, frozen=True):
    """Bytes [offset, offset + length) of a manifest are those of the blob from `blob_offset`."""

    offset: int
    length: int
    blob: BlobRow
    blob_offset: int


class UploadState(IntEnum):
    """A multipart upload's way: open, then completed or aborted, then collected."""

    OPEN = 0
    COMPLETED = 1
    ABORTED = 2


class UploadRow(msgspec.Struct, frozen=True, kw_only=True):
    """A multipart upload. `generation` counts changes of its parts; `manifest`, `sequence` are what it became."""

    id: str
    bucket: int
    key: bytes
    owner: OwnerRow
    created: float
    described: Described
    checksum_algorithm: str | None
    checksum_type: str | None
    state: UploadState
    generation: int
    manifest: int | None
    sequence: int | None
    tags: Mapping[str, str] = {}
    lock: Lock = UNLOCKED


class PartRow(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an upload; `digests` is sealed for `seal_id`."""

    number: int
    manifest: int
    size: int
    created: float
    seal_id: bytes
    digests: bytes


class EventRow(msgspec.Struct, frozen=True, kw_only=True):
    """A numbered event of the feed."""

    position: int
    time: float
    kind: str
    bucket: str
    key: bytes | None
    version: str | None
    counter: int
    notice: bytes | None = None
    """What the bucket's event notifications have to say of it, sealed."""
