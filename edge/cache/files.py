"""Bodies on disk: one file for each, checked block by block before a byte leaves.

The rule of this file: what `read` returns is what was once written, or it raises; how it can tell is in layout.py.

A body grows in tmp/ and is renamed into bodies/ when complete. While it grows, other processes read it up to the
length its writer has announced (`GrowingReader`); the rename does not disturb them, for the inode stays. Nothing
is ever synced: this is a cache, and after kill −9 or a power cut the checksums tell sound files from the rest,
whichever of data, size and name had reached the disk.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Protocol, Self

from blake3 import blake3

from edge.cache.entry import BodyRef
from edge.cache.layout import (
    BLOCK,
    GROWING,
    NO_KEY,
    Header,
    blocks_of,
    body_path,
    describe,
    file_size,
    pack_end,
    pack_header,
    seed,
    unpack_header,
)
from edge.cache.layout import BODY_OFFSET as BODY_OFFSET

GROWTH = 1024 * 1024
"""How far ahead room is reserved while a body's length is unknown, in bytes."""
STREAM = 4 * BLOCK
"""The pieces that `BodyReader.blocks` yields, in bytes."""


class NoSpace(Exception):
    """The disk tier has no room for this body now: pass it through without storing."""


class Damaged(Exception):
    """The file is not exactly the body it should be; it has been removed. Treat it as a miss."""


class WrongLength(ValueError):
    """The body has more or fewer bytes than were announced: the upstream lied or broke off."""


class Reservation(Protocol):
    """Room on the disk for one file that is being written."""

    def grow(self, total: int) -> None:
        """Make it at least `total` bytes. Raises NoSpace; what was held stays held."""

    def admit(self, key: str, total: int) -> None:
        """The file, `total` bytes long, has its final name now; what was under that name is gone."""

    def release(self) -> None:
        """The file is gone. Without effect after admit()."""


class Space(Protocol):
    """Who accounts for the disk: keeper/ledger.py."""

    def reserve(self, total: int) -> Reservation:
        """Room for a file of `total` bytes, made by evicting others if need be. Raises NoSpace."""

    def discard(self, key: str) -> None:
        """Remove a body and account for it."""


