"""Packs: files of sealed inline bodies in a backup, each with those of a span of manifest numbers.

The rule of this file: a pack is written whole or not at all, and says itself whether it is intact. Layout, all
integers big-endian: magic "FACETPAK" · version 1 (4 bytes) · records of manifest number (8), length (4) and the sealed
body · BLAKE3 of everything before (32). Its name is the span it covers: manifests numbered over the first number, up
to the second. Bodies that were healed since an older pack follow those of the span.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from blake3 import blake3

from origin.blobs.syncing import sync_data, sync_folder

_HEAD = struct.Struct(">8sI")
_RECORD = struct.Struct(">QI")
_NAME = re.compile(r"([0-9]{20})-([0-9]{20})\.pack")
_MAGIC = b"FACETPAK"
_VERSION = 1
_DIGEST = 32


class BadPack(Exception):
    """A pack is damaged; the message names it."""


def packs(folder: Path) -> list[Path]:
    """The packs of a folder, by span."""
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def covered(folder: Path) -> int:
    """The highest manifest number up to which the packs of a folder hold every body there was."""
    matches = [_NAME.fullmatch(path.name) for path in packs(folder)]
    return max((int(match[2]) for match in matches if match), default=0)


class PackWriter:
    """Writes the pack of the bodies after number `after`; without `finish` nothing is left. Raises OSError."""

    def __init__(self, folder: Path, after: int) -> None:
        self._folder = folder
        self._after = after
        self.bodies = 0
        self._path = folder / "unfinished"
        self._file = self._path.open("wb")
        self._digest = blake3()
        self._put(_HEAD.pack(_MAGIC, _VERSION))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)

    def body(self, manifest: int, sealed: bytes) -> None:
        """Add one body."""
        self.bodies += 1
        self._put(_RECORD.pack(manifest, len(sealed)))
        self._put(sealed)

    def _put(self, data: bytes) -> None:
        self._digest.update(data)
        self._file.write(data)

    def finish(self, last: int) -> None:
        """Make it durable under its name: it has every body of the span up to `last`. An empty span has no pack."""
        if last > self._after:
            self._file.write(self._digest.digest())
            self._file.flush()
            sync_data(self._file.fileno())
            self._path.rename(self._folder / f"{self._after:020}-{last:020}.pack")
            sync_folder(self._folder)


def prune_packs(folder: Path, needed: Callable[[int], bool]) -> int:
    """Take out of the packs every body that is not needed, and packs that have none; returns how many bodies.

    Packs are replaced whole. Raises OSError, BadPack.
    """
    removed = 0
    for path in packs(folder):
        match = _NAME.fullmatch(path.name)
        assert match is not None
        with PackWriter(folder, int(match[1])) as fresh:
            unneeded = 0
            for number, sealed in _read(path):
                if needed(number):
                    fresh.body(number, sealed)
                else:
                    unneeded += 1
            if not fresh.bodies:
                path.unlink()
                sync_folder(folder)
            elif unneeded:
                fresh.finish(int(match[2]))
        removed += unneeded
    return removed


def read_packs(folder: Path) -> Iterator[tuple[int, bytes]]:
    """Every body of every pack, with its manifest's number. Raises BadPack, at the latest after a pack's last body."""
    for path in packs(folder):
        yield from _read(path)


def _read(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        left = path.stat().st_size - _DIGEST
        head = file.read(_HEAD.size)
        digest = blake3(head)
        if len(head) < _HEAD.size or _HEAD.unpack(head) != (_MAGIC, _VERSION):
            raise BadPack(f"{path} is no pack")
        left -= len(head)
        while left > 0:
            record = file.read(_RECORD.size)
            if left < _RECORD.size:
                raise BadPack(f"{path} is cut short")
            manifest, length = _RECORD.unpack(record)
            if length > left - _RECORD.size:
                raise BadPack(f"{path} is damaged")
            sealed = file.read(length)
            digest.update(record).update(sealed)
            left -= len(record) + length
            yield manifest, sealed
        if file.read(_DIGEST) != digest.digest():
            raise BadPack(f"{path} is damaged")
