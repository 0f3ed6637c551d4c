"""Looking into stored sources: what they are and whether they can be rendered.

The rule of this file: what is noted of a source comes from its bytes. That they are gone says nothing about them.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from conf.schema import Settings
from edge.cache.entry import AssetRecord, BodyRef
from edge.cache.files import BODY_OFFSET, BodyStore
from edge.cache.records import RecordStore
from edge.keeper.flights import Flight, Flights
from edge.keeper.selection import facts_of
from edge.keeper.trouble import SourceGone
from edge.policy.plan import AssetFacts, renderable
from edge.policy.reasons import Detail
from edge.render.colour import Profile
from edge.render.errors import RenderError
from edge.render.pool import RendererPool, SourceRef

Probe: TypeAlias = Flight[AssetRecord]


class Probes:
    """The probes under way on this node."""

    def __init__(self, settings: Settings, *, records: RecordStore, bodies: BodyStore, renderers: RendererPool) -> None:
        self._max_source = settings.edge.max_source
        self._records = records
        self._bodies = bodies
        self._renderers = renderers
        self._flights: Flights[tuple[bytes, str], Probe] = Flights()

    def join(self, record: AssetRecord) -> Probe:
        """The flight that notes in a record what its body is; it lands without that if no renderer had time.

        It raises SourceGone where the body was purged or evicted meanwhile.
        """
        flight, _ = self._flights.join((record.key, record.source_id), lambda: self._take_off(record))
        return flight

    async def close(self) -> None:
        """End every flight."""
        await self._flights.close()

    def _take_off(self, record: AssetRecord) -> Probe:
        flight: Probe = Flight()
        flight.take_off(self._examine(record))
        return flight

    async def _examine(self, record: AssetRecord) -> AssetRecord:
        assert record.source is not None, "only what is stored is examined"
        facts = facts_of(record)
        if renderable(facts.content_type):
            facts = await self._look(facts, record.source)
        if facts.problem is not Detail.QUEUE_FULL:
            record = msgspec.structs.replace(record, facts=msgspec.to_builtins(facts))
        self._records.put_asset(record)
        return record

    async def _look(self, facts: AssetFacts, source: BodyRef) -> AssetFacts:
        if source.length > self._max_source:
            return msgspec.structs.replace(facts, problem=Detail.TOO_LARGE)
        if not source.length:
            return msgspec.structs.replace(facts, problem=Detail.UNREADABLE)
        reader = self._bodies.open(source)
        if reader is None:
            raise SourceGone
        with reader:
            try:
                found = await self._renderers.probe(SourceRef(str(reader.path), BODY_OFFSET, source.length))
            except RenderError as error:
                if not reader.path.exists():
                    raise SourceGone from None
                return msgspec.structs.replace(facts, problem=error.reason)
        return msgspec.structs.replace(
            facts,
            format=found.format,
            width=found.width,
            height=found.height,
            pages=found.pages,
            has_alpha=found.has_alpha,
            orientation=found.orientation,
            has_profile=found.profile is not Profile.SRGB,
            palette=found.palette,
            interlaced=found.interlaced,
            gain_map=found.gain_map,
        )