class BodyWriter:
    """A body being written: commit() keeps it; leaving its `with` block in any other way removes it.

    Writes go to the page cache and may wait for the disk under pressure; nothing is held in memory but the
    checksums. To be used from the ledger's thread.
    """

    def __init__(self, folder: Path, expected: int | None, reservation: Reservation) -> None:
        self.path = folder / "tmp" / secrets.token_hex(16)
        """Where other processes can read it while it grows, from BODY_OFFSET on."""
        self.written = 0
        """Bytes of the body so far."""
        self._folder = folder
        self._expected = expected
        self._reservation = reservation
        self._salt = secrets.randbits(32)
        self._table = bytearray()
        self._checksum = seed(self._salt, 0)
        self._digest = blake3()
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._open = True
        try:
            _write(self._descriptor, pack_header(Header(self._salt, GROWING, NO_KEY)), 0)
        except OSError:
            self.abort()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append to the body.

        Raises NoSpace, WrongLength (more than expected) and OSError; the body can then only be aborted.
        """
        view = memoryview(data)
        total = self.written + len(view)
        if self._expected is None:
            self._reservation.grow(file_size(-(-total // GROWTH) * GROWTH))
        elif total > self._expected:
            raise WrongLength(f"more than the {self._expected} bytes announced")
        _write(self._descriptor, view, BODY_OFFSET + self.written)
        self._digest.update(view)
        while view:
            room = BLOCK - self.written % BLOCK
            part, view = view[:room], view[room:]
            self._checksum = zlib.crc32(part, self._checksum)
            self.written += len(part)
            if len(part) == room:
                self._end_block()

    def _end_block(self) -> None:
        self._table += self._checksum.to_bytes(4, "little")
        self._checksum = seed(self._salt, len(self._table) // 4)

    def commit(self, key: str) -> BodyRef:
        """Keep the body under `key` (64 hex digits), in place of one that is there.

        Raises WrongLength (fewer bytes than expected), NoSpace and OSError; the body is then aborted.
        """
        try:
            final = body_path(self._folder, key)
            if self._expected not in (None, self.written):
                raise WrongLength(f"{self.written} of the {self._expected} bytes announced")
            if self.written % BLOCK:
                self._end_block()
            size = file_size(self.written)
            self._reservation.grow(size)
            digest = self._digest.digest()
            _write(self._descriptor, bytes(self._table) + pack_end(digest), BODY_OFFSET + self.written)
            _write(self._descriptor, pack_header(Header(self._salt, self.written, bytes.fromhex(key))), 0)
            final.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.rename(final)
        except BaseException:
            self.abort()
            raise
        self._reservation.admit(key, size)
        self._close()
        return BodyRef(key=key, length=self.written, digest=digest.hex())

    def abort(self) -> None:
        """Remove the temporary and give its room back. Without effect after commit()."""
        if self._open:
            self._close()
            self.path.unlink(missing_ok=True)
            self._reservation.release()

    def _close(self) -> None:
        self._open = False
        os.close(self._descriptor)


def _write(descriptor: int, data: bytes | memoryview, offset: int) -> None:
    """Write all of `data`: one call may write less, as before a full disk. Raises OSError."""
    view = memoryview(data)
    while view:
        count = os.pwrite(descriptor, view, offset)
        view, offset = view[count:], offset + count


class BodyReader:
    """A committed body; every block that is touched is checked. Calls block on the page cache or the disk.

    Eviction does not disturb it: the open file stays until it is closed.
    """

    def __init__(self, store: BodyStore, path: Path, descriptor: int, salt: int, ref: BodyRef) -> None:
        self.path = path
        self.ref = ref
        self._store = store
        self._descriptor = descriptor
        self._salt = salt
        self._open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self, start: int = 0, length: int | None = None) -> bytes:
        """Bytes [start, start + length) of the body; without `length` to its end.

        Raises Damaged, and ValueError outside the body.
        """
        stop = self.ref.length if length is None else start + length
        if not 0 <= start <= stop <= self.ref.length:
            raise ValueError(f"bytes {start} to {stop} of a body of {self.ref.length}")
        if start == stop:
            return b""
        first, last = start // BLOCK, blocks_of(stop)
        data = self._whole(BODY_OFFSET + first * BLOCK, min(last * BLOCK, self.ref.length) - first * BLOCK)
        table = self._whole(BODY_OFFSET + self.ref.length + 4 * first, 4 * (last - first))
        view = memoryview(data)
        for number in range(last - first):
            block = view[number * BLOCK : (number + 1) * BLOCK]
            expected = int.from_bytes(table[number * 4 : number * 4 + 4], "little")
            if zlib.crc32(block, seed(self._salt, first + number)) != expected:
                self._damaged(f"block {first + number}")
        skipped = start - first * BLOCK
        return data if len(data) == stop - start else data[skipped : skipped + stop - start]

    def blocks(self, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The same bytes in pieces of at most STREAM, none larger however large the body. Raises as read()."""
        stop = self.ref.length if length is None else start + length
        while start < stop:
            end = min(stop, (start // STREAM + 1) * STREAM)
            yield self.read(start, end - start)
            start = end

    def verify(self) -> None:
        """Check the whole body, before another program (a renderer) reads the file itself. Raises Damaged."""
        digest = blake3()
        for block in self.blocks():
            digest.update(block)
        if digest.hexdigest() != self.ref.digest:
            self._damaged("digest")

    def _whole(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes of the file. Raises Damaged where they cannot be had."""
        try:
            data = os.pread(self._descriptor, length, offset)
            while len(data) < length and (more := os.pread(self._descriptor, length - len(data), offset + len(data))):
                data += more
        except OSError as error:
            self._damaged(str(error))
        if len(data) != length:
            self._damaged("cut short")
        return data

    def _damaged(self, what: str) -> NoReturn:
        self._store.discard(self.ref.key)
        raise Damaged(f"{self.path}: {what}")

    def close(self) -> None:
        """Close the file."""
        if self._open:
            self._open = False
            os.close(self._descriptor)


class GrowingReader:
    """A body that another process is writing, read up to what its writer has announced.

    The bytes come from the page cache and are not checked: their checksums are not written yet. After the
    commit it goes on reading the same file, whatever its name.
    """

    def __init__(self, path: Path, offset: int = BODY_OFFSET) -> None:
        """Raises OSError (FileNotFoundError: committed or aborted since) and Damaged (not one of ours)."""
        self.path = path
        self._offset = offset
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        if unpack_header(os.pread(self._descriptor, BODY_OFFSET, 0)) is None:
            os.close(self._descriptor)
            raise Damaged(f"{path} is not a body")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self, start: int, length: int) -> bytes:
        """Bytes [start, start + length), all of which have been announced. Raises Damaged where they are not there."""
        data = os.pread(self._descriptor, length, self._offset + start)
        if len(data) != length:
            raise Damaged(f"{self.path}: {len(data)} of {length} bytes at {start}")
        return data

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class BodyStore:
    """The bodies below `folder` (the edge's data folder). Only with a `space` (the keeper's) can it write."""

    def __init__(self, folder: Path, space: Space | None = None) -> None:
        self._folder = folder
        self._space = space
        if space is not None:
            for name in ("bodies", "tmp"):
                (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)

    def create(self, expected: int | None) -> BodyWriter:
        """Begin a body of `expected` bytes (None: unknown). Its room is reserved before a byte is written.

        Raises NoSpace and OSError.
        """
        assert self._space is not None, "only the keeper writes bodies"
        reservation = self._space.reserve(file_size(GROWTH if expected is None else expected))
        try:
            (self._folder / "tmp").mkdir(mode=0o700, exist_ok=True)  # somebody may have removed it while we run
            return BodyWriter(self._folder, expected, reservation)
        except BaseException:
            reservation.release()
            raise

    def open(self, ref: BodyRef) -> BodyReader | None:
        """The body, if its file is there and holds exactly that; None otherwise.

        Another sound body of the same key (a rendering that was made again, better) stays.
        """
        reader = self.find(ref.key)
        if reader is None or reader.ref == ref:
            return reader
        reader.close()
        return None

    def find(self, key: str) -> BodyReader | None:
        """Whatever body is stored under a key. A file that is not a sound body is removed."""
        path = body_path(self._folder, key)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        found = describe(descriptor, key)
        if found is not None:
            return BodyReader(self, path, descriptor, found[1], found[0])
        self.discard(key)
        os.close(descriptor)
        return None

    def discard(self, key: str) -> None:
        """Remove a body, if it is there. The keeper's ledger learns of it now, or when it next meets the key."""
        if self._space is not None:
            self._space.discard(key)
        else:
            with contextlib.suppress(OSError):
                body_path(self._folder, key).unlink(missing_ok=True)
