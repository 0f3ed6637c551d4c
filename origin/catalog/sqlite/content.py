"""Manifests and blobs in SQLite: the references that decide which bytes stay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from origin.catalog.rows import BlobRow, BlobState, ManifestRow, NewBlob, SegmentRow
from origin.catalog.sqlite.bodies import checksum
from origin.catalog.sqlite.sql import Table, pack, unpack

_PARTS = "iif(m.parts IS NULL, NULL, ifnull((SELECT j.parts FROM joined j WHERE j.manifest = m.number), '[]'))"
_MANIFESTS = f"""
    SELECT m.number, m.refs, m.size, m.identity, m.seal_id, m.inline, {_PARTS}, m.doomed_at, m.doomed_in
    FROM manifests m """  # noqa: S608  (constants)
_BLOB = "b.number, b.id, b.size, b.stored, b.checksum, b.key_id, b.wrapped, b.refs, b.state, b.flagged"
BLOBS = f"SELECT {_BLOB} FROM blobs b "  # noqa: S608  (a constant)


def _manifest(row: tuple[Any, ...]) -> ManifestRow:
    return ManifestRow(
        number=row[0],
        refs=row[1],
        size=row[2],
        identity=row[3],
        seal_id=row[4],
        inline=row[5],
        parts=() if row[6] is None else tuple((number, size) for number, size in unpack(row[6])),
        doomed_at=row[7],
        doomed_in=row[8],
    )


def blob_row(row: tuple[Any, ...]) -> BlobRow:
    """A blob of the columns that BLOBS selects."""
    return BlobRow(
        number=row[0],
        id=row[1],
        size=row[2],
        stored=row[3],
        checksum=row[4],
        key_id=row[5],
        wrapped=row[6],
        refs=row[7],
        state=BlobState(row[8]),
        flagged=bool(row[9]),
    )


class Manifests(Table):
    """contract.Manifests."""

    def insert(
        self,
        *,
        size: int,
        identity: bytes,
        seal_id: bytes,
        inline: bytes | None = None,
        parts: Sequence[tuple[int, int]] = (),
        refs: int = 1,
    ) -> int:
        number = int(
            self._value(
                "INSERT INTO manifests (refs, size, identity, seal_id, inline, parts) VALUES (?, ?, ?, ?, ?, ?)"
                " RETURNING number",
                (refs, size, identity, seal_id, inline, "" if parts else None),
            )
        )
        if parts:
            self._run("INSERT INTO joined VALUES (?, ?)", (number, pack(tuple(parts))))
        if inline is not None:
            self._run("INSERT INTO bodies (manifest, checksum) VALUES (?, ?)", (number, checksum(inline)))
        return number

    def add_segments(self, number: int, segments: Sequence[tuple[int, int, int, int]]) -> None:
        self._connection.executemany(
            'INSERT INTO segments (manifest, "offset", "end", blob, blob_offset) VALUES (?, ?, ?, ?, ?)',
            [(number, offset, offset + length, blob, start) for offset, length, blob, start in segments],
        )

    def get(self, number: int) -> ManifestRow | None:
        row = self._one(_MANIFESTS + "WHERE m.number = ?", (number,))
        return _manifest(row) if row else None

    def segments(self, number: int, start: int, end: int) -> list[SegmentRow]:
        rows = self._run(
            f'SELECT s."offset", s."end", s.blob_offset, {_BLOB} FROM segments s'  # noqa: S608
            " JOIN blobs b ON b.number = s.blob"
            ' WHERE s.manifest = ? AND s."end" > ? AND s."offset" < ? ORDER BY s."end"',
            (number, start, end),
        )
        return [SegmentRow(row[0], row[1] - row[0], blob_row(row[3:]), row[2]) for row in rows]

    def fingerprints(self, number: int) -> Iterator[bytes]:
        rows = self._run(
            "SELECT b.fingerprint FROM segments s JOIN blobs b ON b.number = s.blob WHERE s.manifest = ?"
            ' ORDER BY s."end"',
            (number,),
        )
        for (fingerprint,) in rows:
            yield fingerprint

    def acquire(self, number: int) -> None:
        self._run(
            "UPDATE manifests SET refs = refs + 1, doomed_at = NULL, doomed_in = NULL WHERE number = ?", (number,)
        )

    def release(self, number: int, now: float, mutation: int) -> None:
        self._run(
            "UPDATE manifests SET refs = refs - 1, doomed_at = iif(refs = 1, ?, doomed_at),"
            " doomed_in = iif(refs = 1, ?, doomed_in) WHERE number = ?",
            (now, mutation, number),
        )

    def doomed(self, before: float, mutation: int, limit: int) -> list[ManifestRow]:
        rows = self._run(
            _MANIFESTS + "WHERE m.doomed_in <= ? AND m.doomed_at <= ? ORDER BY m.doomed_in LIMIT ?",
            (mutation, before, limit),
        )
        return [_manifest(row) for row in rows]

    def take_segments(self, number: int, limit: int) -> list[int]:
        rows = self._run(
            'DELETE FROM segments WHERE manifest = ?1 AND "end" IN'
            ' (SELECT "end" FROM segments WHERE manifest = ?1 ORDER BY "end" LIMIT ?2) RETURNING blob',
            (number, limit),
        )
        return [blob for (blob,) in rows.fetchall()]

    def take_parts(self, number: int, limit: int) -> list[int]:
        parts = unpack(self._value("SELECT parts FROM joined WHERE manifest = ?", (number,)) or "[]")
        if parts:
            self._run("UPDATE joined SET parts = ? WHERE manifest = ?", (pack(tuple(parts[limit:])), number))
        return [part for part, _ in parts[:limit]]

    def remove(self, number: int) -> None:
        self._run("DELETE FROM manifests WHERE number = ?", (number,))
        self._run("DELETE FROM bodies WHERE manifest = ?", (number,))
        self._run("DELETE FROM joined WHERE manifest = ?", (number,))


class Blobs(Table):
    """contract.Blobs."""

    def find(self, fingerprint: bytes) -> BlobRow | None:
        row = self._one(BLOBS + "WHERE b.fingerprint = ? AND b.state < 2", (fingerprint,))
        return blob_row(row) if row else None

    def insert(self, blob: NewBlob, *, dead: bool = False) -> int:
        state = BlobState.DEAD if dead else BlobState.LIVE
        return int(
            self._value(
                "INSERT INTO blobs (id, fingerprint, size, stored, checksum, key_id, wrapped, refs, state)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?) RETURNING number",
                (blob.id, blob.fingerprint, blob.size, blob.stored, blob.checksum, blob.key_id, blob.wrapped, state),
            )
        )

    def acquire(self, number: int) -> None:
        self._run(
            "UPDATE blobs SET refs = refs + 1, state = 0, doomed_at = NULL, doomed_in = NULL WHERE number = ?",
            (number,),
        )

    def heal(self, number: int, fresh: NewBlob) -> None:
        self._run(
            "UPDATE blobs SET id = ?, size = ?, stored = ?, checksum = ?, key_id = ?, wrapped = ?, flagged = 0,"
            " verified_at = NULL WHERE number = ?",
            (fresh.id, fresh.size, fresh.stored, fresh.checksum, fresh.key_id, fresh.wrapped, number),
        )

    def release(self, number: int, now: float, mutation: int) -> None:
        self._run(
            "UPDATE blobs SET refs = refs - 1, state = iif(refs = 1, 1, state),"
            " doomed_at = iif(refs = 1, ?, doomed_at), doomed_in = iif(refs = 1, ?, doomed_in) WHERE number = ?",
            (now, mutation, number),
        )

    def flag(self, number: int, blob_id: bytes) -> None:
        self._run("UPDATE blobs SET flagged = 1 WHERE number = ? AND id = ?", (number, blob_id))

    def doomed(self, before: float, mutation: int, limit: int) -> list[BlobRow]:
        rows = self._run(
            BLOBS + "WHERE b.state = 1 AND b.doomed_in <= ? AND b.doomed_at <= ? ORDER BY b.doomed_in LIMIT ?",
            (mutation, before, limit),
        )
        return [blob_row(row) for row in rows]

    def kill(self, number: int) -> bool:
        killed = self._value(
            "UPDATE blobs SET state = 2 WHERE number = ? AND state = 1 AND refs = 0 RETURNING 1", (number,)
        )
        return killed is not None

    def dead(self, after: int, limit: int) -> list[BlobRow]:
        rows = self._run(BLOBS + "WHERE b.state = 2 AND +b.number > ? ORDER BY +b.number LIMIT ?", (after, limit))
        return [blob_row(row) for row in rows]

    def remove(self, number: int) -> None:
        self._run("DELETE FROM blobs WHERE number = ?", (number,))

    def forget(self, ids: Sequence[bytes]) -> None:
        self._connection.executemany("DELETE FROM blobs WHERE id = ? AND state = 2", [(blob,) for blob in ids])

    def add_pending(self, ids: Sequence[bytes], epoch: int, now: float) -> None:
        self._connection.executemany("INSERT INTO pending VALUES (?, ?, ?)", [(blob, epoch, now) for blob in ids])

    def drop_pending(self, ids: Sequence[bytes]) -> None:
        self._connection.executemany("DELETE FROM pending WHERE id = ?", [(blob,) for blob in ids])

    def abandon(self, ids: Sequence[bytes]) -> None:
        self._connection.executemany("UPDATE pending SET epoch = 0 WHERE id = ?", [(blob,) for blob in ids])

    def abandoned(self, epoch: int, after: bytes, limit: int) -> list[bytes]:
        rows = self._run(
            "SELECT id FROM pending WHERE epoch < ? AND id > ? AND id NOT IN (SELECT id FROM blobs)"
            " ORDER BY id LIMIT ?",
            (epoch, after, limit),
        )
        return [blob for (blob,) in rows]
