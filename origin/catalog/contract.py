"""The catalog's contract: what service and jobs may ask of the store of metadata, whatever engine keeps it.

The rules of this file:

- All work is done in functions of one argument, the tables. A function given to `write` may be run again from its
  start, so it changes nothing but the tables. It is all or nothing, in a savepoint of its own; many functions share one
  commit, and the future of each is resolved only after that commit is durable, also where the answer is an exception.
- A function given to `read` sees one snapshot and changes nothing.
- Keys are bytes and order as bytes. No SQL, and no error of an engine, leaves this package.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Protocol, TypeVar

from origin.catalog.bodies import Bodies, BodyRow
from origin.catalog.content import Blobs, Manifests
from origin.catalog.errors import CatalogBroken as CatalogBroken
from origin.catalog.errors import CatalogBusy as CatalogBusy
from origin.catalog.errors import CatalogError as CatalogError
from origin.catalog.errors import CatalogFull as CatalogFull
from origin.catalog.errors import CatalogReadOnly as CatalogReadOnly
from origin.catalog.errors import UnknownSchema as UnknownSchema
from origin.catalog.rows import (
    BucketRow,
    EventRow,
    KeyRow,
    Lock,
    NewVersion,
    OwnerRow,
    PartRow,
    UploadRow,
    UploadState,
    VersionRow,
)
from origin.catalog.turns import Loop, Promise
from origin.catalog.upkeep import Backups, Quotas, Upkeep

T = TypeVar("T")


class Meta(Protocol):
    """Single values."""

    def get(self, name: str) -> bytes | None:
        """The value of that name."""

    def set(self, name: str, value: bytes) -> None:
        """Set it."""

    def mutation(self) -> int:
        """Count one change and return its number, greater than every number before."""

    def mutations(self) -> int:
        """The number of the last change in this snapshot."""


class Owners(Protocol):
    """Owners and their access keys."""

    def named(self, name: str) -> OwnerRow | None: ...
    def with_id(self, owner_id: str) -> OwnerRow | None: ...
    def with_email(self, email: str) -> OwnerRow | None: ...
    def add(self, owner: OwnerRow, now: float, email: str = "") -> None: ...
    def all(self) -> list[OwnerRow]: ...
    def key(self, access_key: str) -> KeyRow | None: ...
    def add_key(self, key: KeyRow) -> None: ...
    def remove_key(self, access_key: str) -> bool: ...
    def keys(self) -> list[KeyRow]: ...


class Buckets(Protocol):
    """Buckets by name."""

    def get(self, name: str) -> BucketRow | None: ...

    def add(self, *, name: str, owner: str, created: float, acl: str, region: str) -> None: ...

    def set_acl(self, number: int, acl: str) -> None: ...

    def set_versioning(self, number: int, state: str) -> None:
        """Set `BucketRow.versioning`."""

    def with_setting(self, name: str) -> list[BucketRow]:
        """Every bucket that has that setting."""

    def set_setting(self, number: int, name: str, document: str | None) -> None:
        """Set one of `BucketRow.settings`, or with None forget it."""

    def owned(self, owner: str, prefix: str, after: str, limit: int) -> list[BucketRow]:
        """The owner's buckets with names after `after`, by name."""

    def holds_versions(self, number: int) -> bool:
        """True where the bucket has any version or delete marker."""

    def remove(self, number: int) -> None: ...


class Versions(Protocol):
    """Versions of keys. The latest of a key is the one of the highest sequence."""

    def latest(self, bucket: int, key: bytes) -> VersionRow | None: ...

    def get(self, bucket: int, key: bytes, version_id: str) -> VersionRow | None:
        """That version; the null version has the id ""."""

    def insert(self, sequence: int, version: NewVersion, *, replaces: VersionRow | None = None) -> None:
        """Add a version and make it the latest of its key. It takes over one reference to its manifest.

        `replaces` is a version of that key to be removed; its reference is the caller's to release.
        """

    def remove(self, version: VersionRow) -> None:
        """Remove a version; the one before it becomes the latest. Its reference is the caller's to release."""

    def set_acl(self, sequence: int, acl: str) -> None: ...

    def set_tags(self, sequence: int, tags: Mapping[str, str]) -> None: ...

    def set_lock(self, sequence: int, lock: Lock) -> None: ...

    def set_storage_class(self, sequence: int, name: str) -> None: ...

    def history(
        self, bucket: int, start: bytes, stop: bytes | None, below: int | None = None
    ) -> Generator[VersionRow, None, None]:
        """Versions and delete markers with start ≤ key < stop, by key, the newest of a key first.

        Of the key `start` only those with sequences under `below`. Close it when done early.
        """

    def live(self, bucket: int, start: bytes, stop: bytes | None) -> Generator[VersionRow, None, None]:
        """The latest versions that are no delete markers, with start ≤ key < stop, by key.

        Costs what is taken from it, however many delete markers lie between. Close it when done early.
        """


