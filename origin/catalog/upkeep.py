"""The part of the catalog's contract that only jobs, quotas and backups use, with its rows.

The rule of this file: what is said here is counted from the rows themselves, never from what was counted before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from origin.catalog.rows import BlobRow


@dataclass(frozen=True, slots=True)
class Totals:
    """How many blobs there are, and the length of their stored bytes together."""

    blobs: int
    stored: int


@dataclass(frozen=True, slots=True)
class Miscount:
    """A row whose count of references is not the number of references there are, or whose state does not follow."""

    number: int
    refs: int
    counted: int


@dataclass(frozen=True, slots=True)
class Misuse:
    """A bucket whose recorded use is not that of its versions and open uploads: (objects, bytes, uploading)."""

    bucket: int
    recorded: tuple[int, int, int]
    counted: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Recount:
    """What a recount of all references found; all empty where everything is exact."""

    manifests: list[Miscount] = field(default_factory=list)
    blobs: list[Miscount] = field(default_factory=list)
    usage: list[Misuse] = field(default_factory=list)
    lost_manifests: list[int] = field(default_factory=list)
    """Manifests that versions, parts, uploads or other manifests refer to and that are not there."""
    lost_blobs: list[int] = field(default_factory=list)
    """Blobs that segments refer to and that are not there."""
    dead_blobs: list[int] = field(default_factory=list)
    """Blobs that segments refer to and that are dead."""
    broken_manifests: list[int] = field(default_factory=list)
    """Manifests whose segments or parts do not cover their size."""
    loose: dict[str, int] = field(default_factory=dict)
    """Rows of what is not there, by table: segments, bodies and joined parts of no manifest, pending ids of blobs."""

    @property
    def exact(self) -> bool:
        """True where nothing was found."""
        return self == Recount()


@dataclass(frozen=True, slots=True)
class NamedVersion:
    """A version by the names that people use."""

    bucket: str
    key: bytes
    version_id: str


@dataclass(frozen=True, slots=True)
class UsageRow:
    """What a bucket holds in logical bytes, and what it may hold (None: no limit).

    `objects` and `bytes` are those of all its versions, `uploading` the bytes of the parts of open uploads.
    """

    objects: int
    bytes: int
    uploading: int
    max_objects: int | None
    max_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupRow:
    """A named backup and the ids of the master keys that it needs. Unfinished ones need theirs, too."""

    name: str
    folder: str
    begun: float
    finished: float | None
    key_ids: tuple[str, ...]


class Upkeep(Protocol):
    """Blobs and references as jobs see them."""

    def totals(self, after: int = 0) -> Totals:
        """Of blobs that are not dead, with numbers over `after`."""

    def blob(self, number: int) -> BlobRow | None: ...

    def blobs(self, after: int, limit: int) -> list[BlobRow]:
        """Blobs that are not dead, with numbers over `after`, by number."""

    def dead_in_use(self) -> list[BlobRow]:
        """Dead blobs that segments refer to, which there never are as long as counts are right."""

    def last_blob(self) -> int:
        """The highest number that a blob has, 0 without any."""

    def bodies(self) -> Iterator[int]:
        """The numbers of all manifests with an inline body, also in a snapshot, which has none of the bodies."""

    def last_manifest(self) -> int:
        """The highest number that any manifest ever had."""

    def known(self, ids: Collection[bytes]) -> frozenset[bytes]:
        """Those of the ids that are a blob's, dead ones included, or pending."""

    def due(self, before: float, limit: int) -> list[BlobRow]:
        """Blobs that were not verified since `before`, the longest unverified first."""

    def verified(self, number: int, blob_id: bytes, at: float, *, good: bool) -> bool:
        """Note what a look at the blob's file found; False where the blob has another file by now."""

    def flagged(self) -> int:
        """How many blobs are flagged."""

    def damaged(self, limit: int) -> list[NamedVersion]:
        """Versions whose bytes lie in flagged blobs or bodies."""

    def complaints(self) -> list[str]:
        """What the engine finds wrong with its own file, a line each."""

    def recount(self) -> Recount:
        """Count every reference. Takes a second per some hundred thousand rows."""

    def correct(self, found: Recount, now: float, mutation: int) -> None:
        """Set the counts of a recount made in this transaction; what has no reference is doomed."""

    def revive(self, number: int) -> None:
        """Make a dead blob live again, or let what refers to it refer to the living one with the same bytes.

        Its file may be gone; nobody may be removing it meanwhile. Counts are to be corrected afterwards.
        """

    def tidy(self) -> None:
        """Remove loose rows; segments and parts of a manifest that something refers to are kept."""

    def wrapped(self) -> dict[str, int]:
        """How many blob keys, of dead blobs too, each master key wraps, by its id."""

    def wrapping(self) -> list[str]:
        """The ids of the master keys that wrap any blob's key; costs a step for each."""

    def wrapped_by(self, key_id: str, limit: int) -> list[BlobRow]:
        """Blobs whose key that master key wraps."""

    def rewrap(self, blob: BlobRow, key_id: str, wrapped: bytes) -> None:
        """Replace a blob's wrapped key, unless the blob has another file or key by now."""


class Quotas(Protocol):
    """What buckets use and may use."""

    def usage(self, bucket: int) -> UsageRow: ...

    def limited(self, bucket: int) -> bool:
        """Whether the bucket has any limit."""

    def limit(self, bucket: int, *, objects: int | None, size: int | None) -> None:
        """Set both limits; None is no limit."""

    def upload(self, upload_id: str) -> int:
        """The bytes of an upload's parts."""


class Backups(Protocol):
    """Named backups."""

    def all(self) -> list[BackupRow]: ...

    def set(self, backup: BackupRow) -> None:
        """Add it, or replace the one of that name."""

    def remove(self, name: str) -> bool: ...
