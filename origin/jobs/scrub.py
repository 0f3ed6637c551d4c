"""The scrub: reads every blob's stored bytes and compares them with their checksum, at a pace.

The rules of this file: no key is needed, so a scrub runs where the master key is not. What is found bad is flagged in
the catalog: nothing joins it any more, and the next upload of the same bytes heals it. What is found good loses its
flag. Every blob has the time of its last verification. How far a scrub is, is noted together with what it found, so one
that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog

from origin.catalog.contract import Tables
from origin.catalog.rows import BlobRow
from origin.jobs.pace import Pace
from origin.jobs.progress import Progress, Tell, silent
from origin.jobs.stored import DamagedBlob, stored_bytes
from origin.service.model import ServiceError
from origin.service.stores import BareStores

BATCH = 64
"""Blobs looked up at once."""
NAMED = 1000
"""The most damaged objects that a report names."""
IDLE = 60.0
"""How long the background scrub rests when nothing is due, in seconds."""
_AT = "scrub at"
"""The last blob that an unfinished scrub has looked at; empty where the last one was finished."""

_log = structlog.get_logger()


@dataclass(slots=True)
class Scrubbed:
    """What a scrub did. `damaged` has (blob id, reason), `objects` (bucket, key, version id)."""

    blobs: int = 0
    bytes: int = 0
    damaged: list[tuple[str, str]] = field(default_factory=list)
    flagged: int = 0
    """Blobs that are flagged now, those of earlier scrubs included."""
    objects: list[tuple[str, str, str]] = field(default_factory=list)
    resumed: bool = False

    @property
    def clean(self) -> bool:
        """True where no blob is known to be bad."""
        return not self.damaged and not self.flagged

    def document(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {
            "clean": self.clean,
            "resumed": self.resumed,
            "blobs": self.blobs,
            "bytes": self.bytes,
            "damaged": [{"blob": blob, "reason": reason} for blob, reason in self.damaged],
            "flagged": self.flagged,
            "objects": named(self.objects),
        }


def named(objects: list[tuple[str, str, str]]) -> list[dict[str, str]]:
    """Objects as reports have them."""
    return [{"bucket": bucket, "key": key, "version": version or "null"} for bucket, key, version in objects]


async def scrub(stores: BareStores, *, rate: int, restart: bool = False, tell: Tell = silent) -> Scrubbed:
    """Verify every blob there is, at `rate` bytes a second (0: as fast as it goes).

    One that was interrupted is resumed, unless `restart`. Raises ServiceError where a store fails.
    """
    at, last = await stores.write(partial(_begin, restart=restart))
    done = Scrubbed(resumed=at > 0)
    total = (await stores.read(lambda tables: tables.upkeep.totals(at))).stored
    pace = Pace(rate)
    while blobs := await stores.read(partial(_next, after=at, last=last)):
        for blob in blobs:
            at = blob.number
            await _verify(stores, blob, pace, done, at)
            tell(Progress("scrub", done.bytes, max(total, done.bytes), "bytes"))
    await stores.write(lambda tables: tables.meta.set(_AT, b""))
    done.flagged, done.objects = await stores.read(flagged_objects)
    return done


def _begin(tables: Tables, restart: bool) -> tuple[int, int]:
    """The blob to go on after, 0 for a new scrub, and the last one to look at."""
    return 0 if restart else int(tables.meta.get(_AT) or 0), tables.upkeep.last_blob()


def _next(tables: Tables, after: int, last: int) -> list[BlobRow]:
    return [blob for blob in tables.upkeep.blobs(after, BATCH) if blob.number <= last]


def flagged_objects(tables: Tables) -> tuple[int, list[tuple[str, str, str]]]:
    """How many blobs are flagged, and the objects whose bytes lie in them."""
    flagged = tables.upkeep.flagged()
    found = tables.upkeep.damaged(NAMED) if flagged else []
    return flagged, [(one.bucket, one.key.decode(), one.version_id) for one in found]


async def _verify(stores: BareStores, blob: BlobRow, pace: Pace, done: Scrubbed, at: int | None = None) -> None:
    """Look at one blob and note what was found; `at` is how far the scrub is then."""
    reason: str | None = None
    try:
        async for piece in stored_bytes(stores, blob):
            done.bytes += len(piece)
            await pace.passed(len(piece))
    except DamagedBlob as error:
        reason = error.reason
    now = stores.clock()

    def note(tables: Tables) -> bool:
        if at is not None:
            tables.meta.set(_AT, str(at).encode())
        return tables.upkeep.verified(blob.number, blob.id, now, good=reason is None)

    # A blob that was removed or healed meanwhile has no such row any more, and says nothing.
    noted = await stores.write(note)
    done.blobs += 1
    if reason is not None and noted:
        done.damaged.append((blob.id.hex(), reason))
        _log.error("blob damaged", blob=blob.id.hex(), reason=reason)


async def run(stores: BareStores, *, rate: int, every: float) -> None:
    """Until cancelled, verify each blob again `every` seconds after the last time, at `rate` bytes a second."""
    pace = Pace(rate)
    while rate:
        done = Scrubbed()
        try:
            for blob in await stores.read(partial(_due, before=stores.clock() - every)):
                await _verify(stores, blob, pace, done)
        except ServiceError as error:
            _log.warning("scrub failed", reason=str(error.__cause__ or error))
            done = Scrubbed()
        if not done.blobs:
            await asyncio.sleep(IDLE)


def _due(tables: Tables, before: float) -> list[BlobRow]:
    return tables.upkeep.due(before, BATCH)
