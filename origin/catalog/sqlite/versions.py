"""Versions of keys in SQLite."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from origin.catalog.rows import Described, Lock, NewVersion, VersionRow
from origin.catalog.sqlite.sql import Table, lock, lock_columns, owner, pack, unpack

_VERSIONS = """
    SELECT v.sequence, v.bucket, v.key, v.version_id, v.latest, v.marker, v.created, v.content_type, v.headers,
        v.metadata, v.acl, v.storage_class, v.manifest, v.size, v.seal_id, v.digests, m.identity,
        v.tags, v.lock_mode, v.lock_until, v.legal_hold, o.id, o.name, o.display
    FROM versions v LEFT JOIN manifests m ON m.number = v.manifest JOIN owners o ON o.id = v.owner
"""


def _version(row: tuple[Any, ...]) -> VersionRow:
    return VersionRow(
        sequence=row[0],
        bucket=row[1],
        key=row[2],
        version_id=row[3],
        latest=bool(row[4]),
        marker=bool(row[5]),
        created=row[6],
        described=Described(
            content_type=row[7],
            headers=unpack(row[8]),
            metadata=unpack(row[9]),
            acl=row[10],
            storage_class=row[11],
        ),
        manifest=row[12],
        size=row[13],
        seal_id=row[14],
        digests=row[15],
        identity=row[16] or b"",
        tags=unpack(row[17] or "{}"),
        lock=lock(row, 18),
        owner=owner(row, 21),
    )


class Versions(Table):
    """contract.Versions."""

    def latest(self, bucket: int, key: bytes) -> VersionRow | None:
        row = self._one(_VERSIONS + "WHERE v.bucket = ? AND v.key = ? ORDER BY v.sequence DESC LIMIT 1", (bucket, key))
        return _version(row) if row else None

    def get(self, bucket: int, key: bytes, version_id: str) -> VersionRow | None:
        row = self._one(_VERSIONS + "WHERE v.bucket = ? AND v.key = ? AND v.version_id = ?", (bucket, key, version_id))
        return _version(row) if row else None

    def insert(self, sequence: int, version: NewVersion, *, replaces: VersionRow | None = None) -> None:
        if replaces is not None:
            self._run("DELETE FROM versions WHERE sequence = ?", (replaces.sequence,))
        if replaces is None or not replaces.latest:
            self._set_latest(version.bucket, version.key, False)
        described = version.described
        self._run(
            "INSERT INTO versions (sequence, bucket, key, version_id, latest, marker, owner, created, content_type,"
            " headers, metadata, acl, storage_class, manifest, size, seal_id, digests, tags, lock_mode, lock_until,"
            " legal_hold) VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                sequence,
                version.bucket,
                version.key,
                version.version_id,
                int(version.marker),
                version.owner,
                version.created,
                described.content_type,
                pack(described.headers),
                pack(described.metadata),
                described.acl,
                described.storage_class,
                version.manifest,
                version.size,
                version.seal_id,
                version.digests,
                pack(version.tags) if version.tags else None,
                *lock_columns(version.lock),
            ),
        )

    def remove(self, version: VersionRow) -> None:
        self._run("DELETE FROM versions WHERE sequence = ?", (version.sequence,))
        if version.latest:
            self._set_latest(version.bucket, version.key, True)

    def _set_latest(self, bucket: int, key: bytes, latest: bool) -> None:
        """Flag or unflag the newest version of the key, if there is one."""
        self._run(
            "UPDATE versions SET latest = ? WHERE sequence ="
            " (SELECT sequence FROM versions WHERE bucket = ? AND key = ? ORDER BY sequence DESC LIMIT 1)",
            (int(latest), bucket, key),
        )

    def set_acl(self, sequence: int, acl: str) -> None:
        self._run("UPDATE versions SET acl = ? WHERE sequence = ?", (acl, sequence))

    def set_tags(self, sequence: int, tags: Mapping[str, str]) -> None:
        self._run("UPDATE versions SET tags = ? WHERE sequence = ?", (pack(tags) if tags else None, sequence))

    def set_lock(self, sequence: int, lock: Lock) -> None:
        self._run(
            "UPDATE versions SET lock_mode = ?, lock_until = ?, legal_hold = ? WHERE sequence = ?",
            (*lock_columns(lock), sequence),
        )

    def set_storage_class(self, sequence: int, name: str) -> None:
        self._run("UPDATE versions SET storage_class = ? WHERE sequence = ?", (name, sequence))

    def history(
        self, bucket: int, start: bytes, stop: bytes | None, below: int | None = None
    ) -> Generator[VersionRow, None, None]:
        if below is not None:
            older = "WHERE v.bucket = ? AND v.key = ? AND v.sequence < ? ORDER BY v.sequence DESC"
            yield from self._scan("versions_of_key", older, (bucket, start, below))
            start += b"\0"
        bound, values = ("", (bucket, start)) if stop is None else (" AND v.key < ?", (bucket, start, stop))
        every = f"WHERE v.bucket = ? AND v.key >= ?{bound} ORDER BY v.key, v.sequence DESC"
        yield from self._scan("versions_of_key", every, values)

    def live(self, bucket: int, start: bytes, stop: bytes | None) -> Generator[VersionRow, None, None]:
        bound, values = ("", (bucket, start)) if stop is None else (" AND v.key < ?", (bucket, start, stop))
        alive = f"WHERE v.latest = 1 AND v.marker = 0 AND v.bucket = ? AND v.key >= ?{bound} ORDER BY v.key"
        yield from self._scan("live_keys", alive, values)

    def _scan(self, index: str, where: str, values: tuple[Any, ...]) -> Generator[VersionRow, None, None]:
        """The rows of a condition in the order of an index, one by one; closed with its consumer."""
        cursor = self._run(_VERSIONS.replace("FROM versions v", f"FROM versions v INDEXED BY {index}") + where, values)
        try:
            for row in cursor:
                yield _version(row)
        finally:
            cursor.close()
