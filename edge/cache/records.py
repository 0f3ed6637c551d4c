"""Records on disk: asset, representation and choice records in diskcache, without its pickle.

The rule of this file: keys and values are bytes, and nothing is ever pickled or unpickled. diskcache unpickles
what it finds in its database (CVE-2025-69872: whoever can write the file runs code in the reader); `_PlainDisk`
refuses that in both directions. Values are checked again by entry.decode().

One process writes (the keeper, from one thread), any number read at the same time: SQLite's WAL lets them. A get
never writes: diskcache's eviction by last *storing* needs no mark on reading. It is not left to evict by itself,
since the bodies of dropped records must go too: `_trim` does. Nothing is synced: kill −9 loses nothing, and after
a power cut a database that does not open, or a record that fails its checksum, is a miss.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import diskcache
import structlog

from edge.cache.entry import AssetRecord, ChoiceRecord, Record, Representation, VaryRecord, decode, encode

LEAST_LIMIT = 256 * 1024
"""An empty database with its indexes, and some: a smaller limit could hold nothing."""

_CHECKPOINT_PAGES = 64  # the log beside the database stays near 256 KiB instead of SQLite's usual 4 MiB
_TRIMMED = 64  # records dropped for one that was put above the limit
_VARIES = 4  # different Vary fields of one path whose answers are still found
_BATCH = 256  # rows of one step of a walk
_MODE_RAW = 1  # diskcache.core.MODE_RAW: the value itself is in the row

_log = structlog.get_logger()


class _Refused(ValueError):
    """A key or value that is not bytes, or a row that is not ours."""


class _PlainDisk(diskcache.Disk):  # type: ignore[misc]
    """diskcache's serialisation reduced to bytes in rows."""

    def put(self, key: Any) -> Any:
        if type(key) is not bytes:
            raise _Refused("keys are bytes")
        return sqlite3.Binary(key), True

    def get(self, key: Any, raw: Any) -> bytes:
        if not raw or not isinstance(key, bytes | memoryview):
            raise _Refused("a key that is not bytes")
        return bytes(key)

    def store(self, value: Any, read: bool, key: Any = None) -> tuple[int, int, None, Any]:  # noqa: ARG002
        if type(value) is not bytes or read:
            raise _Refused("values are bytes")
        return 0, _MODE_RAW, None, sqlite3.Binary(value)

    def fetch(self, mode: int, filename: Any, value: Any, read: bool) -> bytes:  # noqa: ARG002
        if mode != _MODE_RAW or filename is not None or not isinstance(value, bytes | memoryview):
            raise _Refused("a value that is not bytes")
        return bytes(value)


def _asset_row(key: bytes) -> bytes:
    return b"a" + key


def _vary_row(key: bytes) -> bytes:
    return b"v" + key


def _source_rows(kind: bytes, source_id: str) -> bytes:
    return kind + source_id.encode() + b"\0"


def _representation_row(source_id: str, plan: str) -> bytes:
    return _source_rows(b"r", source_id) + plan.encode()


def _choice_row(source_id: str, wanted: str, accept: str) -> bytes:
    return _source_rows(b"c", source_id) + wanted.encode() + b"\0" + accept.encode()


