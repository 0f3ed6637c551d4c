"""Parts of answers on transparent sites: stored, given, joined, and completed (RFC 9111 §3.3, §3.4).

The rule of this file: of each path one part is kept, beside the whole answer and under the same epochs. It grows by
parts of the same version that touch it, and when nothing is missing it becomes the whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import msgspec
from blake3 import blake3
from multidict import CIMultiDict, CIMultiDictProxy

from edge.cache.entry import AssetRecord, source_id, source_key
from edge.cache.files import BodyReader, BodyStore, Damaged, NoSpace
from edge.cache.records import RecordStore
from edge.cache.subjects import asset_key
from edge.keeper.fill import Assets
from edge.keeper.record import identified
from edge.policy.demand import Demand
from edge.policy.directives import Headers
from edge.policy.partial import Held, held, joined, rest_of, wanted
from edge.policy.sites import Site
from edge.upstream.http import UpstreamAnswer

_SELECTION = "\nin part"  # no selection of policy.vary begins so


class Completed(UpstreamAnswer):
    """An upstream's 206 that follows what is stored: together they are the answer to a request for all of it."""

    completes = True

    def __init__(self, before: BodyReader, rest: UpstreamAnswer, size: int) -> None:
        self._before = before
        self._rest = rest
        self._size = size
        self.status = 200
        kept = [(name, value) for name, value in rest.headers.items() if name.lower() not in _OF_A_PART]
        self.headers = CIMultiDictProxy(CIMultiDict([*kept, ("Content-Length", str(size))]))

    @property
    def length(self) -> int | None:
        """See UpstreamAnswer."""
        return self._size

    async def blocks(self) -> AsyncIterator[bytes]:
        """See UpstreamAnswer."""
        for block in self._before.blocks():
            yield block
        async for block in self._rest.blocks():
            yield block


_OF_A_PART = frozenset({"content-length", "content-range"})


class Partials:
    """The parts that a node has."""

    def __init__(self, assets: Assets, records: RecordStore, bodies: BodyStore) -> None:
        self._assets = assets
        self._records = records
        self._bodies = bodies
        self._joining: set[asyncio.Task[None]] = set()

    def key(self, site: Site, path: str) -> bytes:
        """The key of a path's part."""
        return asset_key(site, path, _SELECTION)

    def usable(self, site: Site, path: str, request: Headers, demand: Demand) -> AssetRecord | None:
        """The stored part that holds what a request wants."""
        if "range" not in request:
            return None
        record = self._assets.usable(site, self.key(site, path), demand)
        return record if record is not None and wanted(request, record.headers, record.last_modified) else None

    def begun(self, site: Site, path: str) -> tuple[AssetRecord, dict[str, str]] | None:
        """The stored part that begins at the first byte, and how to ask for the rest."""
        record = self._current(site, path)
        rest = None if record is None else rest_of(record.headers)
        return None if record is None or rest is None else (record, rest)

    def reader(self, site: Site, path: str) -> tuple[AssetRecord, BodyReader] | None:
        """The stored part, opened: it can be read to its end whatever takes its place."""
        record = self._current(site, path)
        opened = None if record is None or record.source is None else self._bodies.open(record.source)
        return None if record is None or opened is None else (record, opened)

    def _current(self, site: Site, path: str) -> AssetRecord | None:
        record = self._assets.stored(self.key(site, path))
        return record if record is not None and self._assets.current(site, record) else None

    def forget(self, site: Site, path: str) -> None:
        """The part is of a version that is no more."""
        self._records.discard_asset(self.key(site, path))

    def join(self, site: Site, old: tuple[AssetRecord, BodyReader] | None, new: AssetRecord) -> None:
        """Make one part of two where they are of one version and touch; nobody waits for that."""
        if old is None:
            return
        both = joined(old[0].headers, new.headers)
        opened = None if new.source is None or both is None else self._bodies.open(new.source)
        if both is None or opened is None:
            old[1].close()
            return
        task = asyncio.create_task(self._join(site, old, (new, opened), both))
        self._joining.add(task)
        task.add_done_callback(self._joining.discard)

    async def _join(
        self, site: Site, old: tuple[AssetRecord, BodyReader], new: tuple[AssetRecord, BodyReader], both: Held
    ) -> None:
        record, digest = new[0], blake3()
        with suppress(Damaged, NoSpace, OSError), old[1], new[1]:
            with self._bodies.create(both.part.length) as writer:
                for block in _together(old, new):
                    writer.write(block)
                    digest.update(block)
                    await asyncio.sleep(0)
                headers = {name: value for name, value in record.headers.items() if name not in _OF_A_PART}
                key, status = (asset_key(site, record.path), 200) if both.whole else (record.key, 206)
                if not both.whole:
                    headers["content-range"] = both.said
                record = msgspec.structs.replace(record, key=key, status=status, headers=headers)
                record = identified(record, source_id(None, key, digest.hexdigest()))
                if self._records.get_asset(new[0].key) != new[0]:  # something came in between
                    return
                record = msgspec.structs.replace(record, source=writer.commit(source_key(record.source_id)))
            self._records.put_asset(record)
            if both.whole:
                self._records.discard_asset(new[0].key)

    async def close(self) -> None:
        """Leave off joining."""
        for task in self._joining:
            task.cancel()
        await asyncio.gather(*self._joining, return_exceptions=True)


def _together(*parts: tuple[AssetRecord, BodyReader]) -> Iterator[bytes]:
    """The bytes of two parts that touch, from the first to the last, each once."""
    position: int | None = None
    for record, reader in sorted(parts, key=lambda part: _start(part[0])):
        has = held(record.headers)
        assert has is not None, "a part without a Content-Range"
        skipped = 0 if position is None else position - has.part.start
        if skipped < has.part.length:
            yield from reader.blocks(skipped)
            position = has.part.end + 1


def _start(record: AssetRecord) -> int:
    has = held(record.headers)
    return 0 if has is None else has.part.start
