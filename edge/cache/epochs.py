"""Purge epochs in shared memory: a purge is one integer write that every process sees at its next lookup.

The rule of this file: `current(subject)` is the sum of a few counters that only ever grow, so any bump changes it,
and a stored record may be used without asking the upstream only while it equals the record's own epoch. A hard
purge adds HARD to a counter, a soft one adds 1: where less than HARD lies between a record and now, it was purged
softly at most, and is stale but not gone. Counters are shared by hashing: a collision purges too much, never too
little, and a million purges take no more room than one.

The file holds native 64-bit words: a header, one counter for everything, 1,024 for sites and buckets, 32,768 for
prefixes, tags and cache groups, 65,536 for paths. One process writes (the keeper), any number read without locks: an
aligned word is read and written whole. The counter for everything starts at a random number, so a file made anew
(lost, foreign, damaged) matches no record ever stored: everything counts as purged.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Self, TypeAlias

from edge.cache.subjects import Subject

GROUPS = 1024
MARKS = 32_768
PATHS = 65_536
HARD = 1 << 32
"""What a hard purge adds."""

_MAGIC = int.from_bytes(b"FacetEp1", "little")  # read as a native word: a file of the other byte order is foreign
_SHAPE = GROUPS << 48 | MARKS << 32 | PATHS
_HEADER = 8  # words: magic, shape, check word, settled, unswept, changes; the rest is zero
_CHECK = 2
_SETTLED = 3
_UNSWEPT = 4
_CHANGES = 5
_EVERYTHING = _HEADER
_FIRST_GROUP = _EVERYTHING + 1
_FIRST_MARK = _FIRST_GROUP + GROUPS
_FIRST_PATH = _FIRST_MARK + MARKS
_WORDS = _FIRST_PATH + PATHS
SIZE = _WORDS * 8
"""The file's length in bytes."""

_MASK = 2**64 - 1

Force: TypeAlias = Callable[[int], None]

Slots: TypeAlias = tuple[int, ...]
"""Where the counters of one subject are: worth keeping beside what is looked up often."""


def slots(subject: Subject) -> Slots:
    """The counters a lookup of this subject adds up. Stable over restarts, machines and Python versions."""
    return (
        _EVERYTHING,
        _group_slot(subject.site),
        _group_slot(subject.group),
        _path_slot(subject.path),
        *map(_mark_slot, subject.marks),
    )


def _hash(name: bytes) -> int:
    return int.from_bytes(blake2b(name, digest_size=8, person=b"facet-epoch").digest(), "little")


def _group_slot(group: bytes) -> int:
    return _FIRST_GROUP + _hash(group) % GROUPS


def _mark_slot(mark: bytes) -> int:
    return _FIRST_MARK + _hash(mark) % MARKS


def _path_slot(path: bytes) -> int:
    return _FIRST_PATH + _hash(path) % PATHS


def is_gone(stored: int, now: int) -> bool:
    """Whether what was stored in one epoch has been purged hard by another; if not, it is stale at worst."""
    return (now - stored) & _MASK >= HARD


