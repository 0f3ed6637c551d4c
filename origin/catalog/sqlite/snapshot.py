"""Snapshots of the catalog: a catalog file of its own, without the inline bodies, which come beside it.

The rule of this file: a snapshot is one transaction of the running catalog, however long it takes, and is closed and
synced before anybody is told. Bodies are left out because most of them are in an older backup already: a body changes
only where it is healed, and the number of its manifest is never used again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from origin.catalog.bodies import BodyRow
from origin.catalog.contract import CatalogError, Tables
from origin.catalog.sqlite.bodies import bodies_since, checksum
from origin.catalog.sqlite.tables import SqliteTables

_PUT = "UPDATE manifests SET inline = ?1 WHERE number = ?2 AND inline = x''"
_PUT_KNOWN = f"{_PUT} AND (SELECT checksum FROM bodies WHERE manifest = ?2) = ?3"  # noqa: S608  (constants)
_FLAG = "UPDATE bodies SET flagged = (SELECT inline = x'' FROM manifests WHERE number = manifest)"
_CREATE = re.compile(r"(CREATE (?:TABLE|UNIQUE INDEX|INDEX|TRIGGER) )")


def take(source: Path, target: Path, after: int, body: Callable[[BodyRow], None]) -> None:
    """Copy the catalog `source` to the new file `target`; see contract.Catalog.snapshot. Raises apsw.Error."""
    connection = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
    try:
        connection.set_busy_timeout(10_000)
        connection.execute("ATTACH ? AS copy", (str(target),))
        # Nobody else sees the file until it is whole, so it needs no journal; the commit syncs it.
        connection.execute("PRAGMA copy.journal_mode = off; PRAGMA copy.synchronous = full")
        with connection:
            _copy(connection)
            for one in bodies_since(connection, after):
                body(one)
    finally:
        connection.close()


def _copy(connection: apsw.Connection) -> None:
    schema = connection.execute(
        "SELECT type, name, sql FROM main.sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
    )
    made = [(str(kind), str(name), str(sql)) for kind, name, sql in schema.fetchall()]
    for kind, name, sql in made:
        if kind == "table":
            connection.execute(_CREATE.sub(r"\1copy.", sql, count=1))
            columns = [row[1] for row in connection.execute(f"PRAGMA main.table_info({name})")]
            values = ", ".join(
                "iif(inline IS NULL, NULL, x'')" if (name, column) == ("manifests", "inline") else f'"{column}"'
                for column in columns
            )
            connection.execute(f"INSERT INTO copy.{name} SELECT {values} FROM main.{name}")  # noqa: S608
    connection.execute(
        "DELETE FROM copy.sqlite_sequence; INSERT INTO copy.sqlite_sequence SELECT * FROM main.sqlite_sequence"
    )
    # Indexes are built faster over rows that are there, and triggers must not count what was counted.
    for kind, _, sql in made:
        if kind != "table":
            connection.execute(_CREATE.sub(r"\1copy.", sql, count=1))
    version = connection.execute("PRAGMA main.user_version").fetchall()[0][0]
    connection.execute(f"PRAGMA copy.user_version = {version}")


@contextmanager
def open_snapshot(path: Path) -> Iterator[Tables]:
    """The tables of a snapshot's file, to be read. Raises CatalogError."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            yield SqliteTables(connection)
        finally:
            connection.close()
    except apsw.Error as error:
        raise CatalogError(f"{path}: {error}") from error


def fill(path: Path, bodies: Iterable[tuple[int, bytes]], log: bytes) -> int:
    """Make a snapshot's file a catalog again: put bodies back and give the feed's log a new name.

    Bodies of manifests that are not there, or that are not what the snapshot had, are left out. Those that are still
    missing are flagged; returns how many. Raises CatalogError.
    """
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            with connection:
                known = bool(connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'bodies'").fetchall())
                put = _PUT_KNOWN if known else _PUT
                for number, inline in bodies:
                    values = (inline, number, checksum(inline)) if known else (inline, number)
                    connection.execute(put, values)
                if known:
                    connection.execute(_FLAG)
                connection.execute("UPDATE meta SET value = ? WHERE name = 'log'", (log,))
            missing = connection.execute("SELECT count(*) FROM manifests WHERE inline = x''").fetchall()
            return int(str(missing[0][0]))
        finally:
            connection.close()
    except apsw.Error as error:
        raise CatalogError(f"{path}: {error}") from error
