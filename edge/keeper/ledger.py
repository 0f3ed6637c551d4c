"""The byte ledger of the disk tier. (Signatures; being filled in. Implements edge.cache.files.Space.)"""

from __future__ import annotations

from pathlib import Path

from edge.cache.files import Reservation


class Ledger:
    """`Ledger.open(folder, limit, floor)` scans, then: store = BodyStore(folder, ledger)."""

    @classmethod
    def open(cls, folder: Path, *, limit: int, floor: int) -> Ledger: ...
    def reserve(self, total: int) -> Reservation: ...
    def touch(self, key: str) -> None: ...      # a hit: call it for the keeper's own reads and for `Used`
    def discard(self, key: str) -> None: ...    # unlink and forget
    @property
    def used(self) -> int: ...
    def close(self) -> None: ...