class Epochs:
    """The epochs of a node: `Epochs.write` in the keeper, `Epochs.read` in server processes.

    A bump is in force for every process when the call returns, and durable when `sync()` has returned: call that
    before acknowledging a purge. Bumps come from one thread; `sync()` may run in another.
    """

    def __init__(self, path: Path, descriptor: int, writable: bool, force: Force = os.fdatasync) -> None:
        self._path = path
        self._force = force
        self._descriptor = descriptor
        self._inode = os.fstat(descriptor).st_ino
        access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
        self._map = mmap.mmap(descriptor, SIZE, access=access)
        self._words = memoryview(self._map).cast("Q")
        self._moment = 0
        self._moved: dict[int, int] = {}

    @classmethod
    def write(cls, path: Path, *, base: int, force: Force = os.fdatasync) -> Self:
        """Open for the keeper; a file that is missing or not one of ours is made anew, starting at `base`.

        `base` must be a random number below 2**63. Until `settle()` is called, `settled` is False. `force` is what
        `sync()` does to the file's descriptor.
        """
        if not _sound(path):
            _create(path, base)
        epochs = cls(path, os.open(path, os.O_RDWR | os.O_CLOEXEC), True, force)
        epochs._words[_SETTLED] = 0
        epochs._changed()
        return epochs

    @classmethod
    def read(cls, path: Path) -> Self:
        """Open for a server process. Raises OSError (missing) or ValueError (not one of ours): no keeper yet."""
        if not _sound(path):
            raise ValueError(f"{path} is not an epoch file of this version")
        return cls(path, os.open(path, os.O_RDONLY | os.O_CLOEXEC), writable=False)

    def current(self, subject: Subject) -> int:
        """The epoch of a subject now. Within one file's life it never falls."""
        return self.at(slots(subject))

    def at(self, where: Slots) -> int:
        """The epoch of the subject whose slots() these are."""
        return sum(map(self._words.__getitem__, where)) & _MASK

    @property
    def settled(self) -> bool:
        """Whether the keeper, since it started, has read the feed to its end once.

        Until then a stored record of a bucket may hide a change made while this node was down: ask before use.
        """
        return self._words[_SETTLED] == 1

    def settle(self) -> None:
        """The feed has been read to its end."""
        self._words[_SETTLED] = 1
        self._changed()

    @property
    def changes(self) -> int:
        """A number that differs whenever any answer of this object may have become another."""
        return self._words[_CHANGES]

    @property
    def unswept(self) -> bool:
        """Whether purged bytes of a site, a bucket or everything may still be on the disk."""
        return self._words[_UNSWEPT] == 1

    @unswept.setter
    def unswept(self, value: bool) -> None:
        self._words[_UNSWEPT] = value

    def bump_path(self, path: bytes, *, soft: bool = False) -> None:
        """Everything of one `Subject.path`, whatever site shows it."""
        self._bump(_path_slot(path), soft)

    def bump_group(self, group: bytes, *, soft: bool = False) -> None:
        """Everything of one site or bucket: `Subject.site` or `Subject.group`."""
        self._bump(_group_slot(group), soft)

    def bump_mark(self, mark: bytes, *, soft: bool = False) -> None:
        """Everything with one of `Subject.marks`: a prefix, a tag, a cache group."""
        slot = _mark_slot(mark)
        self._bump(slot, soft)
        self._moment += 1
        self._moved[slot] = self._moment

    @property
    def moment(self) -> int:
        """How many marks this process has bumped so far."""
        return self._moment

    def moved(self, marks: Iterable[bytes], since: int) -> bool:
        """Whether this process has bumped one of these marks since that `moment`.

        For answers that name their tags and groups only when they come: nobody could note those epochs before.
        """
        return any(self._moved.get(_mark_slot(mark), 0) > since for mark in marks)

    def bump_all(self, *, soft: bool = False) -> None:
        """Everything."""
        self._bump(_EVERYTHING, soft)

    def _bump(self, slot: int, soft: bool) -> None:
        self._words[slot] = (self._words[slot] + (1 if soft else HARD)) & _MASK
        self._changed()

    def _changed(self) -> None:
        self._words[_CHANGES] = (self._words[_CHANGES] + 1) & _MASK

    def sync(self) -> None:
        """Make all bumps so far durable. Blocks on the disk; on Linux fdatasync covers pages written by mmap.

        Raises OSError: the bumps are in force, but may be lost in a power cut.
        """
        self._force(self._descriptor)

    @property
    def replaced(self) -> bool:
        """Whether a keeper has made another file since: open that one. Ask after each connect to the keeper."""
        try:
            return self._path.stat().st_ino != self._inode
        except OSError:
            return True

    def close(self) -> None:
        """Unmap the file."""
        self._words.release()
        self._map.close()
        os.close(self._descriptor)


def _sound(path: Path) -> bool:
    """Whether the file is one of ours, whole. Raises OSError only where it exists but cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER * 8)
            size = os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        return False
    if size != SIZE:
        return False
    words = memoryview(head).cast("Q")
    return (words[0], words[1], words[_CHECK]) == (_MAGIC, _SHAPE, _MAGIC ^ _SHAPE)


def _create(path: Path, base: int) -> None:
    """Write a fresh file beside `path`, make it durable, and put it in place."""
    content = bytearray(SIZE)
    words = memoryview(content).cast("Q")
    words[0], words[1], words[_CHECK] = _MAGIC, _SHAPE, _MAGIC ^ _SHAPE
    words[_EVERYTHING] = base
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
