"""What every noun's SQL shares: one connection, and values as columns hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import apsw
import orjson

from origin.catalog.rows import OwnerRow


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


def owner(row: tuple[Any, ...], at: int) -> OwnerRow:
    """The owner in three columns of a row: id, name, display.

    An owner is never removed while something is theirs, so the join always finds one.
    """
    return OwnerRow(row[at], row[at + 1], row[at + 2])
