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
from origin.catalog.contract import (
    CatalogBroken,
    CatalogBusy,
    CatalogError,
    CatalogFull,
    CatalogReadOnly,
    Tables,
)
from origin.catalog.rows import BucketRow
from origin.catalog.sqlite.schema import migrate
from origin.catalog.sqlite.snapshot import take
from origin.catalog.sqlite.tables import SqliteTables
from origin.catalog.turns import Loop, Promise
from origin.catalog.writer import Listener, Writer

T = TypeVar("T")

WRITER_CACHE_KIB = 32 * 1024
READER_CACHE_KIB = 4 * 1024
KNOWN_BUCKETS = 10_000
"""The most buckets remembered between commits."""
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


def _configure(connection: apsw.Connection) -> None:
    connection.set_busy_timeout(10_000)
    # A statement keeps its plan whatever its values are. Otherwise looking up a key makes its plan anew each time.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)


class _Engine:
    """writer.Engine."""

    def __init__(self, connection: apsw.Connection, known: KnownBuckets) -> None:
        self._connection = connection
        self._tables = SqliteTables(connection)
        self._known = known
        self._changes = 0
        self._events = 0

    @property
    def tables(self) -> Tables:
        return self._tables

    def begin(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def savepoint(self) -> None:
        self._events = self._tables.events.held
        self._connection.execute("SAVEPOINT request")

    def keep(self) -> None:
        self._connection.execute("RELEASE request")

    def undo(self) -> bool:
        self._tables.events.drop(self._events)
        self._tables.forget()
        # SQLite itself rolls back everything on a full disk or an I/O error (https://sqlite.org/lang_transaction.html).
        if not self._connection.in_transaction:
            return False
        self._connection.execute("ROLLBACK TO request; RELEASE request")
        return True

    def commit(self) -> None:
        self._tables.meta.count()
        try:
            self._connection.execute("COMMIT")
        except apsw.Error as error:
            if _harmless(error):
                raise
            raise CatalogBroken(f"a commit failed ({error}); nothing is written until a restart") from error
        if self._changes != self._tables.buckets.changes:
            self._changes = self._tables.buckets.changes
            self._known.forget()

    def rollback(self) -> None:
        # After a failed commit rolling back may fail as well; the writer has stopped then, and the log is replayed at
        # the next start.
        self._tables.events.drop(0)
        self._tables.forget()
        with suppress(apsw.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def translate(self, error: BaseException) -> BaseException:
        return _translated(self._connection, error) if isinstance(error, apsw.Error) else error

    def close(self) -> None:
        self._connection.close()


class KnownBuckets:
    """Buckets as of the last commit, for those who may ask without reading. Shared by threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, BucketRow] = {}
        self.generation = 0

    def get(self, name: str) -> BucketRow | None:
        """The bucket, if it is known."""
        return self._rows.get(name)

    def learn(self, row: BucketRow, generation: int) -> None:
        """Remember a bucket that was read after `generation` was looked at."""
        with self._lock:
            if generation == self.generation:
                if len(self._rows) >= KNOWN_BUCKETS:
                    self._rows.clear()
                self._rows[row.name] = row

    def forget(self) -> None:
        """A commit changed a bucket."""
        with self._lock:
            self.generation += 1
            self._rows.clear()


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
            _configure(connection)
            connection.pragma("journal_mode", "wal")
            connection.pragma("synchronous", "full" if sync else "off")
            connection.pragma("cache_size", -WRITER_CACHE_KIB)
            # What a savepoint may have to put back is kept in memory, not in a file.
            connection.pragma("temp_store", 2)
            connection.pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
            migrate(connection, time.time())
        except apsw.Error as error:
            raise CatalogError(f"{path}: {error}") from error
        self._known = KnownBuckets()
        self._writer = Writer(_Engine(connection, self._known))

    def write(self, function: Callable[[Tables], T]) -> Future[T]:
        return self._writer.submit(function)

    def lend(self, loop: Loop) -> None:
        self._writer.lend(loop)

    def write_brief(self, function: Callable[[Tables], T], promise: Promise[T]) -> None:
        self._writer.brief(function, promise)

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
            tables.forget()
            try:
                return function(tables)
            finally:
                connection.execute("ROLLBACK")
        except apsw.Error as error:
            raise _translated(connection, error) from error

    def known_bucket(self, name: str) -> BucketRow | None:
        return self._known.get(name)

    def bucket(self, name: str) -> BucketRow | None:
        row = self._known.get(name)
        if row is None:
            generation = self._known.generation
            row = self.read(lambda tables: tables.buckets.get(name))
            if row is not None:
                self._known.learn(row, generation)
        return row

    def _reader(self) -> tuple[apsw.Connection, SqliteTables]:
        """This thread's connection for reading."""
        reader: tuple[apsw.Connection, SqliteTables] | None = getattr(self._local, "reader", None)
        if reader is None:
            # Writable as a file, because a reader may have to make the log's index; query_only forbids writing rows.
            connection = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READWRITE)
            _configure(connection)
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
