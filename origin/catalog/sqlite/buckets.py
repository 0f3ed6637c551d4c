"""Buckets and the feed's events in SQLite."""

from __future__ import annotations

from typing import Any

import apsw

from origin.catalog.rows import BucketRow, EventRow
from origin.catalog.sqlite.sql import Table, owner, unpack

_BUCKETS = """
    SELECT b.number, b.name, b.created, b.acl, b.region, b.settings, b.versioning, o.id, o.name, o.display
    FROM buckets b JOIN owners o ON o.id = b.owner
"""


def _bucket(row: tuple[Any, ...]) -> BucketRow:
    return BucketRow(
        number=row[0],
        name=row[1],
        created=row[2],
        acl=row[3],
        region=row[4],
        settings=unpack(row[5]),
        versioning=row[6],
        owner=owner(row, 7),
    )


class Buckets(Table):
    """contract.Buckets. What `get` found is remembered until `forget`, which is for each end of a snapshot."""

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__(connection)
        self._found: dict[str, BucketRow] = {}
        self.changes = 0
        """How often a bucket was changed through this connection."""

    def get(self, name: str) -> BucketRow | None:
        known = self._found.get(name)
        if known is None:
            row = self._one(_BUCKETS + "WHERE b.name = ?", (name,))
            if row is None:
                return None
            known = self._found[name] = _bucket(row)
        return known

    def forget(self) -> None:
        """Read every bucket anew."""
        self._found.clear()

    def _change(self, sql: str, values: tuple[Any, ...]) -> None:
        self.changes += 1
        self._found.clear()
        self._run(sql, values)

    def add(self, *, name: str, owner: str, created: float, acl: str, region: str) -> None:
        self._change(
            "INSERT INTO buckets (name, owner, created, acl, region) VALUES (?, ?, ?, ?, ?)",
            (name, owner, created, acl, region),
        )

    def set_acl(self, number: int, acl: str) -> None:
        self._change("UPDATE buckets SET acl = ? WHERE number = ?", (acl, number))

    def set_versioning(self, number: int, state: str) -> None:
        self._change("UPDATE buckets SET versioning = ? WHERE number = ?", (state, number))

    def with_setting(self, name: str) -> list[BucketRow]:
        rows = self._run(_BUCKETS + "WHERE json_extract(b.settings, ?) IS NOT NULL ORDER BY b.number", (f'$."{name}"',))
        return [_bucket(row) for row in rows]

    def set_setting(self, number: int, name: str, document: str | None) -> None:
        # A merge patch (RFC 7396) takes a null as "remove".
        self._change(
            "UPDATE buckets SET settings = json_patch(settings, json_object(?, ?)) WHERE number = ?",
            (name, document, number),
        )

    def owned(self, owner: str, prefix: str, after: str, limit: int) -> list[BucketRow]:
        # Bucket names are ASCII, so "{" after "z" ends every prefix and SQLite's order is the order of bytes.
        rows = self._run(
            _BUCKETS + "WHERE b.owner = ? AND b.name >= ? AND b.name < ? AND b.name > ? ORDER BY b.name LIMIT ?",
            (owner, prefix, prefix + "{", after, limit),
        )
        return [_bucket(row) for row in rows]

    def holds_versions(self, number: int) -> bool:
        return self._value("SELECT 1 FROM versions WHERE bucket = ? LIMIT 1", (number,)) is not None

    def remove(self, number: int) -> None:
        self._change("DELETE FROM buckets WHERE number = ?", (number,))


class Events(Table):
    """contract.Events. Events are held until they are numbered, and become rows of the same transaction then."""

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__(connection)
        self._held: list[tuple[float, str, str, bytes | None, str | None, int, bytes | None]] = []

    def add(
        self,
        kind: str,
        bucket: str,
        key: bytes | None,
        version: str | None,
        counter: int,
        time: float,
        notice: bytes | None = None,
    ) -> None:
        self._held.append((time, kind, bucket, key, version, counter, notice))

    @property
    def held(self) -> int:
        """How many events are held."""
        return len(self._held)

    def drop(self, beyond: int) -> None:
        """Forget all but the first `beyond` of those that are held."""
        del self._held[beyond:]

    def number(self) -> int:
        newest = self.newest()
        if self._held:
            rows = [(newest + place, *event) for place, event in enumerate(self._held, start=1)]
            self._held.clear()
            self._connection.executemany(
                "INSERT INTO events (position, time, kind, bucket, key, version, counter, notice)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
            newest += len(rows)
            self._run("UPDATE counters SET value = ? WHERE name = 'position'", (newest,))
        return newest

    def newest(self) -> int:
        return int(self._value("SELECT value FROM counters WHERE name = 'position'"))

    def floor(self) -> int:
        return int(self._value("SELECT value FROM counters WHERE name = 'floor'"))

    def after(self, position: int, limit: int) -> list[EventRow]:
        return self._rows("position > ?", position, limit)

    def noticed(self, position: int, limit: int) -> list[EventRow]:
        return self._rows("position > ? AND notice IS NOT NULL", position, limit)

    def _rows(self, condition: str, position: int, limit: int) -> list[EventRow]:
        rows = self._run(
            "SELECT position, time, kind, bucket, key, version, counter, notice FROM events"  # noqa: S608
            f" WHERE {condition} ORDER BY position LIMIT ?",
            (position, limit),
        )
        return [
            EventRow(
                position=row[0], time=row[1], kind=row[2], bucket=row[3], key=row[4], version=row[5], counter=row[6],
                notice=row[7],
            )
            for row in rows
        ]  # fmt: skip

    def trim(self, before: float, keep: int) -> None:
        last = self.newest() - keep
        floor = self._value("SELECT max(position) FROM events WHERE position <= ? AND time < ?", (last, before))
        if floor is not None:
            self._run("DELETE FROM events WHERE position <= ?", (floor,))
            self._run("UPDATE counters SET value = ? WHERE name = 'floor'", (floor,))
