"""The part of the catalog's contract about content: manifests, the blobs they refer to, and the counts between them.

The rule of this file: a reference that is taken over is counted already, and one that is handed out is the caller's to
release; so every function says whose references are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from origin.catalog.rows import BlobRow, ManifestRow, NewBlob, SegmentRow


class Manifests(Protocol):
    """Manifests and their references."""

    def insert(
        self,
        *,
        size: int,
        identity: bytes,
        seal_id: bytes,
        inline: bytes | None = None,
        parts: Sequence[tuple[int, int]] = (),
        refs: int = 1,
    ) -> int:
        """Add a manifest; returns its number. It takes over the references to its parts."""

    def add_segments(self, number: int, segments: Sequence[tuple[int, int, int, int]]) -> None:
        """Add (offset, length, blob, blob_offset); each takes over one reference to its blob."""

    def get(self, number: int) -> ManifestRow | None: ...

    def segments(self, number: int, start: int, end: int) -> list[SegmentRow]:
        """The segments that overlap [start, end), by offset; for a manifest without parts."""

    def fingerprints(self, number: int) -> Iterator[bytes]:
        """The fingerprints of the manifest's own segments, by offset."""

    def acquire(self, number: int) -> None:
        """Count one more reference; a doomed manifest lives again."""

    def release(self, number: int, now: float, mutation: int) -> None:
        """Count one reference less; without any it is doomed."""

    def doomed(self, before: float, mutation: int, limit: int) -> list[ManifestRow]:
        """Manifests doomed before that time and in no later change than `mutation`, oldest first."""

    def take_segments(self, number: int, limit: int) -> list[int]:
        """Remove up to `limit` segments and return their blobs, whose references are now the caller's."""

    def take_parts(self, number: int, limit: int) -> list[int]:
        """Remove up to `limit` parts and return their manifests, whose references are now the caller's."""

    def remove(self, number: int) -> None: ...


class Blobs(Protocol):
    """Blobs, and ids whose file may exist although no blob has them yet (pending)."""

    def find(self, fingerprint: bytes) -> BlobRow | None:
        """The live or doomed blob of that content, flagged ones included."""

    def insert(self, blob: NewBlob, *, dead: bool = False) -> int:
        """Add a blob without references; returns its number. A dead one only waits for its file to be removed."""

    def acquire(self, number: int) -> None:
        """Count one more reference; a doomed blob lives again."""

    def heal(self, number: int, fresh: NewBlob) -> None:
        """Give a blob the file of a fresh copy of the same bytes, and clear its flag."""

    def release(self, number: int, now: float, mutation: int) -> None:
        """Count one reference less; without any it is doomed."""

    def flag(self, number: int, blob_id: bytes) -> None:
        """Mark a blob whose file of that id is known to be bad or missing."""

    def doomed(self, before: float, mutation: int, limit: int) -> list[BlobRow]:
        """Blobs doomed before that time and in no later change than `mutation`."""

    def kill(self, number: int) -> bool:
        """Make a doomed blob without references dead. False where it lives again."""

    def dead(self, after: int, limit: int) -> list[BlobRow]:
        """Dead blobs with numbers over `after`, by number."""

    def remove(self, number: int) -> None: ...

    def forget(self, ids: Sequence[bytes]) -> None:
        """Remove those of the ids that are dead blobs."""

    def add_pending(self, ids: Sequence[bytes], epoch: int, now: float) -> None:
        """Note ids whose files may exist. No process has epoch 0: the collector removes what is pending under it."""

    def drop_pending(self, ids: Sequence[bytes]) -> None: ...

    def abandon(self, ids: Sequence[bytes]) -> None:
        """Move those of the ids that are still pending to epoch 0; others have become blobs and stay."""

    def abandoned(self, epoch: int, after: bytes, limit: int) -> list[bytes]:
        """Pending ids over `after`, of epochs before `epoch`, that no blob has; in order."""
