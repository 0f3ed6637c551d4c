"""What the parts of the keeper share: the stores, the flights and the rules."""

from __future__ import annotations

from dataclasses import dataclass

from conf.schema import Settings
from edge.cache.entry import BodyRef, ChoiceRecord, Representation
from edge.cache.files import BodyStore
from edge.cache.records import RecordStore
from edge.keeper.clients import MissLimits
from edge.keeper.fill import Assets
from edge.keeper.later import Later
from edge.keeper.ledger import Ledger
from edge.keeper.metrics import Metrics
from edge.keeper.passing import Passing
from edge.keeper.probes import Probes
from edge.keeper.purge import Purger
from edge.keeper.renderings import Renderings
from edge.keeper.slices import SliceFlights
from edge.policy.sites import Sites


@dataclass(frozen=True, slots=True)
class Rooms:
    """One node's."""

    settings: Settings
    sites: Sites
    records: RecordStore
    bodies: BodyStore
    ledger: Ledger
    assets: Assets
    slices: SliceFlights
    passing: Passing
    probes: Probes
    renderings: Renderings
    later: Later
    purger: Purger
    metrics: Metrics
    misses: MissLimits


class Present:
    """The records whose bodies are there, too: what can be answered with, and need not be made."""

    def __init__(self, records: RecordStore, bodies: BodyStore) -> None:
        self._records = records
        self._bodies = bodies

    def has(self, body: BodyRef) -> bool:
        """Whether a body is on the disk."""
        reader = self._bodies.open(body)
        if reader is None:
            return False
        reader.close()
        return True

    def get_representation(self, source_id: str, plan: str) -> Representation | None:
        """See edge.keeper.selection.Records."""
        found = self._records.get_representation(source_id, plan)
        return found if found is not None and self.has(found.body) else None

    def get_choice(self, source_id: str, wanted: str, accept: str) -> ChoiceRecord | None:
        """See edge.keeper.selection.Records."""
        return self._records.get_choice(source_id, wanted, accept)
