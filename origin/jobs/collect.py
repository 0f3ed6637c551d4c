"""The collector: removes bytes nobody refers to, and rows nobody needs.

The rule of this file: bytes are unlinked only by ids that the catalog holds as dead or abandoned, after that was
committed, and their rows go only after the files. A crash at any point leaves what the next round finds again.

A manifest without references is doomed; once it is older than the grace and than every read in progress, its segments
are released in batches. A blob without references is doomed in turn with the same age, dead in a commit of its own,
unlinked, forgotten. Deduplication brings doomed blobs back to life and never touches dead ones.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial

import structlog

from origin.catalog.contract import Tables
from origin.catalog.rows import BlobRow, ManifestRow, UploadRow, UploadState
from origin.jobs.progress import Progress, Tell, silent
from origin.service.model import ServiceError
from origin.service.stores import BareStores

BATCH = 200
"""Rows of one transaction: it bounds how long writes wait for the collector."""
PERIOD = 60.0
"""Seconds between rounds."""
EVENTS_AGE = 7 * 24 * 3600.0
EVENTS_KEPT = 100_000
"""Events of the feed are kept for a week, and never fewer than these."""

_log = structlog.get_logger()


@dataclass(slots=True)
class Collected:
    """What one round did."""

    uploads: int = 0
    manifests: int = 0
    blobs: int = 0
    abandoned: int = 0
    refused: int = 0
    """Files that the store did not remove; the next round tries again."""


async def collect_once(stores: BareStores, now: float, *, tell: Tell = silent) -> Collected:
    """One round, as of `now` (seconds since 1970), after the round that may be running.

    Raises ServiceError where a store fails; run it again later.
    """
    done = Collected()
    before = now - stores.settings.origin.grace
    async with stores.collecting:
        await _finished_uploads(stores, before, now, done)
        await _doomed_manifests(stores, before, done, tell)
        await _doomed_blobs(stores, before)
        await _dead_blobs(stores, done, tell)
        await _abandoned(stores, done)
        await stores.write(lambda tables: tables.events.trim(now - EVENTS_AGE, EVENTS_KEPT))
    return done


async def run(stores: BareStores, period: float = PERIOD) -> None:
    """Collect until cancelled."""
    while True:
        try:
            done = await collect_once(stores, stores.clock())
            if done != Collected():
                _log.info("collected", blobs=done.blobs, manifests=done.manifests, abandoned=done.abandoned)
            if done.refused:
                _log.warning("files not removed", files=done.refused)
        except ServiceError as error:
            _log.warning("collection failed", reason=str(error.__cause__ or error))
        await asyncio.sleep(period)


async def _finished_uploads(stores: BareStores, before: float, now: float, done: Collected) -> None:
    """Release the parts of ended uploads, but those that the object's manifest took over."""
    for upload in await stores.read(lambda tables: tables.uploads.finished(before, BATCH)):
        taken = await stores.read(partial(_taken, upload=upload))
        while await stores.write(partial(_release_parts, upload=upload, taken=taken, now=now)):
            pass
        done.uploads += 1


def _taken(tables: Tables, upload: UploadRow) -> frozenset[int]:
    """The parts' manifests that became the object's."""
    if upload.state is not UploadState.COMPLETED or upload.manifest is None:
        return frozenset()
    manifest = tables.manifests.get(upload.manifest)
    assert manifest is not None, "a completed upload holds a reference to its manifest"
    return frozenset(number for number, _ in manifest.parts)


def _release_parts(tables: Tables, upload: UploadRow, taken: frozenset[int], now: float) -> bool:
    """One batch; False where it was the last and the upload is forgotten."""
    parts = tables.uploads.take_parts(upload.id, BATCH)
    mutation = tables.meta.mutation()
    for manifest in parts:
        if manifest not in taken:
            tables.manifests.release(manifest, now, mutation)
    if len(parts) == BATCH:
        return True
    if upload.manifest is not None:
        tables.manifests.release(upload.manifest, now, mutation)
    tables.uploads.remove(upload.id)
    return False