class RecordStore:
    """The records of a node: writable in the keeper, read-only by agreement in server processes.

    `limit` bounds the database, in bytes; the oldest stored records go first. `on_drop` is called with the key of
    each body that no record names any more, because its record was replaced, discarded or dropped.
    """

    def __init__(
        self,
        folder: Path,
        limit: int,
        *,
        writable: bool = False,
        on_drop: Callable[[str], None] | None = None,
    ) -> None:
        self._folder = folder
        self._limit = max(limit, LEAST_LIMIT)
        self._writable = writable
        self._on_drop = on_drop
        self._cache: Any = None
        self._inode = 0
        self._open()

    # Opening

    def _open(self) -> None:
        """Open the database; a damaged one is started anew by the keeper, and empty for others until it has."""
        try:
            self._connect()
        except OSError:
            raise
        except Exception as error:  # whatever a damaged table of settings makes of diskcache's constructor
            self._cache = None
            if self._writable:
                self._start_anew(error)

    def _connect(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._cache = diskcache.Cache(
            str(self._folder),
            timeout=1,
            disk=_PlainDisk,
            eviction_policy="least-recently-stored",
            cull_limit=0,
            sqlite_synchronous=0,
            sqlite_wal_autocheckpoint=_CHECKPOINT_PAGES,
            sqlite_journal_size_limit=_CHECKPOINT_PAGES * 4096,
        )
        self._inode = self._database.stat().st_ino

    def _start_anew(self, error: Exception) -> None:
        _log.warning("records.damaged", folder=str(self._folder), error=str(error), action="started empty")
        self.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        try:
            self._connect()
        except (OSError, sqlite3.Error, diskcache.Timeout) as again:
            _log.error("records.unusable", folder=str(self._folder), error=str(again), action="nothing is remembered")
            self._cache = None

    @property
    def _database(self) -> Path:
        return self._folder / str(diskcache.core.DBNAME)

    def reopen_if_replaced(self) -> None:
        """Open the database that is there now, if it is another one. Call it after each connect to the keeper."""
        try:
            if self._cache is not None and self._database.stat().st_ino == self._inode:
                return
        except OSError:
            return
        self.close()
        self._open()

    def close(self) -> None:
        """Close the database."""
        if self._cache is not None:
            self._cache.close()
            self._cache = None

    # Assets

    def get_asset(self, key: bytes) -> AssetRecord | None:
        """The record of an asset; `key` is subjects.asset_key(). Compare its epoch before use."""
        record = self._get(AssetRecord, _asset_row(key))
        return record if record is not None and record.key == key else None

    def put_asset(self, record: AssetRecord) -> None:
        """Store a record in place of the asset's last one; a source that only that one named is dropped."""
        before = self.get_asset(record.key)
        self._put(_asset_row(record.key), encode(record))
        if before is not None and _bytes_of(before) != _bytes_of(record):
            for body in before.body_keys():
                self._drop(body)

    def discard_asset(self, key: bytes) -> None:
        """Forget an asset, its source and what was made of it.

        Content that other URLs share is made anew when they are next asked for: that nothing of a purged object
        stays is worth more than a rendering.
        """
        record = self.get_asset(key)
        if record is None:
            self._delete(_asset_row(key))
        else:
            self.discard(record)

    def discard(self, record: AssetRecord) -> None:
        """As `discard_asset`, of a record that was just read."""
        self._delete(_asset_row(record.key))
        for body in record.body_keys():
            self._drop(body)
        self.discard_source(record.source_id)

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is put and discarded within is one transaction of the database."""
        if self._cache is None:
            yield
            return
        try:
            with self._cache.transact(retry=True):
                yield
        except (sqlite3.Error, diskcache.Timeout) as error:
            self._failed(error)

    def get_vary(self, key: bytes) -> tuple[tuple[str, ...], ...]:
        """The sets of request fields that select among the answers of a path, the latest answer's first.

        `key` is subjects.asset_key(). Empty: no answer has varied.
        """
        record = self._get(VaryRecord, _vary_row(key))
        return record.sets if record is not None and record.key == key else ()

    def put_vary(self, key: bytes, fields: tuple[str, ...]) -> None:
        """Note the fields that the latest answer of a path names; of what others named, a few are remembered."""
        known = self.get_vary(key)
        sets = (fields, *(one for one in known or ((),) if one != fields))[:_VARIES]
        if sets not in (known, ((),)):
            self._put(_vary_row(key), encode(VaryRecord(key, sets)))

    def assets(self, prefix: bytes = b"") -> Iterator[AssetRecord]:
        """The assets whose keys start with `prefix` (Subject.path, Subject.group), in steps of one short read.

        Records may be put and discarded between two steps.
        """
        for _, record in self._walk(AssetRecord, _asset_row(prefix)):
            yield record

    # Representations and choices

    def get_representation(self, source_id: str, plan: str) -> Representation | None:
        """The rendering of a source by a plan (its canonical text)."""
        record = self._get(Representation, _representation_row(source_id, plan))
        return record if record is not None and (record.source_id, record.plan) == (source_id, plan) else None

    def put_representation(self, record: Representation) -> None:
        """Store a rendering's record."""
        self._put(_representation_row(record.source_id, record.plan), encode(record))

    def representations(self, source_id: str) -> list[Representation]:
        """All renderings of a source."""
        return [record for _, record in self._walk(Representation, _source_rows(b"r", source_id))]

    def get_choice(self, source_id: str, wanted: str, accept: str) -> ChoiceRecord | None:
        """What was chosen for a plan and an Accept class."""
        record = self._get(ChoiceRecord, _choice_row(source_id, wanted, accept))
        if record is None or (record.source_id, record.wanted, record.accept) != (source_id, wanted, accept):
            return None
        return record

    def put_choice(self, record: ChoiceRecord) -> None:
        """Store a choice."""
        self._put(_choice_row(record.source_id, record.wanted, record.accept), encode(record))

    def choices(self, source_id: str = "") -> Iterator[ChoiceRecord]:
        """The choices for a source, or all there are, in steps of one short read."""
        prefix = _source_rows(b"c", source_id) if source_id else b"c"
        for _, record in self._walk(ChoiceRecord, prefix):
            yield record

    def discard_source(self, source_id: str) -> None:
        """Forget every rendering and choice of a source."""
        for row, representation in self._walk(Representation, _source_rows(b"r", source_id)):
            self._delete(row)
            self._drop(representation.body.key)
        choices = _source_rows(b"c", source_id)
        self._run("DELETE FROM Cache WHERE raw = 1 AND key >= ? AND key < ?", choices, _after(choices))

    def body_keys(self) -> set[str]:
        """The keys of all bodies that records name: at start, any other body is an orphan."""
        keys = {body for record in self.assets() for body in record.body_keys()}
        keys.update(record.body.key for _, record in self._walk(Representation, b"r"))
        return keys

    # Rows

    def _drop(self, body: str) -> None:
        if self._on_drop is not None:
            self._on_drop(body)

    def _get(self, kind: type[Record], row: bytes) -> Record | None:
        if self._cache is None:
            return None
        try:
            stored = self._cache.get(row)
        except (sqlite3.Error, diskcache.Timeout, _Refused) as error:
            self._failed(error)
            return None
        return None if stored is None else decode(kind, stored)

    def _put(self, row: bytes, stored: bytes) -> None:
        """Store a row, or warn: what is not stored is a miss later."""
        if self._cache is None:
            return
        try:
            self._cache.set(row, stored)
            self._trim()
        except (sqlite3.Error, diskcache.Timeout) as error:
            self._failed(error)

    def _delete(self, row: bytes) -> None:
        """As Cache.delete, but for values in files, of which there are none here: a sweep takes half the time."""
        self._run("DELETE FROM Cache WHERE raw = 1 AND key = ?", row)

    def _run(self, statement: str, *keys: bytes) -> None:
        if self._cache is None:
            return
        try:
            self._cache._sql(statement, tuple(sqlite3.Binary(key) for key in keys))
        except (sqlite3.Error, diskcache.Timeout) as error:
            self._failed(error)

    def _trim(self) -> None:
        """Above the limit: drop the oldest records and their bodies, more than came in."""
        if self._cache.volume() <= self._limit:
            return
        oldest = self._cache._sql("SELECT key, value FROM Cache ORDER BY store_time LIMIT ?", (_TRIMMED,)).fetchall()
        with self._cache.transact():
            for row, _ in oldest:
                self._cache.delete(row)
        for _, stored in oldest:
            if (asset := decode(AssetRecord, stored)) is not None:
                for body in asset.body_keys():
                    self._drop(body)
            elif (representation := decode(Representation, stored)) is not None:
                self._drop(representation.body.key)

    def _walk(self, kind: type[Record], prefix: bytes) -> Iterator[tuple[bytes, Record]]:
        """Rows in the order of their keys. diskcache has no range query, so this one speaks SQL."""
        after, end = prefix, _after(prefix)
        comparison = ">="
        while self._cache is not None:
            query = (
                f"SELECT key, value FROM Cache WHERE raw = 1 AND key {comparison} ? AND key < ? ORDER BY key LIMIT ?"  # noqa: S608 (two constants)
            )
            try:
                rows = self._cache._sql(query, (after, end, _BATCH)).fetchall()
            except sqlite3.Error as error:
                self._failed(error)
                return
            for row, stored in rows:
                if isinstance(stored, bytes) and (record := decode(kind, stored)) is not None:
                    yield row, record
            if len(rows) < _BATCH:
                return
            after, comparison = rows[-1][0], ">"

    def _failed(self, error: Exception) -> None:
        """An error of the database is a miss.

        After one that will not pass the keeper starts anew, and others have no records until it has.
        """
        passing = isinstance(error, sqlite3.OperationalError | diskcache.Timeout | _Refused)
        if self._writable and not passing:
            self._start_anew(error)
            return
        _log.warning("records.failed", folder=str(self._folder), error=str(error))
        if not passing:
            self.close()


def _after(prefix: bytes) -> bytes:
    """The least key that is greater than all that start with `prefix` (which is not all 0xFF)."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1])


def _bytes_of(record: AssetRecord) -> object:
    """What differs where two records name different bodies."""
    return record.source.key if record.source is not None else (record.slices, record.source_id)
