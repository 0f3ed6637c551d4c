"""Purging. (Signatures; being filled in.)"""

from __future__ import annotations

from edge.cache.epochs import Epochs
from edge.cache.records import RecordStore
from edge.cache.subjects import Addressed
from edge.keeper.ledger import Ledger


class Purger:
    """When a coroutine below returns, the purge is in force everywhere and durable; bytes are gone soon after."""

    def __init__(self, epochs: Epochs, records: RecordStore, ledger: Ledger) -> None: ...
    async def purge_url(self, site: Addressed, raw_path: str) -> None: ...
    async def purge_site(self, site: Addressed) -> None: ...
    async def purge_all(self) -> None: ...
    async def run(self) -> None: ...     # the sweeper: a task of the keeper
