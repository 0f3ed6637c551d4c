"""Backups while writes go on: a snapshot of the catalog first, then every blob it refers to.

The rules of this file: the backup is announced as a read before the snapshot begins, so the collector keeps whatever
the snapshot refers to until it ends, however long that takes. The snapshot is closed before the first blob is copied.
Blobs and bodies that the folder has are not copied again. It is recorded under its name before it begins, so that no
master key it needs is retired. No key is needed.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from blake3 import blake3

from origin.catalog.bodies import BodyRow
from origin.catalog.contract import Tables
from origin.catalog.rows import BlobRow
from origin.catalog.sqlite.snapshot import open_snapshot
from origin.catalog.upkeep import BackupRow
from origin.jobs.archive import Archive, Finished
from origin.jobs.progress import Progress, Tell, silent
from origin.jobs.stored import DamagedBlob, copy_blob, is_intact
from origin.service.model import ServiceError
from origin.service.opening import LOG, STORE_KEY_ID
from origin.service.stores import BareStores

BATCH = 256
"""Blobs whose names are made durable together."""
AT_ONCE = 4
"""Blobs copied at once, so that some bytes are on their way while others are synced."""

_log = structlog.get_logger()


async def backup(stores: BareStores, folder: Path, name: str | None = None, *, tell: Tell = silent) -> Finished:
    """Back the store up into `folder`, as `name` or the present time.

    Raises ServiceError where the name or folder is no good or a store fails; run it again then, under the same name.
    Raises StartError where the folder cannot be written.
    """
    begun = stores.clock()
    name = name or time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime(begun))
    with await stores.working(partial(Archive, folder, make=True)) as archive:
        log = await stores.read(lambda tables: (tables.meta.get(LOG) or b"").decode())
        await stores.working(partial(archive.belongs_to, log))
        catalog = await stores.working(partial(archive.begin, name))
        await stores.write(partial(_record, name=name, folder=str(folder), begun=begun))
        token = stores.reads.begin()
        try:
            tell(Progress("catalog", 0, 0, "bytes"))
            done = _Copied()
            key_ids, digest = await stores.working(partial(_snapshot, stores, archive, catalog, done))
            await _copy(stores, archive, catalog, done, tell)
        finally:
            stores.reads.end(token)
        finished = Finished(
            name=name, begun=begun, finished=stores.clock(), key_ids=list(key_ids), catalog=digest,
            blobs=done.blobs, bytes=done.bytes, copied_blobs=done.copied_blobs, copied_bytes=done.copied_bytes,
            damaged=done.damaged,
        )  # fmt: skip
        await stores.working(partial(archive.finish, finished))
        await stores.write(
            lambda tables: tables.backups.set(
                BackupRow(name=name, folder=str(folder), begun=begun, finished=finished.finished, key_ids=key_ids)
            )
        )
        _log.info("backed up", name=name, blobs=done.blobs, copied=done.copied_blobs)
        return finished


async def forget(stores: BareStores, name: str) -> dict[str, Any]:
    """Forget a backup: its record, and what its folder holds for it alone, where the folder is there.

    Raises ServiceError where there is none of that name; StartError where its folder is in use.
    """
    known = [row for row in await stores.read(lambda tables: tables.backups.all()) if row.name == name]
    if not known:
        raise ServiceError("InvalidRequest", f"There is no backup {name}.")
    folder, blobs, bodies = Path(known[0].folder), 0, 0
    if await stores.working(folder.exists):
        with await stores.working(partial(Archive, folder)) as archive:
            blobs, bodies = await stores.working(partial(_prune, archive, name))
    await stores.write(lambda tables: tables.backups.remove(name))
    return {"forgotten": name, "folder": str(folder), "removed_blobs": blobs, "removed_bodies": bodies}


def _prune(archive: Archive, name: str) -> tuple[int, int]:
    """Take a snapshot away, and what no other snapshot of the folder refers to; returns how many blobs and bodies."""
    archive.drop(name)
    needed: set[bytes] = set()
    kept: set[int] = set()
    for catalog in archive.catalogs():
        with open_snapshot(catalog) as tables:
            needed.update(blob.id for blob in tables.upkeep.blobs(0, -1))
            kept.update(tables.upkeep.bodies())
    ids = [bytes.fromhex(stored) for stored in archive.blobs.names() if not stored.startswith("./")]
    unneeded = [blob_id for blob_id in ids if blob_id not in needed]
    archive.blobs.remove(unneeded)
    return len(unneeded), archive.prune_bodies(kept)


def _record(tables: Tables, name: str, folder: str, begun: float) -> None:
    for known in tables.backups.all():
        if known.name == name and (known.finished is not None or known.folder != folder):
            raise ServiceError("InvalidRequest", f"There is a backup {name} in {known.folder}; forget it first.")
    tables.backups.set(BackupRow(name=name, folder=folder, begun=begun, finished=None, key_ids=_key_ids(tables)))


def _key_ids(tables: Tables) -> tuple[str, ...]:
    """The master keys that a copy of this catalog needs."""
    return tuple(sorted({*tables.upkeep.wrapping(), (tables.meta.get(STORE_KEY_ID) or b"").decode()}))


def _snapshot(stores: BareStores, archive: Archive, catalog: Path, done: _Copied) -> tuple[tuple[str, ...], str]:
    """Write the catalog and the new bodies; blocks. Returns the keys that they need, and the catalog's digest."""
    with archive.pack() as pack:

        def add(body: BodyRow) -> None:
            if is_intact(body):
                pack.body(body.manifest, body.sealed)
            else:
                _log.error("inline body damaged", manifest=body.manifest)
                done.damaged.append(f"body {body.manifest} changed")

        stores.catalog.snapshot(catalog, archive.covered, add)
        with open_snapshot(catalog) as tables:
            key_ids, last = _key_ids(tables), tables.upkeep.last_manifest()
            for blob in tables.upkeep.dead_in_use():
                _log.error("dead blob in use", blob=blob.id.hex())
                done.damaged.append(f"{blob.id.hex()} dead")
        pack.finish(last)
    return key_ids, digest_of(catalog)


