"""What jobs ask of blobs and references, in SQLite."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from origin.catalog.rows import BlobRow
from origin.catalog.sqlite.content import BLOBS, blob_row
from origin.catalog.sqlite.sql import Table
from origin.catalog.upkeep import Miscount, Misuse, NamedVersion, Recount, Totals

# Who refers to a manifest: versions, uploads that became one, parts that no such manifest took over, and the manifests
# that parts became.
_CLAIMS = """
    WITH part_of (holder, manifest) AS MATERIALIZED (
        SELECT j.manifest, json_extract(e.value, '$[0]') FROM joined j, json_each(j.parts) e
    ), claims (manifest) AS (
        SELECT manifest FROM versions WHERE manifest IS NOT NULL
        UNION ALL SELECT manifest FROM uploads WHERE manifest IS NOT NULL
        UNION ALL SELECT manifest FROM part_of
        UNION ALL SELECT p.manifest FROM parts p JOIN uploads u ON u.id = p.upload
            WHERE NOT EXISTS (SELECT 1 FROM part_of t WHERE t.manifest = p.manifest AND +t.holder = u.manifest)
    ), counted (number, refs, claims, doomed, there) AS (
        SELECT number, sum(refs), sum(claims), sum(doomed), sum(there) FROM (
            SELECT number, refs, 0 AS claims, doomed_in IS NOT NULL AS doomed, 1 AS there FROM manifests
            UNION ALL SELECT manifest, 0, 1, 0, 0 FROM claims
        ) GROUP BY number
    )
"""
_MANIFESTS = """
    SELECT number, refs, claims FROM counted WHERE there = 1 AND (refs <> claims OR (refs = 0) <> (doomed = 1))
"""
_LOST_MANIFESTS = "SELECT number FROM counted WHERE there = 0"
_BLOB_COUNTS = """
    SELECT b.number, b.refs, ifnull(c.refs, 0) FROM blobs b
    LEFT JOIN (SELECT blob, count(*) AS refs FROM segments GROUP BY blob) c ON c.blob = b.number
    WHERE b.refs <> ifnull(c.refs, 0) OR (b.refs = 0) <> (b.state > 0)
"""
_LOST_BLOBS = "SELECT DISTINCT blob FROM segments WHERE blob NOT IN (SELECT number FROM blobs)"
_DEAD_IN_USE = "WHERE b.state = 2 AND b.number IN (SELECT blob FROM segments)"
_LOOSE = {
    "segments": "manifest NOT IN (SELECT number FROM manifests)",
    "bodies": "manifest NOT IN (SELECT number FROM manifests WHERE inline IS NOT NULL)",
    "joined": "manifest NOT IN (SELECT number FROM manifests)",
    "pending": "id IN (SELECT id FROM blobs)",
}
# What a manifest that was lost had may be all that is left of it.
_TIDY = tuple(
    f"{_CLAIMS} DELETE FROM {table} WHERE {_LOOSE[table]} AND manifest NOT IN (SELECT manifest FROM claims)"  # noqa: S608
    for table in ("joined", "segments")
)
# A doomed manifest gives its segments away in batches, so only living ones are whole.
_BROKEN_MANIFESTS = """
    SELECT m.number FROM manifests m
    LEFT JOIN (
        SELECT manifest, sum("end" - "offset") AS size, max("end") AS reach FROM segments GROUP BY manifest
    ) s ON s.manifest = m.number
    WHERE m.doomed_in IS NULL AND m.inline IS NULL AND (
        CASE WHEN m.parts IS NULL THEN ifnull(s.size, 0) <> m.size OR ifnull(s.reach, 0) <> m.size
        ELSE m.size <> (
            SELECT ifnull(sum(json_extract(e.value, '$[1]')), -1) FROM joined j, json_each(j.parts) e
            WHERE j.manifest = m.number
        ) END
    )
