"""Filling the slices of large sources: one flight for each, whoever waits for it.

The rule of this file: a slice is stored only while the record that it belongs to is the current one, and only if its
upstream says that it is of that very version. Anything else purges the record, here and in the memory of every server
process, so that the next request begins anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, TypeAlias

from edge.cache.entry import AssetRecord, BodyRef, slice_key
from edge.cache.files import BODY_OFFSET, BodyStore, NoSpace, WrongLength
from edge.cache.slices import Slices
from edge.keeper.fill import Assets
from edge.keeper.flights import Flights, StreamFlight
from edge.keeper.metrics import Metrics
from edge.keeper.purge import Purger
from edge.keeper.trouble import NoRoom, SourceGone
from edge.keeper.upstreams import Upstreams
from edge.policy.reasons import Detail
from edge.policy.sites import Site
from edge.policy.slicing import is_slice
from edge.upstream.http import UpstreamFailed
from wire.fields import combine


class Growth(NamedTuple):
    """A slice that has begun to arrive, and the file that grows."""

    path: Path
    offset: int
    length: int


SliceFlight: TypeAlias = StreamFlight[Growth, BodyRef]


class SliceFlights:
    """The slices of a node that are under way."""

    def __init__(
        self, *, assets: Assets, upstreams: Upstreams, bodies: BodyStore, purger: Purger, metrics: Metrics
    ) -> None:
        self._assets = assets
        self._purger = purger
        self._upstreams = upstreams
        self._bodies = bodies
        self._metrics = metrics
        self._flights: Flights[tuple[str, int], SliceFlight] = Flights()

    def stored(self, source_id: str, number: int) -> BodyRef | None:
        """A slice that is on the disk."""
        reader = self._bodies.find(slice_key(source_id, number))
        if reader is None:
            return None
        reader.close()
        return reader.ref

    def join(self, site: Site, key: bytes, source_id: str, number: int) -> SliceFlight:
        """The flight of one slice of the source that an asset has. Raises SourceGone where that is another by now."""
        record = self._assets.stored(key)
        if record is None or record.slices is None or record.source_id != source_id or number >= len(record.slices):
            raise SourceGone
        if not self._assets.current(site, record):
            raise SourceGone
        asset, cut = record, record.slices
        flight, _ = self._flights.join((source_id, number), lambda: self._take_off(site, asset, cut, number))
        return flight

    async def close(self) -> None:
        """End every flight."""
        await self._flights.close()

    def _take_off(self, site: Site, record: AssetRecord, cut: Slices, number: int) -> SliceFlight:
        flight: SliceFlight = StreamFlight()
        flight.take_off(self._fly(flight, site, record, cut, number))
        return flight

    async def _fly(self, flight: SliceFlight, site: Site, record: AssetRecord, cut: Slices, number: int) -> BodyRef:
        start, stop = cut.span(number)
        asked = {"range": f"bytes={start}-{stop - 1}", "if-match": record.upstream_etag or ""}
        try:
            async with self._upstreams.ask(site, record.path, asked) as answer:
                headers = combine(answer.headers.items())
                etag = record.upstream_etag
                if not is_slice(answer.status, headers, etag=etag, start=start, stop=stop, length=cut.length):
                    await self._purger.purge_url(site, record.path)
                    raise SourceGone
                with self._bodies.create(stop - start) as writer:
                    flight.announce(Growth(writer.path, BODY_OFFSET, stop - start))
                    async for block in answer.blocks():
                        writer.write(block)
                        flight.grew(writer.written)
                    if not self._assets.current(site, record):  # purged meanwhile: nothing of it stays
                        raise SourceGone
                    body = writer.commit(slice_key(record.source_id, number))
        except WrongLength as error:
            raise UpstreamFailed(Detail.UPSTREAM_TRUNCATED, f"the upstream sent {error}") from None
        except (NoSpace, OSError) as error:
            self._metrics.refusals.inc()
            await self._purger.purge_url(site, record.path)  # asked for anew it is relayed
            raise NoRoom(f"a slice could not be stored: {error}") from None
        self._metrics.fills.labels(site.name, "slice").inc()
        self._metrics.fill_bytes.labels(site.name).inc(body.length)
        return body
