"""One page of each kind of listing, with what the next page continues from.

The rule of this file: values only, in the units of `model`.
"""

from __future__ import annotations

from dataclasses import dataclass

from origin.service.model import Bucket, ObjectInfo
from origin.service.multipart import PartInfo, UploadInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """One page of keys. `next_marker` is what V1 continues from (its last key or prefix), `next_token` V2."""

    objects: tuple[ObjectInfo, ...]
    prefixes: tuple[str, ...]
    truncated: bool
    next_marker: str | None = None
    next_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionPage:
    """One page of versions and delete markers: by key, the newest of a key first."""

    versions: tuple[ObjectInfo, ...]
    prefixes: tuple[str, ...]
    truncated: bool
    next_key_marker: str | None = None
    next_version_marker: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketPage:
    """One page of the caller's buckets."""

    buckets: tuple[Bucket, ...]
    next_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartPage:
    """One page of an upload's parts."""

    upload: UploadInfo
    parts: tuple[PartInfo, ...]
    truncated: bool
    next_marker: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadPage:
    """One page of a bucket's uploads in progress."""

    uploads: tuple[UploadInfo, ...]
    prefixes: tuple[str, ...]
    truncated: bool
    next_key_marker: str | None = None
    next_upload_marker: str | None = None
