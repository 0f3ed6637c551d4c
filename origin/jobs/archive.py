"""The folder that backups of one store share: what lies where in it.

    facet-backup.json            which store it belongs to
    blobs/aa/<id>                sealed bytes, once for all backups
    bodies/<span>.pack           sealed bodies of small objects, once for all backups
    snapshots/<name>/            catalog.sqlite and, written last, backup.json: only then the backup is finished

The rule of this file: nothing here holds a key. Blobs and bodies are sealed as they are in the store; the catalog's
names and metadata are not, and it has every wrapped key, which is worth nothing without the master keys.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Container
from pathlib import Path
from typing import Self

import msgspec

from conf.errors import StartError
from origin.blobs.disk import DiskBlobs
from origin.blobs.syncing import make_folders, sync_folder, write_new
from origin.jobs.bodies import BadPack, PackWriter, covered, prune_packs
from origin.service.folder import FolderLock
from origin.service.model import ServiceError

FORMAT = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_CATALOG = "catalog.sqlite"
_DONE = "backup.json"


class Finished(msgspec.Struct, kw_only=True):
    """backup.json: what a finished backup holds. `catalog` is the BLAKE3 of its catalog's file."""

    name: str
    begun: float
    finished: float
    blobs: int
    bytes: int
    copied_blobs: int
    copied_bytes: int
    damaged: list[str]
    """What was missing, damaged or, although in use, dead in the store: `id reason`; bodies as `body NUMBER reason`.

    It is not in this backup, unless an older one in the folder has it whole."""
    key_ids: list[str]
    catalog: str


class _Store(msgspec.Struct, kw_only=True):
    """facet-backup.json. A store that was restored is another store: its numbers may mean other bodies."""

    format: int
    log: str


class Archive:
    """The folder, opened and locked. Raises StartError where it cannot be."""

    def __init__(self, folder: Path, *, make: bool = False) -> None:
        self.folder = folder
        self._bodies = folder / "bodies"
        self._snapshots = folder / "snapshots"
        if not make and not (folder / "facet-backup.json").exists():
            raise StartError(f"there is no backup in {folder}")
        try:
            make_folders(folder)
            self._lock = FolderLock(folder / "lock", "another backup")
            self.blobs = DiskBlobs(folder, reserve=0)
            for each in (self._bodies, self._snapshots):
                make_folders(each)
        except OSError as error:
            raise StartError(f"cannot write in {folder}: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.blobs.close()
        self._lock.close()

    def belongs_to(self, log: str) -> None:
        """Bind the folder to a store, or check that it is bound to this one. Raises ServiceError."""
        path = self.folder / "facet-backup.json"
        if not path.exists():
            write_new(path, msgspec.json.encode(_Store(format=FORMAT, log=log)))
        store = msgspec.json.decode(path.read_bytes(), type=_Store)
        if store.format != FORMAT or store.log != log:
            raise ServiceError(
                "InvalidRequest", f"{self.folder} holds backups of another store, or of this one before a restore."
            )

    def pack(self) -> PackWriter:
        """A pack for the bodies that no pack holds yet."""
        return PackWriter(self._bodies, self.covered)

    @property
    def covered(self) -> int:
        """Bodies of manifests up to this number are in packs already."""
        return covered(self._bodies)

    def prune_bodies(self, kept: Container[int]) -> int:
        """Take all but the bodies of these manifests out of the packs; returns how many. Raises StartError."""
        try:
            return prune_packs(self._bodies, lambda number: number in kept)
        except BadPack as error:
            raise StartError(f"{error}; what else the backup needed is removed") from error

    @property
    def bodies(self) -> Path:
        """The folder of packs."""
        return self._bodies

    def begin(self, name: str) -> Path:
        """Where the catalog of a new backup is to be written; an unfinished one of that name is taken away."""
        if _NAME.fullmatch(name) is None:
            raise ServiceError("InvalidArgument", f"{name!r} is no name for a backup: letters, digits and . _ - only.")
        if (self._snapshots / name / _DONE).exists():
            raise ServiceError("InvalidRequest", f"There is a backup {name} in {self.folder} already.")
        self.drop(name)
        (self._snapshots / name).mkdir(mode=0o700)
        return self.catalog(name)

    def catalog(self, name: str) -> Path:
        """The catalog of a backup."""
        return self._snapshots / name / _CATALOG

    def finish(self, done: Finished) -> None:
        """The backup is whole."""
        write_new(self._snapshots / done.name / _DONE, msgspec.json.encode(done))
        sync_folder(self._snapshots)

    def drop(self, name: str) -> None:
        """Take a backup's snapshot away."""
        if (self._snapshots / name).exists():
            (self._snapshots / name / _DONE).unlink(missing_ok=True)
            shutil.rmtree(self._snapshots / name)

    def catalogs(self) -> list[Path]:
        """The catalogs of all finished backups. One that was interrupted is begun anew and needs nothing."""
        return [path / _CATALOG for path in self._snapshots.iterdir() if (path / _DONE).exists()]

    def finished(self, name: str | None) -> Finished:
        """The backup of that name, or the newest one. Raises StartError where there is none."""
        done = [
            msgspec.json.decode((path / _DONE).read_bytes(), type=Finished)
            for path in self._snapshots.iterdir()
            if (path / _DONE).exists()
        ]
        wanted = [one for one in done if name in (None, one.name)]
        if not wanted:
            raise StartError(f"there is no finished backup {name + ' ' if name else ''}in {self.folder}")
        return max(wanted, key=lambda one: one.begun)
