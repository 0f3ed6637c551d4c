"""What every noun's SQL shares: one connection, and values as columns hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import apsw
import orjson

from origin.catalog.rows import Lock, OwnerRow


class Table:
    """A noun's rows through one connection."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def _run(self, sql: str, values: tuple[Any, ...] = ()) -> Any:
        """The statement's cursor; the columns' types are the schema's, which mypy cannot see."""
        return self._connection.execute(sql, values)

    def _one(self, sql: str, values: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._connection.execute(sql, values).fetchone()
        return row

    def _value(self, sql: str, values: tuple[Any, ...] = ()) -> Any:
        row = self._one(sql, values)
        return None if row is None else row[0]


def pack(value: Mapping[str, str] | tuple[Any, ...]) -> str:
    """A small structure as a column holds it: JSON."""
    return orjson.dumps(value if isinstance(value, tuple) else dict(value)).decode()


def unpack(text: str) -> Any:
    """What `pack` made."""
    return orjson.loads(text)


# A legal hold that was never set is 0, so that the column's default means it.
_HOLDS: tuple[bool | None, ...] = (None, True, False)


def lock(row: tuple[Any, ...], at: int) -> Lock:
    """The lock in three columns of a row: mode, until, legal hold."""
    return Lock(mode=row[at], until=row[at + 1], hold=_HOLDS[row[at + 2]])


def lock_columns(lock: Lock) -> tuple[str | None, float | None, int]:
    """A lock as three columns hold it."""
    return lock.mode, lock.until, _HOLDS.index(lock.hold)


def owner(row: tuple[Any, ...], at: int) -> OwnerRow:
    """The owner in three columns of a row: id, name, display.

    An owner is never removed while something is theirs, so the join always finds one.
    """
    return OwnerRow(row[at], row[at + 1], row[at + 2])
