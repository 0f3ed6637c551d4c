"""Quotas and named backups in SQLite. What buckets use is kept by triggers (schema.py), so no writer can forget it."""

from __future__ import annotations

import apsw

from origin.catalog.sqlite.sql import Table, pack, unpack
from origin.catalog.upkeep import BackupRow, UsageRow


class Quotas(Table):
    """upkeep.Quotas. Which buckets have no limit is remembered until `forget`."""

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__(connection)
        self._unlimited: set[int] = set()

    def limited(self, bucket: int) -> bool:
        if bucket in self._unlimited:
            return False
        usage = self.usage(bucket)
        if usage.max_objects is not None or usage.max_bytes is not None:
            return True
        self._unlimited.add(bucket)
        return False

    def forget(self) -> None:
        """Ask every bucket anew."""
        self._unlimited.clear()

    def usage(self, bucket: int) -> UsageRow:
        row = self._one(
            "SELECT objects, bytes, uploading, max_objects, max_bytes FROM usage WHERE bucket = ?", (bucket,)
        )
        assert row is not None, "every bucket has its row"
        return UsageRow(*row)

    def limit(self, bucket: int, *, objects: int | None, size: int | None) -> None:
        self.forget()
        self._run("UPDATE usage SET max_objects = ?, max_bytes = ? WHERE bucket = ?", (objects, size, bucket))

    def upload(self, upload_id: str) -> int:
        return int(self._value("SELECT bytes FROM uploads WHERE id = ?", (upload_id,)) or 0)


class Backups(Table):
    """upkeep.Backups."""

    def all(self) -> list[BackupRow]:
        rows = self._run("SELECT name, folder, begun, finished, key_ids FROM backups ORDER BY begun, name")
        return [
            BackupRow(name=row[0], folder=row[1], begun=row[2], finished=row[3], key_ids=tuple(unpack(row[4])))
            for row in rows
        ]

    def set(self, backup: BackupRow) -> None:
        self._run(
            "INSERT OR REPLACE INTO backups (name, folder, begun, finished, key_ids) VALUES (?, ?, ?, ?, ?)",
            (backup.name, backup.folder, backup.begun, backup.finished, pack(backup.key_ids)),
        )

    def remove(self, name: str) -> bool:
        return self._value("DELETE FROM backups WHERE name = ? RETURNING 1", (name,)) is not None
