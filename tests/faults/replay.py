"""From a recorded log (recorder.c) to the disk that a power cut would have left.

The rule of this file: the least that POSIX promises is assumed. A cut is a prefix of the log. Of the operations in it,
those that a finished sync covers are on the disk; of all others a random subset is, in any combination: a write in
sectors of 512 bytes that each may be missing, a name without the file's bytes, bytes without the name. A sync of a file
covers its bytes and length, a sync of a folder covers its names, and neither covers the other.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from pathlib import Path

SECTOR = 512
_ENTRY = struct.Struct("<BQQQII")
_NOT_KEPT = "-shm"
"""SQLite's index of its log is mapped memory, made anew at each start."""


class Kind(IntEnum):
    """What an entry of the log is; the numbers are recorder.c's."""

    CREATE = 1
    NAMELESS = 2
    WRITE = 3
    TRUNCATE = 4
    LINK = 5
    UNLINK = 6
    RENAME = 7
    MKDIR = 8
    SYNC = 9
    SYNCED = 10
    MARK = 11
    ROOT = 12


@dataclass(frozen=True, slots=True)
class Operation:
    """One entry. `folder` and `thing` are serial numbers of files and folders, which unlike inodes are never reused.

    `number` is an offset, a length or a sync's ticket; `data` what was written; `names` the names that changed.
    """

    kind: Kind
    folder: int
    thing: int
    number: int
    names: tuple[str, ...]
    data: bytes


def parse(log: bytes) -> list[Operation]:
    """The operations of a log, whose last entry may be cut off."""
    operations: list[Operation] = []
    serials: dict[int, int] = {}
    position = made = 0

    def serial(inode: int, *, fresh: bool = False) -> int:
        nonlocal made
        if fresh or inode not in serials:
            made += 1
            serials[inode] = made
        return serials[inode]

    while position + _ENTRY.size <= len(log):
        number, folder, file, value, first, second = _ENTRY.unpack_from(log, position)
        position += _ENTRY.size
        one, two = log[position : position + first], log[position + first : position + first + second]
        position += first + second
        kind = Kind(number)
        named = kind in (Kind.CREATE, Kind.LINK, Kind.UNLINK, Kind.RENAME, Kind.MKDIR)
        operations.append(
            Operation(
                kind,
                serial(folder) if folder else 0,
                serial(file, fresh=kind in (Kind.CREATE, Kind.NAMELESS, Kind.MKDIR)) if file else 0,
                value,
                tuple(name.decode() for name in (one, two) if name) if named else (),
                b"" if named else one,
            )
        )
    return operations


def marks(operations: list[Operation]) -> list[bytes]:
    """The marks among the operations, in order."""
    return [operation.data for operation in operations if operation.kind is Kind.MARK]


class Disk:
    """What is on the disk after a cut. `loss` is the chance of what is not synced to be lost,
    `torn` that of a sector.
    """

    def __init__(self, operations: list[Operation], chance: random.Random, *, loss: float, torn: float) -> None:
        self._chance = chance
        self._loss = loss
        self._torn = torn
        self._bytes: dict[int, bytearray] = {}
        self._names: dict[int, dict[str, int]] = {}
        self._root = 0
        covered = _covered(operations)
        for index, operation in enumerate(operations):
            self._apply(operation, partial(_before, covered, index))

    def _apply(self, operation: Operation, kept: Callable[[int], bool]) -> None:
        folder, thing = operation.folder, operation.thing
        match operation.kind:
            case Kind.ROOT:
                self._root = thing
            case Kind.WRITE:
                self._write(operation, whole=kept(thing))
            case Kind.TRUNCATE if kept(thing) or self._luck():
                content = self._bytes.setdefault(thing, bytearray())
                del content[operation.number :]
                content.extend(bytes(operation.number - len(content)))
            case Kind.CREATE | Kind.LINK | Kind.MKDIR if kept(folder) or self._luck():
                self._names.setdefault(folder, {})[operation.names[0]] = thing
                if operation.kind is Kind.MKDIR:
                    self._names.setdefault(thing, {})
            case Kind.UNLINK if kept(folder) or self._luck():
                self._names.setdefault(folder, {}).pop(operation.names[0], None)
            case Kind.RENAME if kept(folder) or kept(thing) or self._luck():
                moved = self._names.setdefault(folder, {}).pop(operation.names[0], None)
                if moved is not None:
                    self._names.setdefault(thing, {})[operation.names[1]] = moved

    def _luck(self) -> bool:
        return self._chance.random() >= self._loss

    def _write(self, operation: Operation, *, whole: bool) -> None:
        if not whole and not self._luck():
            return
        content = self._bytes.setdefault(operation.thing, bytearray())
        start, data = operation.number, operation.data
        at = 0
        while at < len(data):
            taken = len(data) - at if whole else min(SECTOR - (start + at) % SECTOR, len(data) - at)
            if whole or self._chance.random() >= self._torn:
                content.extend(bytes(max(0, start + at - len(content))))
                content[start + at : start + at + taken] = data[at : at + taken]
            at += taken

    def restore(self, root: Path) -> None:
        """Make the files below `root`."""
        root.mkdir(parents=True)
        self._restore(root, self._root)

    def _restore(self, path: Path, folder: int) -> None:
        for name, thing in self._names.get(folder, {}).items():
            if thing in self._names:
                (path / name).mkdir()
                self._restore(path / name, thing)
            elif not name.endswith(_NOT_KEPT):
                (path / name).write_bytes(self._bytes.get(thing, b""))


def _before(covered: dict[int, int], index: int, thing: int) -> bool:
    return index < covered.get(thing, -1)


def _covered(operations: list[Operation]) -> dict[int, int]:
    """For each file and folder the index before which a finished sync covers everything."""
    begun: dict[int, int] = {}
    covered: dict[int, int] = {}
    for index, operation in enumerate(operations):
        if operation.kind is Kind.SYNC:
            begun[operation.number] = index
        elif operation.kind is Kind.SYNCED:
            covered[operation.thing] = max(covered.get(operation.thing, -1), begun[operation.number])
    return covered