"""
_USAGE = """
    WITH held (bucket, objects, bytes) AS (
        SELECT bucket, sum(1 - marker), sum(size) FROM versions GROUP BY bucket
    ), sent (bucket, bytes) AS (
        SELECT u.bucket, sum(p.size) FROM uploads u JOIN parts p ON p.upload = u.id WHERE u.state = 0 GROUP BY u.bucket
    )
    SELECT u.bucket, u.objects, u.bytes, u.uploading, ifnull(h.objects, 0), ifnull(h.bytes, 0), ifnull(s.bytes, 0)
    FROM usage u LEFT JOIN held h ON h.bucket = u.bucket LEFT JOIN sent s ON s.bucket = u.bucket
    WHERE (u.objects, u.bytes, u.uploading) <> (ifnull(h.objects, 0), ifnull(h.bytes, 0), ifnull(s.bytes, 0))
"""
_DAMAGED = """
    WITH bad (manifest) AS (
        SELECT s.manifest FROM segments s JOIN blobs b ON b.number = s.blob WHERE b.flagged = 1 AND b.state < 2
        UNION SELECT manifest FROM bodies WHERE flagged = 1
    ), holders (manifest) AS (
        SELECT manifest FROM bad
        UNION SELECT j.manifest FROM joined j, json_each(j.parts) e
            WHERE json_extract(e.value, '$[0]') IN (SELECT manifest FROM bad)
    )
    SELECT b.name, v.key, v.version_id FROM versions v JOIN buckets b ON b.number = v.bucket
    WHERE v.manifest IN (SELECT manifest FROM holders) ORDER BY b.name, v.key, v.sequence LIMIT ?
"""
# One seek in the index for each key, however many blobs it wraps.
_WRAPPING = """
    WITH RECURSIVE ids (id) AS (
        SELECT min(key_id) FROM blobs WHERE key_id IS NOT NULL
        UNION ALL SELECT (SELECT min(key_id) FROM blobs WHERE key_id > ids.id) FROM ids WHERE ids.id IS NOT NULL
    )
    SELECT id FROM ids WHERE id IS NOT NULL
