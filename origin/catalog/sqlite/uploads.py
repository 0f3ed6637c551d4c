"""Multipart uploads and their parts in SQLite."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from origin.catalog.rows import Described, PartRow, UploadRow, UploadState
from origin.catalog.sqlite.sql import Table, lock, lock_columns, owner, pack, unpack

_UPLOADS = """
    SELECT u.id, u.bucket, u.key, u.created, u.content_type, u.headers, u.metadata, u.acl, u.storage_class,
        u.checksum_algorithm, u.checksum_type, u.state, u.generation, u.manifest, u.sequence, u.tags, u.lock_mode,
        u.lock_until, u.legal_hold, o.id, o.name, o.display
    FROM uploads u JOIN owners o ON o.id = u.owner
"""


def _upload(row: tuple[Any, ...]) -> UploadRow:
    return UploadRow(
        id=row[0],
        bucket=row[1],
        key=row[2],
        created=row[3],
        described=Described(
            content_type=row[4],
            headers=unpack(row[5]),
            metadata=unpack(row[6]),
            acl=row[7],
            storage_class=row[8],
        ),
        checksum_algorithm=row[9],
        checksum_type=row[10],
        state=UploadState(row[11]),
        generation=row[12],
        manifest=row[13],
        sequence=row[14],
        tags=unpack(row[15]),
        lock=lock(row, 16),
        owner=owner(row, 19),
    )


class Uploads(Table):
    """contract.Uploads."""

    def add(self, upload: UploadRow) -> None:
        described = upload.described
        self._run(
            "INSERT INTO uploads (id, bucket, key, owner, created, content_type, headers, metadata, acl, storage_class,"
            " checksum_algorithm, checksum_type, state, generation, tags, lock_mode, lock_until, legal_hold)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                upload.id,
                upload.bucket,
                upload.key,
                upload.owner.id,
                upload.created,
                described.content_type,
                pack(described.headers),
                pack(described.metadata),
                described.acl,
                described.storage_class,
                upload.checksum_algorithm,
                upload.checksum_type,
                int(upload.state),
                upload.generation,
                pack(upload.tags),
                *lock_columns(upload.lock),
            ),
        )

    def get(self, upload_id: str) -> UploadRow | None:
        row = self._one(_UPLOADS + "WHERE u.id = ?", (upload_id,))
        return _upload(row) if row else None

    def open(self, bucket: int, start: bytes, stop: bytes | None) -> Generator[UploadRow, None, None]:
        bound, values = ("", (bucket, start)) if stop is None else (" AND u.key < ?", (bucket, start, stop))
        cursor = self._run(
            _UPLOADS + f"WHERE u.state = 0 AND u.bucket = ? AND u.key >= ?{bound} ORDER BY u.key, u.created, u.id",
            values,
        )
        try:
            for row in cursor:
                yield _upload(row)
        finally:
            cursor.close()

    def put_part(self, upload_id: str, part: PartRow) -> int | None:
        replaced: int | None = self._value(
            "SELECT manifest FROM parts WHERE upload = ? AND number = ?", (upload_id, part.number)
        )
        self._run(
            "INSERT OR REPLACE INTO parts (upload, number, manifest, size, created, seal_id, digests)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (upload_id, part.number, part.manifest, part.size, part.created, part.seal_id, part.digests),
        )
        self._run("UPDATE uploads SET generation = generation + 1 WHERE id = ?", (upload_id,))
        return replaced

    def parts(self, upload_id: str, after: int, limit: int) -> list[PartRow]:
        rows = self._run(
            "SELECT number, manifest, size, created, seal_id, digests FROM parts WHERE upload = ? AND number > ?"
            " ORDER BY number LIMIT ?",
            (upload_id, after, limit),
        )
        return [
            PartRow(number=row[0], manifest=row[1], size=row[2], created=row[3], seal_id=row[4], digests=row[5])
            for row in rows
        ]

    def finish(
        self, upload_id: str, state: UploadState, now: float, manifest: int | None = None, sequence: int | None = None
    ) -> None:
        self._run(
            "UPDATE uploads SET state = ?, ended = ?, manifest = ?, sequence = ? WHERE id = ?",
            (int(state), now, manifest, sequence, upload_id),
        )

    def abort_all(self, bucket: int, now: float) -> None:
        self._run(
            "UPDATE uploads SET state = ?, ended = ? WHERE bucket = ? AND state = 0",
            (int(UploadState.ABORTED), now, bucket),
        )

    def finished(self, before: float, limit: int) -> list[UploadRow]:
        rows = self._run(_UPLOADS + "WHERE u.state > 0 AND u.ended <= ? ORDER BY u.ended LIMIT ?", (before, limit))
        return [_upload(row) for row in rows]

    def take_parts(self, upload_id: str, limit: int) -> list[int]:
        rows = self._run(
            "DELETE FROM parts WHERE upload = ?1 AND number IN"
            " (SELECT number FROM parts WHERE upload = ?1 ORDER BY number LIMIT ?2) RETURNING manifest",
            (upload_id, limit),
        )
        return [manifest for (manifest,) in rows.fetchall()]

    def remove(self, upload_id: str) -> None:
        self._run("DELETE FROM uploads WHERE id = ?", (upload_id,))
