"""The blob store's contract: what service and jobs may ask of the store of bytes, whatever keeps it.

The rules of this file: an id is 16 random bytes and never used twice. A store sees sealed bytes only. Calls block and
belong into threads. No error of an operating system or a remote service leaves this package but as BlobError.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol


class BlobError(Exception):
    """The store cannot do what was asked."""


class BlobMissing(BlobError):
    """There is no blob of that id."""


class BlobUnreadable(BlobError):
    """The medium does not give the blob's bytes back. Other blobs may be well."""


class StoreFull(BlobError):
    """Too little space is left. Removing is still possible; later writes may succeed."""


class StoreReadOnly(BlobError):
    """The store takes no changes now, such as a file system that was remounted after an error."""


class StoreBusy(BlobError):
    """The store is short of something that passes (file handles, memory): trying again soon helps."""


class BlobWriter(Protocol):
    """A blob in the making: nameless until `link`, and gone without it when closed."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append. Raises StoreFull, StoreBusy, BlobError."""

    def sync(self) -> None:
        """Return when the bytes are durable. A failure is final: the blob must be dropped. Raises BlobError."""

    def link(self) -> None:
        """Give it its name. Durable only after `BlobStore.settle`. Raises BlobError."""

    def close(self) -> None:
        """Let go; without a name the bytes are gone. May be called twice."""


class BlobReader(Protocol):
    """A blob opened for reading. Where the store keeps it open (a disk) it stays readable after its removal."""

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the blob, fewer only at its end. Raises BlobUnreadable, BlobMissing (removed), BlobError."""

    def warm(self, offset: int, length: int) -> memoryview | None:
        """All of these bytes, where that waits for nothing; else None. They hold until the next call."""

    def close(self) -> None:
        """Let go. May be called twice."""


class BlobStore(Protocol):
    """One store, opened."""

    @property
    def distant(self) -> bool:
        """True where every question is a round trip, which nobody should wait for in a transaction."""

    def create(self, blob_id: bytes) -> BlobWriter:
        """Begin a blob. Raises StoreFull (the reserve is kept for deletes and collection), StoreBusy, BlobError."""

    def room(self, length: int) -> None:
        """Return where `length` more bytes leave the reserve untouched. Raises StoreFull."""

    def settle(self, ids: Iterable[bytes]) -> None:
        """Return when the names of linked blobs are durable. Raises BlobError; the names must then be given up."""

    def open(self, blob_id: bytes) -> BlobReader:
        """Open for reading. Raises BlobMissing, StoreBusy, BlobError."""

    def length(self, blob_id: bytes) -> int | None:
        """The stored length, None where there is no such blob. Raises BlobError."""

    def remove(self, ids: Iterable[bytes]) -> list[bytes]:
        """Remove blobs; returns those that are gone durably, also where they were not there.

        What is left out stays to be removed: it was refused, or its name may come back. Raises BlobError.
        """

    def quarantine(self, name: str) -> None:
        """Put what nobody can explain out of the way, without destroying it; `name` is one of `names`."""

    def names(self) -> Iterator[str]:
        """The name of everything stored: 32 hexadecimal digits, an id, or "./" and a path for what is no blob's."""

    def close(self) -> None:
        """Let go of everything."""
