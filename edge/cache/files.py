"""Bodies on disk. (Signatures; being filled in.)

reader: store = BodyStore(folder); with store.open(ref) as body: body.read(start, length)
keeper: store = BodyStore(folder, space=ledger); with store.create(expected) as writer: writer.write(b); ref = writer.commit(key)
        leaving the with block without commit aborts: temporary removed, reservation released.
folder is Settings.edge_data; bodies/ and tmp/ are below it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, Self

from edge.cache.entry import BodyRef

BODY_OFFSET = 64
BLOCK = 64 * 1024


class NoSpace(Exception):
    """The disk tier has no room for this body now: pass it through without storing."""


class Damaged(Exception):
    """The file is not exactly the body it should be. It has been removed; treat it as a miss."""


class Reservation(Protocol):
    def grow(self, total: int) -> None: ...
    def admit(self, key: str, total: int) -> None: ...
    def release(self) -> None: ...


class Space(Protocol):
    def reserve(self, total: int) -> Reservation: ...
    def discard(self, key: str) -> None: ...


class BodyWriter:
    path: Path
    written: int

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...
    def write(self, data: bytes | memoryview) -> None: ...   # raises NoSpace, OSError, ValueError (more than expected)
    def commit(self, key: str) -> BodyRef: ...               # raises ValueError if fewer bytes than expected
    def abort(self) -> None: ...


class BodyReader:
    """A committed body. Blocking reads of the page cache or disk."""

    path: Path
    ref: BodyRef

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...
    def read(self, start: int = 0, length: int | None = None) -> bytes: ...   # raises Damaged
    def blocks(self, start: int = 0, length: int | None = None) -> Iterator[bytes]: ...
    def verify(self) -> None: ...        # the whole body, before another program reads the file (renderers)
    def close(self) -> None: ...


class GrowingReader:
    """A temporary of another process, read up to what its writer has announced."""

    def __init__(self, path: Path, offset: int = BODY_OFFSET) -> None: ...   # raises OSError
    def read(self, start: int, length: int) -> bytes: ...   # raises Damaged where fewer bytes are there than announced
    def close(self) -> None: ...


class BodyStore:
    def __init__(self, folder: Path, space: Space | None = None) -> None: ...
    def create(self, expected: int | None) -> BodyWriter: ...   # raises NoSpace
    def open(self, ref: BodyRef) -> BodyReader | None: ...      # None: not there, or damaged (and removed)
    def discard(self, key: str) -> None: ...