class Uploads(Protocol):
    """Multipart uploads and their parts."""

    def add(self, upload: UploadRow) -> None: ...

    def get(self, upload_id: str) -> UploadRow | None: ...

    def open(self, bucket: int, start: bytes, stop: bytes | None) -> Generator[UploadRow, None, None]:
        """Open uploads with start ≤ key < stop, by key, time and id."""

    def put_part(self, upload_id: str, part: PartRow) -> int | None:
        """Set a part; returns the manifest it replaces, whose reference is now the caller's."""

    def parts(self, upload_id: str, after: int, limit: int) -> list[PartRow]:
        """Parts with numbers over `after`, by number."""

    def finish(
        self, upload_id: str, state: UploadState, now: float, manifest: int | None = None, sequence: int | None = None
    ) -> None: ...

    def abort_all(self, bucket: int, now: float) -> None:
        """Abort every open upload of a bucket."""

    def finished(self, before: float, limit: int) -> list[UploadRow]:
        """Uploads completed or aborted before that time."""

    def take_parts(self, upload_id: str, limit: int) -> list[int]:
        """Remove up to `limit` parts and return their manifests."""

    def remove(self, upload_id: str) -> None: ...


class Events(Protocol):
    """The feed's log. Events get their positions just before the commit that makes them durable."""

    def add(
        self,
        kind: str,
        bucket: str,
        key: bytes | None,
        version: str | None,
        counter: int,
        time: float,
        notice: bytes | None = None,
    ) -> None: ...

    def number(self) -> int:
        """Number what has no position yet, in the order it was added; returns the newest position."""

    def newest(self) -> int: ...

    def floor(self) -> int:
        """Events up to this position are no longer kept."""

    def after(self, position: int, limit: int) -> list[EventRow]: ...

    def noticed(self, position: int, limit: int) -> list[EventRow]:
        """Events after that position that have a notice, oldest first."""

    def trim(self, before: float, keep: int) -> None:
        """Forget events older than `before`, but none of the newest `keep`."""


class Tables(Protocol):
    """Everything of one snapshot or transaction."""

    @property
    def meta(self) -> Meta: ...
    @property
    def owners(self) -> Owners: ...
    @property
    def buckets(self) -> Buckets: ...
    @property
    def versions(self) -> Versions: ...
    @property
    def manifests(self) -> Manifests: ...
    @property
    def bodies(self) -> Bodies: ...
    @property
    def blobs(self) -> Blobs: ...
    @property
    def uploads(self) -> Uploads: ...
    @property
    def events(self) -> Events: ...
    @property
    def upkeep(self) -> Upkeep: ...
    @property
    def quotas(self) -> Quotas: ...
    @property
    def backups(self) -> Backups: ...


class Catalog(Protocol):
    """One catalog, opened."""

    def write(self, function: Callable[[Tables], T]) -> Future[T]:
        """Queue a transaction. The future fails with what `function` raised, or with a CatalogError."""

    def lend(self, loop: Loop) -> None:
        """From now on, brief functions may run in turns of that loop."""

    def write_brief(self, function: Callable[[Tables], T], promise: Promise[T]) -> None:
        """As `write`, for a function of a few statements, called in the lent loop, where it may run as well.

        Of a promise that is done before its function ran, the function is left out.
        """

    def read(self, function: Callable[[Tables], T]) -> T:
        """Run in one snapshot, in the calling thread."""

    def bucket(self, name: str) -> BucketRow | None:
        """The bucket, read in the calling thread where it is not known."""

    def known_bucket(self, name: str) -> BucketRow | None:
        """A bucket that was read before and that no commit changed since; None where there is none. Reads nothing."""

    def snapshot(self, target: Path, after: int, body: Callable[[BodyRow], None]) -> None:
        """Copy everything, as of one moment, to the new file `target`, in the calling thread; blocks for long.

        Inline bodies are left out; `body` gets those of manifests numbered over `after`, in order, and after them
        those that were ever healed: no other body changes, and no manifest's number is used again. Raises CatalogError.
        """

    def on_commit(self, listener: Callable[[int, int], None]) -> None:
        """Call `listener(newest position, last mutation)` in the writer's thread after each durable commit."""

    def close(self) -> None:
        """Finish what is queued and close."""
