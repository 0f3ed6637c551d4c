"""Purging: in force at once, durable before it is acknowledged, and gone from the disk soon after.

The rule of this file: a purge is a bump of an epoch (edge/cache/epochs.py). A soft one makes what it names stale; a
hard one makes it gone, and sweeping then unlinks it: asset records whose epoch has passed, their sources, and *all*
renderings of those sources. Renderings of identical content are shared between URLs; that a moderator's deletion
leaves nothing behind is worth more than what another URL with the same content saves, which is made anew when next
asked for. A purged URL is swept before its purge returns, so a feed's cursor never passes what is still on the disk.
Everything wider is swept by `run()`, in steps (57 us of CPU for an asset and its rendering), and again from the start
after a crash.

A fill that runs while its asset is purged must not bring the old bytes back. It takes `epochs.current(subject)`
before it asks the upstream and stores that epoch in its record, which then is unusable; what such a fill has written
is `overtaken`, and swept once whoever waited for it has been told where it lies.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Collection

import structlog

from edge.cache import subjects
from edge.cache.entry import AssetRecord
from edge.cache.epochs import Epochs, is_gone
from edge.cache.records import RecordStore
from edge.cache.remote import RemoteTier
from edge.cache.subjects import Addressed
from edge.keeper.link import Order
from edge.keeper.metrics import Metrics

OVERTAKEN_FOR = 5.0
"""Seconds after which the bytes of a fill that a purge has overtaken are removed."""
_SLICE = 64  # records of one step of a sweep, between which the keeper does other work

_log = structlog.get_logger()


class Purger:
    """When one of these coroutines returns, the purge is in force in every process and durable.

    They raise OSError where it could not be made durable; it is in force all the same. `soft` makes stale what would
    else be gone. `records` drops bodies through its own on_drop.
    """

    def __init__(
        self,
        epochs: Epochs,
        records: RecordStore,
        metrics: Metrics | None = None,
        remote: RemoteTier | None = None,
    ) -> None:
        self._epochs = epochs
        self._records = records
        self._metrics = metrics or Metrics()
        self._remote = remote
        self._unswept: dict[bytes, None] = {}
        self._overtaken = 0
        self._wake = asyncio.Event()

    async def carry_out(self, site: Addressed, order: Order) -> None:
        """An order about a site."""
        if order.url is not None:
            await self.purge_url(site, order.url, soft=order.soft)
        elif order.prefix is not None:
            await self.purge_prefix(site, order.prefix, soft=order.soft)
        elif order.tags:
            await self.purge_groups(site, order.tags, soft=order.soft, by="request")
        else:
            await self.purge_site(site, soft=order.soft)

    async def purge_url(self, site: Addressed, raw_path: str, *, soft: bool = False) -> None:
        """One path within a site, with all variants and queries; and the same object on other sites."""
        path = subjects.purge_subject(site, raw_path).path
        self._metrics.purges.labels("url", "request").inc()
        await self._purge((path,), soft=soft)

    async def purge_prefix(self, site: Addressed, raw_path: str, *, soft: bool = False) -> None:
        """Everything whose path begins with `raw_path` up to its last "/"; and the same objects on other sites."""
        self._metrics.purges.labels("prefix", "request").inc()
        if raw_path == "/" and site.bucket is None and site.upstream is None:  # all buckets there are
            await self._purge_group(subjects.site_group(site), subjects.site_assets(site), soft)
            return
        prefix, group = subjects.prefix(site, raw_path), subjects.purge_subject(site, raw_path).group
        if prefix == group:
            await self._purge_group(group, group, soft)
            return
        self._epochs.bump_mark(prefix, soft=soft)
        await self._settle(prefix, soft)

    async def purge_site(self, site: Addressed, *, soft: bool = False) -> None:
        """Everything a site shows."""
        self._metrics.purges.labels("site", "request").inc()
        await self._purge_group(subjects.site_group(site), subjects.site_assets(site), soft)

    async def purge_groups(
        self, site: Addressed, names: Collection[str], *, soft: bool = False, by: str = "answer"
    ) -> None:
        """Everything of a site that has one of these tags or belongs to one of these cache groups (RFC 9875)."""
        self._metrics.purges.labels("tag", by).inc(len(names))
        for name in names:
            self._epochs.bump_mark(subjects.cache_group(site.name, name), soft=soft)
        await self._settle(subjects.site_assets(site), soft)

    async def purge_all(self, *, soft: bool = False) -> None:
        """Everything."""
        self._metrics.purges.labels("all", "request").inc()
        self._epochs.bump_all(soft=soft)
        await self._settle(b"", soft)

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

    async def revalidate_sites(self, sites: Collection[Addressed]) -> None:
        """As `revalidate_all`, of some sites alone."""
        for site in sites:
            self._epochs.bump_group(subjects.site_group(site))
        await self._sync()

    def stands(self, record: AssetRecord) -> bool:
        """Whether the record has not been purged, but softly, since its epoch was taken."""
        subject = subjects.subject_of(record.key, record.site, record.groups)
        return not is_gone(record.epoch, self._epochs.current(subject))

    def overtaken(self, record: AssetRecord) -> None:
        """A fill has stored what was purged meanwhile: it is swept a little later, or after the next start."""
        self._epochs.unswept = True
        self._overtaken += 1
        path = subjects.subject_of(record.key, record.site).path + b"\0"
        asyncio.get_running_loop().call_later(OVERTAKEN_FOR, self._sweep_overtaken, path)

    def _sweep_overtaken(self, path: bytes) -> None:
        self._overtaken -= 1
        self._sweep_soon(path)

    async def _purge(self, paths: Collection[bytes], groups: Collection[bytes] = (), *, soft: bool = False) -> None:
        for path in paths:
            self._epochs.bump_path(path, soft=soft)
        for group in groups:
            self._epochs.bump_group(group, soft=soft)
            if not soft:
                self._sweep_soon(group)
        await self._sync()
        if not soft:
            for path in paths:
                await self._sweep(path + b"\0")

    async def _purge_group(self, group: bytes, assets: bytes, soft: bool) -> None:
        self._epochs.bump_group(group, soft=soft)
        await self._settle(assets, soft)

    async def _settle(self, assets: bytes, soft: bool) -> None:
        """Make a bump durable; what it has made unreachable among `assets` will be swept."""
        if not soft:
            self._sweep_soon(assets)
        await self._sync()

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
            self._epochs.unswept = self._overtaken > 0

    async def _sweep(self, prefix: bytes) -> None:
        """Remove the assets that are gone and whose keys start with `prefix`."""
        swept = 0
        records = self._records.assets(prefix)
        while step := tuple(itertools.islice(records, _SLICE)):
            gone = [record for record in step if not self.stands(record)]
            if gone:
                self._remove(gone)
                swept += len(gone)
            await asyncio.sleep(0)
        if swept:
            _log.info("purge.swept", assets=swept)

    def _remove(self, gone: Collection[AssetRecord]) -> None:
        with self._records.together():
            for record in gone:
                if self._remote is not None:
                    for made in self._records.representations(record.source_id):
                        self._remote.drop(made.body.key)
                self._records.discard(record)
