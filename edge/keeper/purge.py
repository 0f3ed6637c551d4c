"""Purging: in force at once, durable before it is acknowledged, and gone from the disk soon after.

The rule of this file: a purge is a bump of an epoch (edge/cache/epochs.py); sweeping then unlinks what the bump made
unreachable: asset records whose epoch has passed, their sources, and *all* renderings of those sources. Renderings
of identical content are shared between URLs; that a moderator's deletion leaves nothing behind is worth more than
what another URL with the same content saves, which is made anew when next asked for. A purged URL is swept before
its purge returns, so a feed's cursor never passes what is still on the disk. Sites, buckets and everything are swept
by `run()`, in steps (a million records take about half a minute), and again from the start after a crash.

A fill that runs while its asset is purged must not bring the old bytes back. It takes `epochs.current(subject)`
before it asks the upstream, stores that epoch in its record, and asks `usable(record)` right before it stores
anything: everything here runs on the keeper's event loop, so no purge comes between the question and the storing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import structlog

from edge.cache import subjects
from edge.cache.entry import AssetRecord
from edge.cache.epochs import Epochs
from edge.cache.records import RecordStore
from edge.cache.subjects import Addressed
from edge.keeper.metrics import Metrics

_SLICE = 64  # records of one step of a sweep, between which the keeper does other work

_log = structlog.get_logger()


class Purger:
    """When one of these coroutines returns, the purge is in force in every process and durable.

    They raise OSError where it could not be made durable; it is in force all the same. `records` drops bodies
    through its own on_drop.
    """

    def __init__(self, epochs: Epochs, records: RecordStore, metrics: Metrics | None = None) -> None:
        self._epochs = epochs
        self._records = records
        self._metrics = metrics or Metrics()
        self._unswept: dict[bytes, None] = {}
        self._wake = asyncio.Event()

    async def purge_url(self, site: Addressed, raw_path: str) -> None:
        """One path within a site, with all variants and queries; and the same object on other sites."""
        path = subjects.purge_subject(site, raw_path).path
        self._metrics.purges.labels("url", "request").inc()
        await self._purge(paths=(path,))

    async def purge_site(self, site: Addressed) -> None:
        """Everything a site shows."""
        self._metrics.purges.labels("site", "request").inc()
        self._epochs.bump_group(subjects.site_group(site))
        self._sweep_soon(subjects.site_assets(site))
        await self._sync()

    async def purge_groups(self, site: Addressed, names: Collection[str]) -> None:
        """Everything of a site that belongs to one of these cache groups (RFC 9875)."""
        self._metrics.purges.labels("group", "answer").inc(len(names))
        for name in names:
            self._epochs.bump_group(subjects.cache_group(site.name, name))
        self._sweep_soon(subjects.site_assets(site))
        await self._sync()

    async def purge_all(self) -> None:
        """Everything."""
        self._metrics.purges.labels("all", "request").inc()
        self._epochs.bump_all()
        self._sweep_soon(b"")
        await self._sync()

    async def purge_changed(self, paths: Collection[bytes], groups: Collection[bytes]) -> None:
        """What the feed says has changed: subjects.bucket_path() and subjects.bucket_group() values."""
        self._metrics.purges.labels("url", "feed").inc(len(paths))
        self._metrics.purges.labels("bucket", "feed").inc(len(groups))
        await self._purge(paths, groups)

    async def revalidate_all(self) -> None:
        """Nothing is used before its upstream has been asked; bodies stay, for what has not changed."""
        self._metrics.purges.labels("all", "feed").inc()
        self._epochs.bump_all()
        await self._sync()

    def usable(self, record: AssetRecord) -> bool:
        """Whether the record has not been purged since its epoch was taken."""
        return self._epochs.current(subjects.subject_of(record.key, record.site, record.groups)) == record.epoch

    async def _purge(self, paths: Collection[bytes], groups: Collection[bytes] = ()) -> None:
        for path in paths:
            self._epochs.bump_path(path)
        for group in groups:
            self._epochs.bump_group(group)
            self._sweep_soon(group)
        await self._sync()
        for path in paths:
            await self._sweep(path + b"\0")

    async def _sync(self) -> None:
        await asyncio.to_thread(self._epochs.sync)

    def _sweep_soon(self, prefix: bytes) -> None:
        self._epochs.unswept = True
        self._unswept[prefix] = None
        self._wake.set()

    async def run(self) -> None:
        """The sweeper, a task of the keeper; ends only when cancelled."""
        if self._epochs.unswept:
            self._sweep_soon(b"")
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._unswept:
                prefix = next(iter(self._unswept))
                del self._unswept[prefix]
                await self._sweep(prefix)
            self._epochs.unswept = False

    async def _sweep(self, prefix: bytes) -> None:
        """Remove the unusable assets whose keys start with `prefix`."""
        swept = 0
        for number, record in enumerate(self._records.assets(prefix), start=1):
            if not self.usable(record):
                self._records.discard_asset(record.key)
                swept += 1
            if number % _SLICE == 0:
                await asyncio.sleep(0)
        if swept:
            _log.info("purge.swept", assets=swept)
