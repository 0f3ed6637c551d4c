"""The byte ledger of the disk tier: who may write how much, and who has to go for it.

The rule of this file: files in bodies/ and tmp/ together never take more than the limit, because room is accounted
for *before* a byte is written: a reservation counts in full from the moment it is given, and bodies are unlinked
until it fits. Sizes are counted in file system blocks of 4 KiB; a body that was unlinked while somebody reads it
is no longer counted, though the disk has its bytes back only when the reader closes it. Which body goes is decided
by S3-FIFO (edge/cache/s3fifo.py), the same as in the memory tier.

One ledger owns a folder (it holds a lock on it) and belongs to one thread, the keeper's event loop: nothing here
waits for anything but the file system. Server processes only read; the keeper hears from them what was used.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import NamedTuple, Self

import structlog

from edge.cache.files import NoSpace
from edge.cache.layout import body_path, sound_size
from edge.cache.records import LEAST_LIMIT
from edge.cache.s3fifo import S3Fifo
from edge.keeper.metrics import Metrics

UNIT = 4096
"""What a file's size is rounded up to, in bytes."""
RECORDS_SHARE = 16
"""1/16 of the disk tier is for records, as much again for SQLite's log and its slack."""
FIXED = 2 * 1024 * 1024
"""Bytes that the epochs (0.5 MiB) and up to 257 folders take, however little is stored."""

_log = structlog.get_logger()


class FolderInUse(Exception):
    """Another keeper owns the folder."""


class Shares(NamedTuple):
    """How the disk tier is divided, in bytes."""

    bodies: int
    records: int


