"""Inline bodies and their checksums in SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apsw
from blake3 import blake3

from origin.catalog.bodies import BodyRow
from origin.catalog.sqlite.sql import Table

_COLUMNS = "SELECT m.number, m.size, m.seal_id, m.inline, b.checksum, ifnull(b.flagged, 0)"
_BODIES = f"{_COLUMNS} FROM manifests m LEFT JOIN bodies b ON b.manifest = m.number "
# From the index of the flagged ones, which is empty as a rule.
_BAD = f"""{_COLUMNS} FROM bodies b INDEXED BY bodies_flagged CROSS JOIN manifests m ON m.number = b.manifest
    WHERE b.flagged = 1 AND m.identity = ?"""


def checksum(sealed: bytes) -> bytes:
    """What is kept of a sealed body: 14 KB take 4 µs."""
    return bytes(blake3(sealed).digest())


def _body(row: tuple[Any, ...]) -> BodyRow:
    return BodyRow(manifest=row[0], size=row[1], seal_id=row[2], sealed=row[3], checksum=row[4], flagged=bool(row[5]))


def bodies_since(connection: apsw.Connection, number: int) -> Iterator[BodyRow]:
    """The bodies of manifests numbered over `number`, then the healed ones of the others."""
    for which in ("m.number > ?1", "b.healed = 1 AND m.number <= ?1"):
        for row in connection.execute(f"{_BODIES} WHERE m.inline IS NOT NULL AND {which} ORDER BY m.number", (number,)):
            yield _body(row)


class Bodies(Table):
    """bodies.Bodies. Every write of a small body asks for bad ones, so it is remembered that there never were any."""

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__(connection)
        self._clean: bool | None = None

    def after(self, number: int, limit: int) -> list[BodyRow]:
        rows = self._run(
            _BODIES + "WHERE m.inline IS NOT NULL AND m.number > ? ORDER BY m.number LIMIT ?", (number, limit)
        )
        return [_body(row) for row in rows]

    def totals(self, after: int = 0) -> int:
        return int(self._value("SELECT count(*) FROM bodies WHERE manifest > ?", (after,)))

    def flag(self, number: int) -> None:
        self._clean = False
        self._run(
            "INSERT INTO bodies (manifest, checksum, flagged) SELECT number, x'', 1 FROM manifests WHERE number = ?"
            " ON CONFLICT DO UPDATE SET flagged = 1",
            (number,),
        )

    def verified(self, number: int, checksum: bytes | None, *, good: bool) -> bool:
        if checksum is None:
            self.flag(number)
            return self._value("SELECT 1 FROM bodies WHERE manifest = ?", (number,)) is not None
        self._clean = self._clean and good
        noted = self._value(
            "UPDATE bodies SET flagged = ? WHERE manifest = ? AND checksum = ? RETURNING 1",
            (int(not good), number, checksum),
        )
        return noted is not None

    def flagged(self) -> int:
        return int(self._value("SELECT count(*) FROM bodies WHERE flagged = 1"))

    def bad(self, identity: bytes) -> list[BodyRow]:
        if self._clean is None:
            self._clean = self.flagged() == 0
        return [] if self._clean else [_body(row) for row in self._run(_BAD, (identity,))]

    def heal(self, number: int, sealed: bytes) -> None:
        self._run("UPDATE manifests SET inline = ? WHERE number = ?", (sealed, number))
        self._run(
            "UPDATE bodies SET checksum = ?, flagged = 0, healed = 1 WHERE manifest = ?", (checksum(sealed), number)
        )