def digest_of(path: Path) -> str:
    """The BLAKE3 of a file, in hexadecimal; blocks."""
    return str(blake3().update_mmap(path).hexdigest())


@dataclass(slots=True)
class _Copied:
    blobs: int = 0
    bytes: int = 0
    copied_blobs: int = 0
    copied_bytes: int = 0
    damaged: list[str] = field(default_factory=list)


async def _copy(stores: BareStores, archive: Archive, catalog: Path, done: _Copied, tell: Tell) -> None:
    """Copy what the snapshot refers to and the folder has not."""
    with open_snapshot(catalog) as tables:
        total = await stores.working(tables.upkeep.totals)
        after = 0
        while blobs := await stores.working(partial(tables.upkeep.blobs, after, BATCH)):
            after = blobs[-1].number
            for start in range(0, len(blobs), AT_ONCE):
                some = blobs[start : start + AT_ONCE]
                await asyncio.gather(*(_copy_one(stores, archive, blob, done) for blob in some))
                tell(Progress("backup", done.bytes, total.stored, "bytes"))
            await stores.working(partial(archive.blobs.settle, [blob.id for blob in blobs]))


async def _copy_one(stores: BareStores, archive: Archive, blob: BlobRow, done: _Copied) -> None:
    try:
        copied = await stores.working(partial(copy_blob, stores.blobs, archive.blobs, blob))
    except DamagedBlob as error:
        _log.error("blob damaged", blob=blob.id.hex(), reason=error.reason)
        done.damaged.append(f"{blob.id.hex()} {error.reason}")
        return
    done.blobs += 1
    done.bytes += blob.stored
    if copied:
        done.copied_blobs += 1
        done.copied_bytes += blob.stored
