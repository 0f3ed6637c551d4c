"""The ids of versions.

The rule of this file: an id begins with the sequence of its version, so a listing can go on behind a version that is
gone meanwhile. The null version has the id "" in the catalog and "null" outside. A bucket that was never versioned
shows no ids at all. https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html
"""

from __future__ import annotations

import re
from enum import StrEnum

from origin.catalog.rows import BucketRow
from origin.service.model import ServiceError
from origin.service.stores import Stores

NULL = "null"
_RANDOM = 8
_SEQUENCE = 16
_ID = re.compile(r"[0-9a-f]{32}")


class Versioning(StrEnum):
    """The states of a bucket, as the catalog keeps them. Once enabled, versioning is only ever suspended."""

    NEVER = "never"
    ENABLED = "enabled"
    SUSPENDED = "suspended"


def new_id(stores: Stores, bucket: BucketRow, sequence: int) -> str:
    """The catalog's id for a version that gets this sequence: a fresh one while versioning is enabled, else null's."""
    if bucket.versioning != Versioning.ENABLED:
        return ""
    return f"{sequence:0{_SEQUENCE}x}{stores.random(_RANDOM).hex()}"


def shown_id(bucket: BucketRow, catalog_id: str) -> str | None:
    """The id as protocols see it; None in a bucket that was never versioned."""
    return None if bucket.versioning == Versioning.NEVER else catalog_id or NULL


def known_id(version_id: str) -> str:
    """The id as the catalog has it. Raises ServiceError InvalidArgument for what no version was ever called."""
    if version_id == NULL:
        return ""
    if _ID.fullmatch(version_id) is None:
        raise ServiceError("InvalidArgument", "Invalid version id specified", argument="versionId", value=version_id)
    return version_id


def sequence_in(catalog_id: str) -> int:
    """The sequence that an id which is not the null version's begins with."""
    return int(catalog_id[:_SEQUENCE], 16)
