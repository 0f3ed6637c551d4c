"""Restoring a backup into a data folder that has no catalog.

The rules of this file: the catalog gets its name last, so a folder with a catalog is whole. Every blob and body is
checked while it is copied; what is there already is not copied again, so a restore that was interrupted is resumed by
running it again. The restored store is another store to those who follow its feed or back it up: its log gets a new
name. No key is needed to restore, and the check of the copy needs none either; reading it does.
"""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conf.errors import StartError
from conf.schema import Settings
from origin.blobs.contract import BlobError, BlobStore
from origin.blobs.syncing import sync_folder
from origin.catalog.contract import CatalogError
from origin.catalog.rows import BlobRow
from origin.catalog.sqlite.snapshot import fill, open_snapshot
from origin.jobs.archive import Archive, Finished
from origin.jobs.backup import BATCH, digest_of
from origin.jobs.bodies import BadPack, read_packs
from origin.jobs.check import Checked, check
from origin.jobs.progress import Progress, Tell, silent
from origin.jobs.stored import DamagedBlob, copy_blob
from origin.service.folder import FolderLock, make_folder
from origin.service.opening import CATALOG, blob_store, new_log, open_bare

PARTIAL = "catalog.partial"


@dataclass(slots=True)
class Restored:
    """What was restored, and what the check of it found. `damaged` are blobs of the backup, as `id reason`."""

    backup: Finished
    damaged: list[str] = field(default_factory=list)
    missing_bodies: int = 0
    checked: Checked = field(default_factory=Checked)

    @property
    def clean(self) -> bool:
        """True where everything that was backed up is there."""
        return self.checked.clean and not self.damaged and not self.missing_bodies

    def document(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {
            "clean": self.clean,
            "backup": self.backup.name,
            "keys": self.backup.key_ids,
            "damaged": self.damaged,
            "missing_bodies": self.missing_bodies,
            "check": self.checked.document(),
        }


async def restore(folder: Path, settings: Settings, name: str | None = None, *, tell: Tell = silent) -> Restored:
    """Restore the backup `name`, or the newest one, into the data folder of `settings`, and check the copy.

    Raises StartError where there is no such backup, where the data folder has a catalog, or where either is unusable.
    """
    done = await asyncio.to_thread(_restore, folder, settings, name, tell)
    lock, stores = open_bare(settings)
    try:
        done.checked = await check(stores, tell=tell)
    finally:
        stores.close()
        lock.close()
    return done


def _restore(folder: Path, settings: Settings, name: str | None, tell: Tell) -> Restored:
    target = settings.origin_data
    make_folder(settings.data, "data")
    make_folder(target, "data")
    lock = FolderLock(target / "lock")
    try:
        if (target / CATALOG).exists():
            raise StartError(f"{target} (data) has a catalog already; restore into a folder without one")
        with Archive(folder) as archive:
            done = Restored(archive.finished(name))
            partial_catalog = target / PARTIAL
            shutil.copyfile(archive.catalog(done.backup.name), partial_catalog)
            partial_catalog.chmod(0o600)
            if digest_of(partial_catalog) != done.backup.catalog:
                raise StartError(f"the catalog of the backup {done.backup.name} in {folder} is damaged")
            blobs = blob_store(target, settings)
            try:
                _copy(archive.blobs, blobs, partial_catalog, done, tell)
            finally:
                blobs.close()
            done.missing_bodies = fill(partial_catalog, read_packs(archive.bodies), new_log())
        partial_catalog.rename(target / CATALOG)
        sync_folder(target)
        return done
    except (OSError, BlobError, CatalogError, BadPack) as error:
        raise StartError(f"the restore into {target} (data) cannot go on: {error}") from error
    finally:
        lock.close()


def _copy(source: BlobStore, target: BlobStore, catalog: Path, done: Restored, tell: Tell) -> None:
    with open_snapshot(catalog) as tables:
        total, copied, after = tables.upkeep.totals().stored, 0, 0
        while blobs := tables.upkeep.blobs(after, BATCH):
            after = blobs[-1].number
            for blob in blobs:
                copied += _copy_one(source, target, blob, done)
                tell(Progress("restore", copied, total, "bytes"))
            target.settle(blob.id for blob in blobs)


def _copy_one(source: BlobStore, target: BlobStore, blob: BlobRow, done: Restored) -> int:
    try:
        copy_blob(source, target, blob)
    except DamagedBlob as error:
        done.damaged.append(f"{blob.id.hex()} {error.reason}")
    return blob.stored
