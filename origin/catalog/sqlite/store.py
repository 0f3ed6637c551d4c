"""The catalog in one SQLite file, through apsw.

The rule of this file: how connections are opened and transactions begin and end. One connection writes, in the
writer's thread; every other thread reads through its own, which cannot write. WAL lets them run beside each other;
synchronous=FULL syncs the log at each commit (https://sqlite.org/pragma.html#pragma_synchronous: NORMAL may lose the
last commits at a power cut).
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import apsw

from origin.catalog.bodies import BodyRow
from origin.catalog.contract import CatalogBroken, CatalogBusy, CatalogError, CatalogFull, CatalogReadOnly, Tables
from origin.catalog.sqlite.schema import migrate
from origin.catalog.sqlite.snapshot import take
from origin.catalog.sqlite.tables import SqliteTables
from origin.catalog.writer import Listener, Writer

T = TypeVar("T")

WRITER_CACHE_KIB = 32 * 1024
READER_CACHE_KIB = 4 * 1024
CHECKPOINT_PAGES = 4000
"""Pages of the log between checkpoints (16 MB): a checkpoint costs two syncs, so it should serve many commits."""


def _failed_write(error: apsw.Error) -> bool:
    return getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_WRITE


def _harmless(error: apsw.Error) -> bool:
    """True where a failed commit wrote no more than a part of itself to the log.

    SQLite counts a commit only after all of it is written and synced; what a failed write left in the log is
    overwritten by the next commit. After a failed sync nobody knows.
    """
    kinds = (apsw.FullError, apsw.BusyError, apsw.ReadOnlyError, apsw.CantOpenError)
    return isinstance(error, kinds) or _failed_write(error)


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def _translated(connection: apsw.Connection | None, error: apsw.Error) -> CatalogError:
    number = 0 if connection is None else connection.system_errno
    match error:
        case apsw.FullError():
            return CatalogFull("no space for the catalog")
        case apsw.IOError() if _failed_write(error) and number in _FULL:
            return CatalogFull("no space for the catalog")
        case apsw.IOError() if _failed_write(error) and number == errno.EROFS:
            return CatalogReadOnly("the catalog's file system is read-only")
        case apsw.ReadOnlyError():
            return CatalogReadOnly("the catalog is read-only")
        case apsw.CantOpenError() | apsw.NoMemError() | apsw.BusyError():
            return CatalogBusy(str(error))
    return CatalogError(str(error))


class _Engine:
    """writer.Engine."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.tables: Tables = SqliteTables(connection)

    def begin(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def savepoint(self) -> None:
        self._connection.execute("SAVEPOINT request")

    def keep(self) -> None:
        self._connection.execute("RELEASE request")

    def undo(self) -> bool:
        # SQLite itself rolls back everything on a full disk or an I/O error (https://sqlite.org/lang_transaction.html).
        if not self._connection.in_transaction:
            return False
        self._connection.execute("ROLLBACK TO request; RELEASE request")
        return True

    def commit(self) -> None:
        try:
            self._connection.execute("COMMIT")
        except apsw.Error as error:
            if _harmless(error):
                raise
            raise CatalogBroken(f"a commit failed ({error}); nothing is written until a restart") from error

    def rollback(self) -> None:
        # After a failed commit rolling back may fail as well; the writer has stopped then, and the log is replayed at
        # the next start.
        with suppress(apsw.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def translate(self, error: BaseException) -> BaseException:
        return _translated(self._connection, error) if isinstance(error, apsw.Error) else error

    def close(self) -> None:
        self._connection.close()


class SqliteCatalog:
    """contract.Catalog. Opening it makes the file and brings its schema up to date.

    `sync` False is for measurements: a power cut may then lose or damage what was acknowledged.
    Raises UnknownSchema; CatalogError where the file cannot be opened or is no catalog.
    """

    def __init__(self, path: Path, *, sync: bool = True) -> None:
        self._path = path
        self._local = threading.local()
        self._readers: list[apsw.Connection] = []
        self._lock = threading.Lock()
        try:
            connection = apsw.Connection(str(path))
            connection.set_busy_timeout(10_000)
            connection.pragma("journal_mode", "wal")
            connection.pragma("synchronous", "full" if sync else "off")
            connection.pragma("cache_size", -WRITER_CACHE_KIB)
            connection.pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
            migrate(connection, time.time())
        except apsw.Error as error:
            raise CatalogError(f"{path}: {error}") from error
        self._writer = Writer(_Engine(connection))

    def write(self, function: Callable[[Tables], T]) -> Future[T]:
        return self._writer.submit(function)

    def snapshot(self, target: Path, after: int, body: Callable[[BodyRow], None]) -> None:
        try:
            take(self._path, target, after, body)
        except apsw.Error as error:
            raise _translated(None, error) from error

    def on_commit(self, listener: Listener) -> None:
        self._writer.on_commit(listener)

    def read(self, function: Callable[[Tables], T]) -> T:
        connection: apsw.Connection | None = None
        try:
            connection, tables = self._reader()
            connection.execute("BEGIN")
            try:
                return function(tables)
            finally:
                connection.execute("ROLLBACK")
        except apsw.Error as error:
            raise _translated(connection, error) from error

    def _reader(self) -> tuple[apsw.Connection, Tables]:
        """This thread's connection for reading."""
        reader: tuple[apsw.Connection, Tables] | None = getattr(self._local, "reader", None)
        if reader is None:
            # Writable as a file, because a reader may have to make the log's index; query_only forbids writing rows.
            connection = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READWRITE)
            connection.set_busy_timeout(10_000)
            connection.pragma("query_only", True)
            connection.pragma("cache_size", -READER_CACHE_KIB)
            reader = self._local.reader = (connection, SqliteTables(connection))
            with self._lock:
                self._readers.append(connection)
        return reader

    def close(self) -> None:
        self._writer.close()
        with self._lock:
            for connection in self._readers:
                connection.close()
            self._readers.clear()
