"""Moving blobs from one store to another while the service runs (`facet blobs move`).

The rules of this file: a blob is copied, its checksum compared, and durable in the new store before it leaves the old
one; what is left in the old store is what is left to do, so a move that was interrupted is resumed by running it again.
The collector waits while a batch moves: nothing is removed between a blob's row and its copy.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from blake3 import blake3

from origin.blobs.contract import BlobMissing, BlobUnreadable
from origin.blobs.moving import MovingBlobs
from origin.catalog.contract import Tables
from origin.catalog.rows import BlobRow
from origin.jobs.progress import Progress, Tell, silent
from origin.service.model import ServiceError
from origin.service.stores import BareStores

BATCH = 64
"""Blobs between two turns of the collector."""
TOGETHER = 8
"""Blobs that are copied at once."""
PIECE = 1024 * 1024


@dataclass(slots=True)
class Moved:
    """What a move did. `damaged` and missing blobs stay where they are, for `facet scrub` to report."""

    blobs: int = 0
    bytes: int = 0
    already: int = 0
    damaged: int = 0

    def document(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return asdict(self)


async def move(stores: BareStores, *, tell: Tell = silent) -> Moved:
    """Move every blob that the catalog knows to the new store. Raises ServiceError where no move is configured."""
    both = stores.blobs
    if not isinstance(both, MovingBlobs):
        raise ServiceError("InvalidRequest", "Nothing is to be moved: set blobs.move_from to the store to empty.")
    done, seen, number = Moved(), 0, 0
    total = (await stores.read(lambda tables: tables.upkeep.totals())).blobs
    while True:
        async with stores.collecting:
            blobs = await stores.read(partial(_after, number=number))
            if not blobs:
                return done
            await _batch(stores, both, blobs, done)
        number = blobs[-1].number
        seen += len(blobs)
        tell(Progress("move", seen, max(total, seen), "blobs"))


def _after(tables: Tables, number: int) -> list[BlobRow]:
    return tables.upkeep.blobs(number, BATCH)


async def _batch(stores: BareStores, both: MovingBlobs, blobs: list[BlobRow], done: Moved) -> None:
    turns = asyncio.Semaphore(TOGETHER)

    async def one(blob: BlobRow) -> bool:
        async with turns:
            return await stores.working(lambda: _copied(both, blob, done))

    copied = await asyncio.gather(*(one(blob) for blob in blobs))
    ids = [blob.id for blob, good in zip(blobs, copied, strict=True) if good]
    await stores.working(lambda: both.new.settle(ids))
    await stores.working(lambda: both.old.remove(ids))


def _copied(both: MovingBlobs, blob: BlobRow, done: Moved) -> bool:
    """Copy one blob; False where the old store has nothing of it to give up. Blocks. Raises BlobError."""
    if both.new.length(blob.id) == blob.stored:
        done.already += 1
        return both.old.length(blob.id) is not None
    writer = both.new.create(blob.id)
    try:
        checksum = blake3()
        reader = both.old.open(blob.id)
        try:
            for offset in range(0, blob.stored, PIECE):
                piece = reader.read(offset, PIECE)
                checksum.update(piece)
                writer.write(piece)
        finally:
            reader.close()
        if checksum.digest() != blob.checksum or both.old.length(blob.id) != blob.stored:
            done.damaged += 1
            return False
        writer.sync()
        writer.link()
    except (BlobMissing, BlobUnreadable):
        done.damaged += 1
        return False
    finally:
        writer.close()
    done.blobs += 1
    done.bytes += blob.stored
    return True
