"""Single values, owners and access keys in SQLite."""

from __future__ import annotations

from typing import Any

import apsw

from origin.catalog.rows import KeyRow, OwnerRow
from origin.catalog.sqlite.sql import Table, owner, pack, unpack


class Meta(Table):
    """contract.Meta. Where changes are counted, the number is kept here and is a row's again with `count`."""

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__(connection)
        self._counted: int | None = None

    def get(self, name: str) -> bytes | None:
        value: bytes | None = self._value("SELECT value FROM meta WHERE name = ?", (name,))
        return value

    def set(self, name: str, value: bytes) -> None:
        self._run(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value)
        )

    def mutation(self) -> int:
        self._counted = self.mutations() + 1
        return self._counted

    def mutations(self) -> int:
        if self._counted is not None:
            return self._counted
        return int(self._value("SELECT value FROM counters WHERE name = 'mutation'"))

    def count(self) -> None:
        """Write the number of the last change down, if there was one since the last time.

        What was counted and then undone leaves a gap, which is no harm: numbers only ever grow.
        """
        if self._counted is not None:
            self._run("UPDATE counters SET value = ? WHERE name = 'mutation'", (self._counted,))
            self._counted = None


_KEYS = """
    SELECT k.access_key, k.secret, k.permissions, k.buckets, k.allow_delete, k.policy, k.created,
        o.id, o.name, o.display
    FROM keys k JOIN owners o ON o.id = k.owner
"""


def _key(row: tuple[Any, ...]) -> KeyRow:
    return KeyRow(
        access_key=row[0],
        secret=row[1],
        permissions=tuple(unpack(row[2])),
        buckets=None if row[3] is None else tuple(unpack(row[3])),
        allow_delete=tuple(unpack(row[4])),
        policy=row[5],
        created=row[6],
        owner=owner(row, 7),
    )


class Owners(Table):
    """contract.Owners."""

    def named(self, name: str) -> OwnerRow | None:
        row = self._one("SELECT id, name, display FROM owners WHERE name = ?", (name,))
        return owner(row, 0) if row else None

    def with_id(self, owner_id: str) -> OwnerRow | None:
        row = self._one("SELECT id, name, display FROM owners WHERE id = ?", (owner_id,))
        return owner(row, 0) if row else None

    def with_email(self, email: str) -> OwnerRow | None:
        row = self._one("SELECT id, name, display FROM owners WHERE email = ? AND email <> ''", (email,))
        return owner(row, 0) if row else None

    def add(self, owner: OwnerRow, now: float, email: str = "") -> None:
        self._run("INSERT INTO owners VALUES (?, ?, ?, ?, ?)", (owner.id, owner.name, owner.display, now, email))

    def all(self) -> list[OwnerRow]:
        return [owner(row, 0) for row in self._run("SELECT id, name, display FROM owners ORDER BY name")]

    def key(self, access_key: str) -> KeyRow | None:
        row = self._one(_KEYS + "WHERE k.access_key = ?", (access_key,))
        return _key(row) if row else None

    def add_key(self, key: KeyRow) -> None:
        self._run(
            "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                key.access_key,
                key.owner.id,
                key.secret,
                pack(key.permissions),
                None if key.buckets is None else pack(key.buckets),
                pack(key.allow_delete),
                key.policy,
                key.created,
            ),
        )

    def remove_key(self, access_key: str) -> bool:
        return self._value("DELETE FROM keys WHERE access_key = ? RETURNING 1", (access_key,)) is not None

    def keys(self) -> list[KeyRow]:
        return [_key(row) for row in self._run(_KEYS + "ORDER BY o.name, k.access_key")]
