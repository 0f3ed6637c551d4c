"""What the source has: its listing, as the histories of its keys.

The rule of this file: a history is oldest first and holds what listings say, no more; one page of the listing is held,
and the key that it ends in.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from itertools import pairwise
from typing import Any

import msgspec

from origin.jobs.migrate.source import Source
from origin.service.version_ids import NULL, Versioning


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A version or delete marker as a listing has it. `version_id` is None for the null version."""

    key: str
    version_id: str | None
    latest: bool
    modified: float
    marker: bool = False
    etag: str = ""
    size: int = 0
    storage_class: str = "STANDARD"
    owner: str = ""


class History(msgspec.Struct, frozen=True):
    """A key and its versions, oldest first."""

    key: str
    entries: tuple[Entry, ...]


async def versioning_of(source: Source) -> Versioning:
    """Whether the source keeps versions. Raises SourceError."""
    answer = await source.call_if_offered("get_bucket_versioning")
    known = {"Enabled": Versioning.ENABLED, "Suspended": Versioning.SUSPENDED}
    return known.get((answer or {}).get("Status", ""), Versioning.NEVER)


async def histories(source: Source, versioned: bool) -> AsyncIterator[History]:
    """Every key of the source, in the order of its listing. Raises SourceError."""
    key, found = "", list[Entry]()
    pages = _versions(source) if versioned else _objects(source)
    async for page in pages:
        for entry in page:
            if entry.key != key and found:
                yield History(key, _oldest_first(found))
                found = []
            key = entry.key
            found.append(entry)
    if found:
        yield History(key, _oldest_first(found))


def _oldest_first(newest_first: list[Entry]) -> tuple[Entry, ...]:
    """The entries in their order. A listing that is out of order itself is put in the order of dates."""
    in_order = newest_first[0].latest and all(one.modified >= other.modified for one, other in pairwise(newest_first))
    if not in_order:
        newest_first = sorted(newest_first, key=lambda entry: (not entry.latest, -entry.modified))
    return tuple(reversed(newest_first))


async def _objects(source: Source) -> AsyncIterator[list[Entry]]:
    asked: dict[str, Any] = {"Prefix": source.address.prefix}
    while True:
        answer = await source.call("list_objects_v2", **asked, FetchOwner=True)
        yield [_entry(one, latest=True) for one in answer.get("Contents", [])]
        token = answer.get("NextContinuationToken")
        if not answer.get("IsTruncated") or not token:
            return
        asked["ContinuationToken"] = token


async def _versions(source: Source) -> AsyncIterator[list[Entry]]:
    asked: dict[str, Any] = {"Prefix": source.address.prefix}
    while True:
        answer = await source.call("list_object_versions", **asked)
        yield _in_listed_order(answer)
        if not answer.get("IsTruncated") or not answer.get("NextKeyMarker"):
            return
        asked["KeyMarker"] = answer["NextKeyMarker"]
        asked.pop("VersionIdMarker", None)
        if answer.get("NextVersionIdMarker"):
            asked["VersionIdMarker"] = answer["NextVersionIdMarker"]


def _in_listed_order(answer: dict[str, Any]) -> list[Entry]:
    versions = [_entry(one, latest=one.get("IsLatest", False)) for one in answer.get("Versions", [])]
    markers = [_entry(one, latest=one.get("IsLatest", False), marker=True) for one in answer.get("DeleteMarkers", [])]
    order = answer.get("Order", [])
    if order.count(True) == len(markers) and order.count(False) == len(versions):
        rest, gone = iter(versions), iter(markers)
        listed = [next(gone) if marker else next(rest) for marker in order]
    else:
        listed = versions + markers
    # Some services list all markers behind all versions of a page: keys are brought together, in their order.
    together: dict[str, list[Entry]] = {}
    for entry in listed:
        together.setdefault(entry.key, []).append(entry)
    return [entry for key in sorted(together, key=str.encode) for entry in together[key]]


def _entry(listed: dict[str, Any], *, latest: bool, marker: bool = False) -> Entry:
    modified: datetime = listed["LastModified"]
    version_id = listed.get("VersionId")
    return Entry(
        key=listed["Key"],
        version_id=None if version_id in (None, "", NULL) else version_id,
        latest=latest,
        modified=modified.timestamp(),
        marker=marker,
        etag=listed.get("ETag", "").strip('"'),
        size=listed.get("Size", 0),
        storage_class=listed.get("StorageClass") or "STANDARD",
        owner=listed.get("Owner", {}).get("ID", ""),
    )
