"""Two stores as one, while blobs move from the old to the new: writes go to the new, reads find them in either.

The rule of this file: a blob is in the new store with all its bytes before it leaves the old one, so whoever looks in
the new store, then in the old, then once more in the new, finds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain

from origin.blobs.contract import BlobMissing, BlobReader, BlobStore, BlobWriter


class _Reader:
    """contract.BlobReader that goes on in the new store where the blob has left the old one."""

    def __init__(self, stores: MovingBlobs, blob_id: bytes, reader: BlobReader) -> None:
        self._stores = stores
        self._id = blob_id
        self._reader = reader

    def read(self, offset: int, length: int) -> bytes:
        try:
            return self._reader.read(offset, length)
        except BlobMissing:
            self._reader.close()
            self._reader = self._stores.new.open(self._id)
            return self._reader.read(offset, length)

    def warm(self, offset: int, length: int) -> memoryview | None:
        return self._reader.warm(offset, length)

    def close(self) -> None:
        self._reader.close()


class MovingBlobs:
    """contract.BlobStore over both. The job in jobs/move.py uses `old` and `new` themselves."""

    def __init__(self, new: BlobStore, old: BlobStore) -> None:
        self.new = new
        self.old = old
        self.distant = new.distant or old.distant

    def create(self, blob_id: bytes) -> BlobWriter:
        return self.new.create(blob_id)

    def room(self, length: int) -> None:
        self.new.room(length)

    def settle(self, ids: Iterable[bytes]) -> None:
        self.new.settle(ids)

    def open(self, blob_id: bytes) -> BlobReader:
        with suppress(BlobMissing):
            return self.new.open(blob_id)
        with suppress(BlobMissing):
            return _Reader(self, blob_id, self.old.open(blob_id))
        return self.new.open(blob_id)

    def length(self, blob_id: bytes) -> int | None:
        for store in (self.new, self.old, self.new):
            length = store.length(blob_id)
            if length is not None:
                return length
        return None

    def remove(self, ids: Iterable[bytes]) -> list[bytes]:
        return self.new.remove(self.old.remove(ids))

    def quarantine(self, name: str) -> None:
        try:
            self.old.quarantine(name)
        except BlobMissing:
            self.new.quarantine(name)

    def names(self) -> Iterator[str]:
        """Both stores' names: a blob that is just moving has two."""
        return chain(self.new.names(), self.old.names())

    def close(self) -> None:
        self.new.close()
        self.old.close()