async def _doomed_manifests(stores: BareStores, before: float, done: Collected, tell: Tell) -> None:
    """Until none is left: a multipart object's manifest dooms those of its parts."""
    while True:
        oldest = stores.reads.oldest()
        manifests = await stores.read(partial(_manifests, before=before, oldest=oldest))
        for manifest in manifests:
            while await stores.write(partial(_release_segments, doomed=manifest)):
                pass
            done.manifests += 1
            tell(Progress("releasing", done.manifests, 0, "manifests"))
        if not manifests:
            return


def _release_segments(tables: Tables, doomed: ManifestRow) -> bool:
    """One batch of one manifest; False where nothing of it is left.

    What it refers to inherits its age: whoever could see the manifest is gone, so nobody sees that either.
    """
    manifest = tables.manifests.get(doomed.number)
    if manifest is None or manifest.doomed_in is None or manifest.doomed_at is None:
        return False
    blobs = tables.manifests.take_segments(manifest.number, BATCH)
    for blob in blobs:
        tables.blobs.release(blob, manifest.doomed_at, manifest.doomed_in)
    if len(blobs) == BATCH:
        return True
    parts = tables.manifests.take_parts(manifest.number, BATCH)
    for number in parts:
        tables.manifests.release(number, manifest.doomed_at, manifest.doomed_in)
    if len(parts) == BATCH:
        return True
    tables.manifests.remove(manifest.number)
    return False


async def _doomed_blobs(stores: BareStores, before: float) -> None:
    """Make them dead."""
    while True:
        oldest = stores.reads.oldest()
        if await stores.write(partial(_kill, before=before, oldest=oldest)) < BATCH:
            return


async def _dead_blobs(stores: BareStores, done: Collected, tell: Tell) -> None:
    """Files, then rows; a file that cannot be removed keeps its row and keeps no other."""
    after = 0
    while dead := await stores.read(partial(_dead, after=after)):
        after = dead[-1].number
        gone = set(await stores.working(partial(stores.blobs.remove, [blob.id for blob in dead])))
        await stores.write(partial(_forget, dead=[blob for blob in dead if blob.id in gone]))
        done.blobs += len(gone)
        done.refused += len(dead) - len(gone)
        tell(Progress("removing", done.blobs, 0, "blobs"))


def _manifests(tables: Tables, before: float, oldest: int) -> list[ManifestRow]:
    return tables.manifests.doomed(before, oldest, BATCH)


def _kill(tables: Tables, before: float, oldest: int) -> int:
    """Make one batch dead, found in the transaction itself: a write may have brought some back to life until then."""
    doomed = tables.blobs.doomed(before, oldest, BATCH)
    for blob in doomed:
        tables.blobs.kill(blob.number)
    return len(doomed)


def _dead(tables: Tables, after: int) -> list[BlobRow]:
    return tables.blobs.dead(after, BATCH)


def _pending(tables: Tables, epoch: int, after: bytes) -> list[bytes]:
    return tables.blobs.abandoned(epoch, after, BATCH)


def _drop_pending(tables: Tables, ids: list[bytes]) -> None:
    tables.blobs.drop_pending(ids)


def _forget(tables: Tables, dead: list[BlobRow]) -> None:
    for blob in dead:
        tables.blobs.remove(blob.number)


async def _abandoned(stores: BareStores, done: Collected) -> None:
    """Ids that were pending when their process ended, or that their request gave up."""
    after = b""
    while ids := await stores.read(partial(_pending, epoch=stores.epoch, after=after)):
        after = ids[-1]
        gone = await stores.working(partial(stores.blobs.remove, ids))
        await stores.write(partial(_drop_pending, ids=gone))
        done.abandoned += len(gone)
        done.refused += len(ids) - len(gone)
