"""The check (`facet fsck`): catalog against itself, and catalog against files.

The rules of this file: looking changes nothing. Repairing sets counts to what the rows say, revives dead blobs that are
referred to, flags blobs whose file is missing or has the wrong length, and puts files that no row explains into
quarantine: it unlinks nothing. It may run beside writers and the collector, so whatever looks wrong is looked at once
more, after the row.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

from origin.catalog.contract import Tables
from origin.catalog.rows import BlobRow, BlobState
from origin.catalog.upkeep import Recount
from origin.jobs.progress import Progress, Tell, silent
from origin.jobs.scrub import flagged_objects, named
from origin.jobs.stored import length_reason
from origin.service.stores import BareStores

BATCH = 500
"""Files or rows looked at between two hops to a thread."""


@dataclass(slots=True)
class Checked:
    """What a check found. `repaired` is True where it also repaired."""

    blobs: int = 0
    files: int = 0
    repaired: bool = False
    catalog: list[str] = field(default_factory=list)
    """What the engine says of its own file."""
    counts: Recount = field(default_factory=Recount)
    missing: list[str] = field(default_factory=list)
    wrong_length: list[str] = field(default_factory=list)
    orphaned: list[str] = field(default_factory=list)
    """Files named as blobs that no row explains."""
    foreign: list[str] = field(default_factory=list)
    """Files that are no blob's at all."""
    flagged: int = 0
    objects: list[tuple[str, str, str]] = field(default_factory=list)
    """Objects whose bytes lie in flagged blobs: (bucket, key, version id)."""

    @property
    def lost(self) -> bool:
        """True where something is wrong that no repair brings back; only a copy from elsewhere does."""
        counts = self.counts
        broken = counts.lost_manifests or counts.lost_blobs or counts.broken_manifests
        return bool(broken or self.catalog or self.missing or self.wrong_length or self.flagged)

    @property
    def clean(self) -> bool:
        """True where nothing was found."""
        return not self.lost and self.counts.exact and not self.orphaned and not self.foreign

    def document(self) -> dict[str, Any]:
        """The report as JSON has it."""
        counts = self.counts
        return {
            "clean": self.clean,
            "lost": self.lost,
            "repaired": self.repaired,
            "blobs": self.blobs,
            "files": self.files,
            "catalog": self.catalog,
            "wrong_counts": {
                "manifests": len(counts.manifests),
                "blobs": len(counts.blobs),
                "usage": len(counts.usage),
            },
            "dead_blobs": counts.dead_blobs,
            "loose_rows": counts.loose,
            "lost_rows": {
                "manifests": counts.lost_manifests,
                "blobs": counts.lost_blobs,
                "broken_manifests": counts.broken_manifests,
            },
            "missing": self.missing,
            "wrong_length": self.wrong_length,
            "orphaned": self.orphaned,
            "foreign": self.foreign,
            "flagged": self.flagged,
            "objects": named(self.objects),
        }


async def check(stores: BareStores, *, repair: bool = False, tell: Tell = silent) -> Checked:
    """Check, and repair where asked. Raises ServiceError where a store fails."""
    found = Checked(repaired=repair)
    tell(Progress("counting references", 0, 0, "blobs"))
    found.catalog = await stores.read(lambda tables: tables.upkeep.complaints())
    found.counts = await stores.read(lambda tables: tables.upkeep.recount())
    if repair and not found.counts.exact:
        # The collector waits: it may be about to remove the file of a dead blob.
        async with stores.collecting:
            await stores.write(partial(_correct, now=stores.clock()))
    # Files before rows: a file is known before it has a name and until it has none, so a row that is missing after
    # its file was seen is missing.
    await _files(stores, found, tell)
    await _blobs(stores, found, tell)
    found.flagged, found.objects = await stores.read(flagged_objects)
    return found


def _correct(tables: Tables, now: float) -> None:
    """Counted again in the transaction that corrects: writers have gone on since."""
    for number in tables.upkeep.recount().dead_blobs:
        tables.upkeep.revive(number)
    tables.upkeep.tidy()
    tables.upkeep.correct(tables.upkeep.recount(), now, tables.meta.mutation())


async def _files(stores: BareStores, found: Checked, tell: Tell) -> None:
    total = (await stores.read(lambda tables: tables.upkeep.totals())).blobs
    names = stores.blobs.names()
    while batch := await stores.working(lambda: list(islice(names, BATCH))):
        found.files += len(batch)
        ids = [bytes.fromhex(name) for name in batch if not name.startswith("./")]
        known = await stores.read(partial(_known, ids=ids))
        unknown = [blob_id for blob_id in ids if blob_id not in known]
        there = await stores.working(partial(_there, stores, unknown))
        found.orphaned += there
        foreign = [name for name in batch if name.startswith("./")]
        found.foreign += [name.removeprefix("./") for name in foreign]
        if found.repaired:
            for name in (*there, *foreign):
                await stores.working(partial(stores.blobs.quarantine, name))
        tell(Progress("files", found.files, max(total, found.files), "files"))


def _known(tables: Tables, ids: list[bytes]) -> frozenset[bytes]:
    return tables.upkeep.known(ids)


def _there(stores: BareStores, ids: list[bytes]) -> list[str]:
    """The names of those that still have a file: the collector may have removed some, and then their rows."""
    return [blob_id.hex() for blob_id in ids if stores.blobs.length(blob_id) is not None]


async def _blobs(stores: BareStores, found: Checked, tell: Tell) -> None:
    total = (await stores.read(lambda tables: tables.upkeep.totals())).blobs
    after = 0
    while batch := await stores.read(partial(_after, number=after)):
        after = batch[-1].number
        found.blobs += len(batch)
        for blob, reason in await stores.working(partial(_wrong, stores, batch)):
            again = await stores.read(partial(_blob, number=blob.number))
            if again is None or again.id != blob.id or again.state is BlobState.DEAD:
                continue
            (found.missing if reason == "missing" else found.wrong_length).append(blob.id.hex())
            if found.repaired:
                await stores.write(partial(_flag, blob=blob))
        tell(Progress("blobs", found.blobs, max(total, found.blobs), "blobs"))


def _after(tables: Tables, number: int) -> list[BlobRow]:
    return tables.upkeep.blobs(number, BATCH)


def _blob(tables: Tables, number: int) -> BlobRow | None:
    return tables.upkeep.blob(number)


def _wrong(stores: BareStores, blobs: list[BlobRow]) -> list[tuple[BlobRow, str]]:
    looked = [(blob, length_reason(stores, blob)) for blob in blobs]
    return [(blob, reason) for blob, reason in looked if reason is not None]


def _flag(tables: Tables, blob: BlobRow) -> None:
    tables.blobs.flag(blob.number, blob.id)