"""


class Upkeep(Table):
    """upkeep.Upkeep."""

    def totals(self, after: int = 0) -> Totals:
        row = self._one("SELECT count(*), ifnull(sum(stored), 0) FROM blobs WHERE state < 2 AND number > ?", (after,))
        assert row is not None
        return Totals(*row)

    def _blobs(self, where: str, values: tuple[Any, ...]) -> list[BlobRow]:
        return [blob_row(row) for row in self._run(BLOBS + where, values)]

    def blob(self, number: int) -> BlobRow | None:
        return next(iter(self._blobs("WHERE b.number = ?", (number,))), None)

    def blobs(self, after: int, limit: int) -> list[BlobRow]:
        return self._blobs("WHERE b.state < 2 AND b.number > ? ORDER BY b.number LIMIT ?", (after, limit))

    def dead_in_use(self) -> list[BlobRow]:
        return self._blobs(_DEAD_IN_USE, ())

    def last_blob(self) -> int:
        return int(self._value("SELECT ifnull(max(number), 0) FROM blobs"))

    def bodies(self) -> Iterator[int]:
        for (number,) in self._run("SELECT number FROM manifests WHERE inline IS NOT NULL"):
            yield number

    def last_manifest(self) -> int:
        return int(self._value("SELECT seq FROM sqlite_sequence WHERE name = 'manifests'") or 0)

    def known(self, ids: Collection[bytes]) -> frozenset[bytes]:
        known = "SELECT 1 FROM blobs WHERE id = ?1 UNION ALL SELECT 1 FROM pending WHERE id = ?1"
        return frozenset(blob_id for blob_id in ids if self._value(known, (blob_id,)) is not None)

    def due(self, before: float, limit: int) -> list[BlobRow]:
        return self._blobs(
            "WHERE b.state < 2 AND ifnull(b.verified_at, 0) < ? ORDER BY ifnull(b.verified_at, 0) LIMIT ?",
            (before, limit),
        )

    def verified(self, number: int, blob_id: bytes, at: float, *, good: bool) -> bool:
        noted = self._value(
            "UPDATE blobs SET verified_at = ?, flagged = ? WHERE number = ? AND id = ? RETURNING 1",
            (at, int(not good), number, blob_id),
        )
        return noted is not None

    def flagged(self) -> int:
        return int(self._value("SELECT count(*) FROM blobs WHERE flagged = 1 AND state < 2"))

    def damaged(self, limit: int) -> list[NamedVersion]:
        return [NamedVersion(*row) for row in self._run(_DAMAGED, (limit,))]

    def complaints(self) -> list[str]:
        return [line for (line,) in self._run("PRAGMA quick_check(20)") if line != "ok"]

    def recount(self) -> Recount:
        return Recount(
            manifests=[Miscount(*row) for row in self._run(_CLAIMS + _MANIFESTS)],
            blobs=[Miscount(*row) for row in self._run(_BLOB_COUNTS)],
            usage=[Misuse(row[0], tuple(row[1:4]), tuple(row[4:7])) for row in self._run(_USAGE)],
            lost_manifests=[number for (number,) in self._run(_CLAIMS + _LOST_MANIFESTS)],
            lost_blobs=[number for (number,) in self._run(_LOST_BLOBS)],
            dead_blobs=[blob.number for blob in self.dead_in_use()],
            broken_manifests=[number for (number,) in self._run(_BROKEN_MANIFESTS)],
            loose={table: count for table in _LOOSE if (count := self._loose(table))},
        )

    def _loose(self, table: str) -> int:
        return int(self._value(f"SELECT count(*) FROM {table} WHERE {_LOOSE[table]}"))  # noqa: S608

    def revive(self, number: int) -> None:
        twin = self._value(
            "SELECT t.number FROM blobs d JOIN blobs t ON t.fingerprint = d.fingerprint AND t.state < 2"
            " WHERE d.number = ? AND d.state = 2",
            (number,),
        )
        if twin is not None:
            self._run("UPDATE segments SET blob = ? WHERE blob = ?", (twin, number))
        else:
            self._run("UPDATE blobs SET state = 0, doomed_at = NULL, doomed_in = NULL WHERE number = ?", (number,))

    def tidy(self) -> None:
        for statement in _TIDY:
            self._run(statement)
        for table in ("bodies", "pending"):
            self._run(f"DELETE FROM {table} WHERE {_LOOSE[table]}")  # noqa: S608

    def correct(self, found: Recount, now: float, mutation: int) -> None:
        for row in found.manifests:
            doomed = (now, mutation) if row.counted == 0 else (None, None)
            self._run(
                "UPDATE manifests SET refs = ?, doomed_at = ?, doomed_in = ? WHERE number = ?",
                (row.counted, *doomed, row.number),
            )
        for row in found.blobs:
            # A dead one's file is on its way out, so only its count is set.
            doomed = (now, mutation) if row.counted == 0 else (None, None)
            self._run(
                "UPDATE blobs SET refs = ?1, doomed_at = iif(state = 2, doomed_at, ?2),"
                " doomed_in = iif(state = 2, doomed_in, ?3), state = iif(state = 2, 2, ?1 = 0) WHERE number = ?4",
                (row.counted, *doomed, row.number),
            )
        for use in found.usage:
            self._run(
                "UPDATE usage SET objects = ?, bytes = ?, uploading = ? WHERE bucket = ?", (*use.counted, use.bucket)
            )

    def wrapped(self) -> dict[str, int]:
        return dict(self._run("SELECT key_id, count(*) FROM blobs WHERE key_id IS NOT NULL GROUP BY key_id").fetchall())

    def wrapping(self) -> list[str]:
        return [key_id for (key_id,) in self._run(_WRAPPING)]

    def wrapped_by(self, key_id: str, limit: int) -> list[BlobRow]:
        return self._blobs("WHERE b.key_id = ? LIMIT ?", (key_id, limit))

    def rewrap(self, blob: BlobRow, key_id: str, wrapped: bytes) -> None:
        self._run(
            "UPDATE blobs SET key_id = ?, wrapped = ? WHERE number = ? AND id = ? AND key_id = ?",
            (key_id, wrapped, blob.number, blob.id, blob.key_id),
        )