def shares(disk: int) -> Shares:
    """The division of settings.edge.disk: with all that lies beside them the two stay within it."""
    records = max(disk // RECORDS_SHARE, LEAST_LIMIT)
    return Shares(bodies=max(0, disk - 2 * records - FIXED), records=records)


def _allocated(size: int) -> int:
    return -(-size // UNIT) * UNIT


class Ledger:
    """Room for bodies below `folder`: `limit` bytes, and only while `floor` bytes of the disk stay free."""

    def __init__(self, folder: Path, *, limit: int, floor: int, metrics: Metrics, free: Callable[[], int]) -> None:
        self._folder = folder
        self._limit = limit
        self._floor = floor
        self._metrics = metrics
        self._free = free
        self._reserved = 0
        self._bodies: S3Fifo[str, None] = S3Fifo(limit)
        self._lock = _lock(folder)
        metrics.disk_limit_bytes.set(limit)
        metrics.disk_bytes.set_function(lambda: self.used)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        limit: int,
        floor: int = 0,
        metrics: Metrics | None = None,
        known: Container[str] | None = None,
        free: Callable[[], int] | None = None,
    ) -> Self:
        """Take over the edge's data folder, and remove from bodies/ and tmp/ what is not sound.

        That is: temporaries, foreign and damaged files (by name, header and size; contents are checked on
        reading), and, where `known` is given (RecordStore.body_keys()), bodies no record names. `free` says how
        many bytes of the disk are free. Raises FolderInUse.
        """

        def statvfs() -> int:
            state = os.statvfs(folder)
            return state.f_bavail * state.f_frsize

        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        ledger = cls(folder, limit=limit, floor=floor, metrics=metrics or Metrics(), free=free or statvfs)
        ledger._scan(known)
        return ledger

    def close(self) -> None:
        """Give the folder up."""
        os.close(self._lock)

    @property
    def used(self) -> int:
        """Bytes in use, reservations included."""
        return self._bodies.bytes + self._reserved

    def __contains__(self, key: str) -> bool:
        return self._bodies.get(key) is not None

    # Room

    def reserve(self, total: int) -> LedgerReservation:
        """Room for one file of `total` bytes. Raises NoSpace."""
        reservation = LedgerReservation(self)
        reservation.grow(total)
        return reservation

    def _take(self, count: int, held: int) -> None:
        """Reserve `count` bytes for a file that holds `held`, evicting bodies first. Raises NoSpace."""
        if held + count > self._limit:
            raise NoSpace("larger than the disk tier")
        while self.used + count > self._limit:
            if not self._evict():
                raise NoSpace("the disk tier is full of files being written")
        if not self._above_floor(count):
            self._shrink(count)
        self._reserved += count

    def _above_floor(self, count: int) -> bool:
        """Whether the disk keeps its floor free once `count` bytes more and all reservations have been written.

        What has been written of a reservation counts twice: near the floor that errs on the safe side.
        """
        return self._free() - self._reserved - count >= self._floor

    def _shrink(self, count: int) -> None:
        """Below the floor nothing is stored (NoSpace); what is stored gives way, by as much as was asked for.

        So a disk that others fill gets its room back from us, and one that we fill ourselves keeps turning over.
        """
        gone = 0
        while gone < count and (size := self._evict()):
            gone += size
        if not self._above_floor(count):
            raise NoSpace("the disk has reached edge.disk_floor")

    def _evict(self) -> int:
        """Remove the body that should go first; its size in bytes, 0 where there is none."""
        entry = self._bodies.evict()
        if entry is None:
            return 0
        body_path(self._folder, entry.key).unlink(missing_ok=True)
        self._metrics.evictions.inc()
        self._metrics.evicted_bytes.inc(entry.size)
        return entry.size

    # Bodies

    def touch(self, key: str) -> None:
        """A body was used, here or in a server process."""
        entry = self._bodies.get(key)
        if entry is not None:
            entry.hit()

    def discard(self, key: str) -> None:
        """Remove a body, known or not."""
        body_path(self._folder, key).unlink(missing_ok=True)
        self._bodies.remove(key)

    def _admit(self, key: str, size: int) -> None:
        """A file of `size` reserved bytes has taken the place of what was under `key`."""
        proven = self._bodies.proven(key)
        self._bodies.remove(key)
        self._bodies.add(key, size, None, proven=proven)

    def _scan(self, known: Container[str] | None) -> None:
        """Rebuild the ledger from the folder, oldest files first, and bring it within its limit."""
        for path in _files(self._folder / "tmp"):
            path.unlink(missing_ok=True)
        sound: list[tuple[float, str, int]] = []
        removed = 0
        for path in _files(self._folder / "bodies"):
            size = sound_size(path) if path == _place(self._folder, path.name) else None
            if size is None or (known is not None and path.name not in known):
                path.unlink(missing_ok=True)
                removed += 1
            else:
                sound.append((path.stat().st_mtime, path.name, _allocated(size)))
        for _, key, size in sorted(sound):
            self._bodies.add(key, size, None, proven=True)
        while self._bodies.bytes > self._limit:
            self._evict()
        _log.info("ledger.scanned", bodies=len(self._bodies), bytes=self._bodies.bytes, removed=removed)


class LedgerReservation:
    """Room held for one file (edge.cache.files.Reservation)."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._held = 0

    def grow(self, total: int) -> None:
        """Hold at least `total` bytes. Raises NoSpace; what was held stays held."""
        wanted = _allocated(total)
        if wanted > self._held:
            self._ledger._take(wanted - self._held, self._held)
            self._held = wanted

    def admit(self, key: str, total: int) -> None:
        """The file has its final name and `total` bytes, which grow() has covered."""
        size = _allocated(total)
        assert size <= self._held
        self.release()
        self._ledger._admit(key, size)

    def release(self) -> None:
        """Give the room back. Without effect the second time."""
        self._ledger._reserved -= self._held
        self._held = 0


def _lock(folder: Path) -> int:
    """An open, locked descriptor of the folder; the kernel gives the lock up with the process."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise FolderInUse(f"{folder} belongs to another keeper") from error
    return descriptor


def _files(folder: Path) -> Iterator[Path]:
    """Every file below `folder`, however deep."""
    return (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)


def _place(folder: Path, key: str) -> Path | None:
    """Where a body of that name belongs; None where it is no body's name."""
    try:
        return body_path(folder, key)
    except ValueError:
        return None
