"""Listings of keys: skip-scans, so that a page costs what it returns.

The rule of this file: names are bytes and order as bytes. Where a key falls into a common prefix, the scan goes on at
the first byte string after every key of that prefix, however many there are.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from origin.catalog.contract import Tables
from origin.catalog.rows import BucketRow, VersionRow
from origin.service.access import authorise
from origin.service.describe import info_of
from origin.service.model import Caller, ServiceError
from origin.service.operations import operation
from origin.service.pages import ListPage, VersionPage
from origin.service.stores import Stores
from origin.service.version_ids import NULL, known_id, sequence_in

MOST = 1000
"""Keys and prefixes of one page (AWS: 1,000)."""


class Named(Protocol):
    """A row that is listed by its key."""

    @property
    def key(self) -> bytes: ...


Row = TypeVar("Row", bound=Named)
Seek = Callable[[bytes, bytes | None], Generator[Row, None, None]]


@dataclass(frozen=True, slots=True)
class Scan(Generic[Row]):
    """What a page holds. `entries` are rows and common prefixes (bytes), in order."""

    entries: list[Row | bytes]
    truncated: bool


def successor(prefix: bytes) -> bytes | None:
    """The least byte string after everything that begins with `prefix`; None where there is none."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else None


def skip_scan(
    seek: Seek[Row], prefix: bytes, delimiter: bytes, after: bytes, limit: int, *, start: bytes | None = None
) -> Scan[Row]:
    """Up to `limit` rows and common prefixes behind the name `after`.

    `seek(start, stop)` iterates rows with start ≤ key < stop. A common prefix is everything up to and including the
    first `delimiter` behind `prefix`; where `after` is one, its keys were listed with it. `start` begins at that key
    itself, for names that several rows share.
    """
    stop = successor(prefix)
    entries: list[Row | bytes] = []
    begin: bytes | None = start
    if begin is None:
        begin = successor(after) if _common(after, prefix, delimiter) == after else after + b"\0" if after else b""
    while begin is not None and (stop is None or begin < stop):
        beyond = None
        with closing(seek(max(begin, prefix), stop)) as rows:
            for row in rows:
                if len(entries) == limit:
                    return Scan(entries, truncated=True)
                common = _common(row.key, prefix, delimiter)
                if common is not None:
                    entries.append(common)
                    beyond = successor(common)
                    break
                entries.append(row)
        begin = beyond
    return Scan(entries, truncated=False)


def _common(key: bytes, prefix: bytes, delimiter: bytes) -> bytes | None:
    """The common prefix that a key falls into, None where it is listed itself."""
    if not delimiter or not key.startswith(prefix):
        return None
    head, found, _ = key[len(prefix) :].partition(delimiter)
    return prefix + head + found if found else None


class Listing:
    """`Service.listing`. Keys come in the order of their UTF-8 bytes; `max_keys` over 1,000 means 1,000."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def v1(
        self,
        caller: Caller,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str = "",
        marker: str = "",
        max_keys: int = MOST,
    ) -> ListPage:
        """ListObjects. Raises ServiceError: NoSuchBucket, AccessDenied, InvalidArgument (max_keys below 0)."""
        return await self._page(caller, "ListObjects", bucket, prefix, delimiter, marker, max_keys)

    async def v2(
        self,
        caller: Caller,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str = "",
        start_after: str = "",
        token: str | None = None,
        max_keys: int = MOST,
    ) -> ListPage:
        """ListObjectsV2. Raises as `v1`; InvalidArgument also for a token that is not ours."""
        after = start_after if token is None else _after(token)
        return await self._page(caller, "ListObjectsV2", bucket, prefix, delimiter, after, max_keys)

    async def versions(
        self,
        caller: Caller,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str = "",
        key_marker: str = "",
        version_marker: str | None = None,
        max_keys: int = MOST,
    ) -> VersionPage:
        """ListObjectVersions: what follows the marked version, or the marked key where no version is named.

        Raises ServiceError: NoSuchBucket, AccessDenied, InvalidArgument.
        """
        limit = _limit(max_keys)
        marked = key_marker.encode()

        def snapshot(tables: Tables) -> VersionPage:
            row = authorise(tables, caller, operation("ListObjectVersions"), bucket)
            below = None if version_marker is None else _below(tables, row, marked, version_marker)

            def seek(start: bytes, stop: bytes | None) -> Generator[VersionRow, None, None]:
                return tables.versions.history(row.number, start, stop, below if start == marked else None)

            begin = None if version_marker is None else marked
            scan = skip_scan(seek, prefix.encode(), delimiter.encode(), marked, limit, start=begin)
            last = scan.entries[-1] if scan.truncated and scan.entries else None
            infos = (info_of(self._stores, row, entry) for entry in scan.entries if not isinstance(entry, bytes))
            return VersionPage(
                versions=tuple(infos),
                prefixes=tuple(entry.decode() for entry in scan.entries if isinstance(entry, bytes)),
                truncated=last is not None,
                next_key_marker=None if last is None else (last if isinstance(last, bytes) else last.key).decode(),
                next_version_marker=None if last is None or isinstance(last, bytes) else last.version_id or NULL,
            )

        return await self._stores.read(snapshot)

    async def _page(
        self, caller: Caller, name: str, bucket: str, prefix: str, delimiter: str, after: str, max_keys: int
    ) -> ListPage:
        limit = _limit(max_keys)
        encoded = prefix.encode()
        begin, cut = after.encode(errors="surrogatepass"), delimiter.encode()

        def snapshot(tables: Tables) -> ListPage:
            row = authorise(tables, caller, operation(name), bucket)
            if limit == 0:
                return ListPage(objects=(), prefixes=(), truncated=False)
            scan = skip_scan(
                lambda start, stop: tables.versions.live(row.number, start, stop), encoded, cut, begin, limit
            )
            versions = [entry for entry in scan.entries if not isinstance(entry, bytes)]
            last = scan.entries[-1] if scan.truncated else None
            marker = None if last is None else last if isinstance(last, bytes) else last.key
            return ListPage(
                objects=tuple(info_of(self._stores, row, version) for version in versions),
                prefixes=tuple(entry.decode() for entry in scan.entries if isinstance(entry, bytes)),
                truncated=scan.truncated,
                next_marker=None if marker is None else marker.decode(),
                next_token=None if marker is None else _token(marker),
            )

        return await self._stores.read(snapshot)


def _below(tables: Tables, bucket: BucketRow, key: bytes, version_id: str) -> int | None:
    """The sequence that the versions of a key behind the marked one are under.

    A null version that is gone has left no trace of its place: all versions of the key are listed again then, because
    whoever removes what is listed would else overlook those behind it.
    """
    found = known_id(version_id)
    if found:
        return sequence_in(found)
    null = tables.versions.get(bucket.number, key, "")
    return None if null is None else null.sequence


def _limit(max_keys: int) -> int:
    if max_keys < 0:
        raise ServiceError("InvalidArgument", "max-keys must not be negative.", argument="max-keys")
    return min(max_keys, MOST)


def _token(name: bytes) -> str:
    """A continuation token: where the page before ended, as text that clients do not take for a key."""
    return "1" + base64.urlsafe_b64encode(name).decode()


def _after(token: str) -> str:
    try:
        if token[:1] != "1":
            raise ValueError("not a token of ours")
        return base64.urlsafe_b64decode(token[1:].encode()).decode()
    except (ValueError, binascii.Error) as error:
        raise ServiceError(
            "InvalidArgument", "The continuation token provided is incorrect", argument="continuation-token"
        ) from error
