"""The lifecycle sweep: finds what the buckets' rules remove or move, and has the service do it.

The rule of this file: it only looks. Snapshots are short, a window of versions each, so no log grows behind a sweep
of a large bucket; what is due goes to the service in batches, which asks again and keeps what is locked.

A day of the rules lasts `origin.lifecycle_day` seconds, so that tests can see one pass. Locks know nothing of it.
"""

from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice

import structlog

from origin.catalog.contract import Tables
from origin.catalog.rows import BucketRow
from origin.service.lifecycle import Due, Swept
from origin.service.model import ServiceError
from origin.service.rules import DAY, Past, Rules, class_due, is_due, rules_of, upload_is_due
from origin.service.service import Service

BATCH = 200
"""Removals of one transaction: it bounds how long writes wait for the sweep."""
WINDOW = 2000
"""Rows of one snapshot."""
SWEEPS = 24
"""Sweeps of a day: what fell due is gone an hour later."""
SHORTEST = 1.0
"""The least time between sweeps, in seconds, however short a day is."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the next window begins: behind a version of `key`, which makes the next of that key so long past."""

    key: bytes = b""
    below: int | None = None
    past: Past | None = None


async def sweep_once(service: Service) -> Swept:
    """Sweep every bucket that has rules. Raises ServiceError where a store fails; run it again later."""
    day, done = service.settings.origin.lifecycle_day, Swept()
    for bucket in await service.lifecycle.buckets():
        rules = rules_of(bucket)
        try:
            done.add(await _sweep_versions(service, bucket, rules, day))
            done.add(await _sweep_uploads(service, bucket, rules, day))
        except ServiceError as error:
            if error.code != "NoSuchBucket":
                raise
    return done


async def run(service: Service) -> None:
    """Sweep until cancelled."""
    period = max(SHORTEST, min(service.settings.origin.lifecycle_day, DAY) / SWEEPS)
    while True:
        try:
            done = await sweep_once(service)
            if done.removed or done.moved or done.aborted:
                _log.info(
                    "lifecycle swept", removed=done.removed, moved=done.moved, locked=done.locked, aborted=done.aborted
                )
        except ServiceError as error:
            _log.warning("lifecycle sweep failed", reason=str(error.__cause__ or error))
        await asyncio.sleep(period)


async def _sweep_versions(service: Service, bucket: BucketRow, rules: Rules, day: float) -> Swept:
    done = Swept()
    place: _Place | None = _Place()
    while place is not None:
        look = partial(_window, bucket=bucket, rules=rules, place=place, now=service.stores.clock(), day=day)
        due, place = await service.stores.read(look)
        for start in range(0, len(due), BATCH):
            done.add(await service.lifecycle.remove(bucket, due[start : start + BATCH], day))
    return done


def _window(
    tables: Tables, bucket: BucketRow, rules: Rules, place: _Place, now: float, day: float
) -> tuple[list[Due], _Place | None]:
    """What is due among the next versions, and where to go on; None at the end."""
    due: list[Due] = []
    past, seen = place.past, 0
    with closing(tables.versions.history(bucket.number, place.key, None, place.below)) as versions:
        for seen, version in enumerate(islice(versions, WINDOW), start=1):  # noqa: B007
            if version.latest:
                past = None
            if is_due(rules, version, past, now, day) or class_due(rules, version, past, now, day):
                due.append(Due(version, past))
            past = Past(since=version.created, newer=0 if past is None else past.newer + 1)
    if seen < WINDOW:
        return due, None
    return due, _Place(version.key, version.sequence, past)


async def _sweep_uploads(service: Service, bucket: BucketRow, rules: Rules, day: float) -> Swept:
    now = service.stores.clock()

    def due(tables: Tables) -> list[str]:
        with closing(tables.uploads.open(bucket.number, b"", None)) as uploads:
            return [upload.id for upload in uploads if upload_is_due(rules, upload, now, day)]

    ids, done = await service.stores.read(due), Swept()
    for start in range(0, len(ids), BATCH):
        done.add(await service.lifecycle.abort(bucket, ids[start : start + BATCH], day))
    return done
