"""The scrub: reads the stored bytes of every blob and inline body and compares them with their checksum, at a pace.

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
from origin.jobs.stored import DamagedBlob, is_intact, stored_bytes
from origin.service.model import ServiceError
from origin.service.stores import BareStores

BATCH = 64
"""Blobs looked up at once."""
NAMED = 1000
"""The most damaged objects that a report names."""
IDLE = 60.0
"""How long the background scrub rests when nothing is due, in seconds."""
BODIES = 16
"""Inline bodies looked at together: up to 1 MiB each, 16 KiB as a rule."""
_AT = "scrub at"
"""The last blob that an unfinished scrub has looked at; empty where the last one was finished."""
_BODY_AT = "scrub bodies at"
"""The same of the bodies, which come after the blobs."""
_ROUND_AT, _ROUND_BEGAN = "body round at", "body round began"
"""The background scrub looks at bodies in rounds: how far it is (empty: done), and when it began."""

_log = structlog.get_logger()


@dataclass(slots=True)
class Scrubbed:
    """What a scrub did. `damaged` has (blob id, reason), `objects` (bucket, key, version id)."""

    blobs: int = 0
    bodies: int = 0
    """Inline bodies, which are in the catalog."""
    bytes: int = 0
    damaged: list[tuple[str, str]] = field(default_factory=list)
    damaged_bodies: list[int] = field(default_factory=list)
    """The manifests of bodies that are not what was stored."""
    flagged: int = 0
    """Blobs and bodies that are flagged now, those of earlier scrubs included."""
    objects: list[tuple[str, str, str]] = field(default_factory=list)
    resumed: bool = False

    @property
    def clean(self) -> bool:
        """True where nothing is known to be bad."""
        return not self.damaged and not self.damaged_bodies and not self.flagged

    def document(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {
            "clean": self.clean,
            "resumed": self.resumed,
            "blobs": self.blobs,
            "bodies": self.bodies,
            "bytes": self.bytes,
            "damaged": [{"blob": blob, "reason": reason} for blob, reason in self.damaged],
            "damaged_bodies": self.damaged_bodies,
            "flagged": self.flagged,
            "objects": named(self.objects),
        }


def named(objects: list[tuple[str, str, str]]) -> list[dict[str, str]]:
    """Objects as reports have them."""
    return [{"bucket": bucket, "key": key, "version": version or "null"} for bucket, key, version in objects]


async def scrub(stores: BareStores, *, rate: int, restart: bool = False, tell: Tell = silent) -> Scrubbed:
    """Verify every blob and body there is, at `rate` bytes a second (0: as fast as it goes).

    One that was interrupted is resumed, unless `restart`. Raises ServiceError where a store fails.
    """
    at, last, body_at = await stores.write(partial(_begin, restart=restart))
    done = Scrubbed(resumed=at > 0 or body_at > 0)
    total = (await stores.read(lambda tables: tables.upkeep.totals(at))).stored
    pace = Pace(rate)
    while blobs := await stores.read(partial(_next, after=at, last=last)):
        for blob in blobs:
            at = blob.number
            await _verify(stores, blob, pace, done, at)
            tell(Progress("scrub", done.bytes, max(total, done.bytes), "bytes"))
    bodies = await stores.read(lambda tables: tables.bodies.totals(body_at))
    while checked := await _verify_bodies(stores, body_at, _BODY_AT, pace, done):
        body_at = checked
        tell(Progress("scrub small bodies", done.bodies, max(bodies, done.bodies), "bodies"))
    await stores.write(_finish)
    done.flagged, done.objects = await stores.read(flagged_objects)
    return done


def _begin(tables: Tables, restart: bool) -> tuple[int, int, int]:
    """The blob to go on after, 0 for a new scrub, the last one to look at, and the body to go on after."""
    if restart:
        _finish(tables)
    return int(tables.meta.get(_AT) or 0), tables.upkeep.last_blob(), int(tables.meta.get(_BODY_AT) or 0)


def _finish(tables: Tables) -> None:
    for name in (_AT, _BODY_AT):
        tables.meta.set(name, b"")


def _next(tables: Tables, after: int, last: int) -> list[BlobRow]:
    return [blob for blob in tables.upkeep.blobs(after, BATCH) if blob.number <= last]


def flagged_objects(tables: Tables) -> tuple[int, list[tuple[str, str, str]]]:
    """How many blobs and bodies are flagged, and the objects whose bytes lie in them."""
    flagged = tables.upkeep.flagged() + tables.bodies.flagged()
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


async def _verify_bodies(stores: BareStores, after: int, cursor: str, pace: Pace, done: Scrubbed) -> int:
    """Look at the next bodies and note in `cursor` how far that is; 0 where there were none."""
    bodies = await stores.read(lambda tables: tables.bodies.after(after, BODIES))
    if not bodies:
        return 0
    looked = await stores.working(lambda: [(body, is_intact(body)) for body in bodies])

    def note(tables: Tables) -> list[int]:
        tables.meta.set(cursor, str(bodies[-1].manifest).encode())
        # Most are well and known to be so: nothing is written for those.
        news = [(body, good) for body, good in looked if good == body.flagged]
        noted = {b.manifest for b, good in news if tables.bodies.verified(b.manifest, b.checksum, good=good)}
        known = {body.manifest for body, good in looked if not good and body.flagged}
        return [body.manifest for body, good in looked if not good and body.manifest in noted | known]

    bad = await stores.write(note)
    done.bodies += len(bodies)
    done.bytes += sum(len(body.sealed) for body in bodies)
    done.damaged_bodies += bad
    for manifest in bad:
        _log.error("inline body damaged", manifest=manifest, reason="changed")
    await pace.passed(sum(len(body.sealed) for body in bodies))
    return bodies[-1].manifest


async def _round(stores: BareStores, every: float, pace: Pace, done: Scrubbed) -> None:
    """The next bodies of a round; a new one begins `every` seconds after the last one did."""

    def begin(tables: Tables) -> int | None:
        at, began = tables.meta.get(_ROUND_AT) or b"", float(tables.meta.get(_ROUND_BEGAN) or 0)
        if at:
            return int(at)
        if began > stores.clock() - every:
            return None
        tables.meta.set(_ROUND_BEGAN, str(stores.clock()).encode())
        return 0

    after = await stores.write(begin)
    if after is not None and not await _verify_bodies(stores, after, _ROUND_AT, pace, done):
        await stores.write(lambda tables: tables.meta.set(_ROUND_AT, b""))


async def run(stores: BareStores, *, rate: int, every: float) -> None:
    """Until cancelled, verify everything again `every` seconds after the last time, at `rate` bytes a second."""
    pace = Pace(rate)
    while rate:
        done = Scrubbed()
        try:
            for blob in await stores.read(partial(_due, before=stores.clock() - every)):
                await _verify(stores, blob, pace, done)
            await _round(stores, every, pace, done)
        except ServiceError as error:
            _log.warning("scrub failed", reason=str(error.__cause__ or error))
            done = Scrubbed()
        if not done.blobs and not done.bodies:
            await asyncio.sleep(IDLE)


def _due(tables: Tables, before: float) -> list[BlobRow]:
    return tables.upkeep.due(before, BATCH)
