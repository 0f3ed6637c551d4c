"""Migrations: a catalog of every earlier schema opens, with its rows, and counts what it never counted before."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
from blake3 import blake3

from origin.catalog.contract import Tables, UnknownSchema
from origin.catalog.sqlite.bodies import checksum
from origin.catalog.sqlite.schema import STEPS, migrate
from origin.catalog.sqlite.snapshot import fill
from origin.catalog.sqlite.store import SqliteCatalog
from origin.catalog.upkeep import Recount, UsageRow

# Rows as the first schema had them; every later one must make sense of them.
ROWS = """
    INSERT INTO owners VALUES ('aa', 'ada', 'Ada', 1.0);
    INSERT INTO keys VALUES ('ada-key', 'aa', x'00', '["read"]', NULL, '[]', NULL, 1.0);
    INSERT INTO buckets (name, owner, created, acl, region) VALUES
        ('shelf', 'aa', 1.0, 'private', 'here'), ('empty', 'aa', 1.0, 'private', 'here');
    INSERT INTO blobs (id, fingerprint, size, stored, checksum, key_id, wrapped, refs, state) VALUES
        (x'11111111111111111111111111111111', x'22', 70000, 70096, x'33', 'k', x'44', 3, 0);
    INSERT INTO manifests (refs, size, identity, seal_id, inline) VALUES
        (1, 70000, x'55', x'66', NULL), (1, 5, x'56', x'67', x'77'), (1, 9, x'57', x'68', x'78');
    INSERT INTO manifests (refs, size, identity, seal_id, parts) VALUES
        (1, 75005, x'58', x'69', '[[5,70000],[6,5005]]'), (1, 70000, x'55', x'66', NULL), (1, 5005, x'59', x'66', NULL);
    INSERT INTO segments VALUES (1, 70000, 0, 1, 0), (5, 70000, 0, 1, 0), (6, 5005, 0, 1, 0);
    INSERT INTO versions (sequence, bucket, key, version_id, latest, marker, owner, created, content_type, headers,
        metadata, acl, storage_class, manifest, size, seal_id, digests) VALUES
        (1, 1, x'6b', '', 1, 0, 'aa', 1.0, 'text/plain', '{}', '{}', 'private', 'STANDARD', 1, 70000, x'66', x'88'),
        (2, 1, x'6c', '', 1, 0, 'aa', 1.0, 'text/plain', '{}', '{}', 'private', 'STANDARD', 2, 5, x'67', x'88'),
        (3, 1, x'6e', '', 1, 0, 'aa', 1.0, 'text/plain', '{}', '{}', 'private', 'STANDARD', 4, 75005, x'69', x'88');
    INSERT INTO uploads (id, bucket, key, owner, created, content_type, headers, metadata, acl, storage_class, state,
        generation) VALUES ('u', 1, x'6d', 'aa', 1.0, 'text/plain', '{}', '{}', 'private', 'STANDARD', 0, 1);
    INSERT INTO parts VALUES ('u', 1, 3, 9, 1.0, x'68', x'88');
    UPDATE counters SET value = 3 WHERE name = 'mutation';
"""


def made(path: Path, version: int) -> None:
    """A catalog with rows, as the program of that schema left it."""
    connection = apsw.Connection(str(path))
    connection.create_scalar_function("checksum", checksum, 1)
    for number, step in enumerate(STEPS[:version], start=1):
        connection.execute(step)
        if number == 1:
            connection.execute("CREATE TABLE migrations (version INTEGER PRIMARY KEY, applied REAL NOT NULL) STRICT")
            connection.execute(ROWS)
        connection.execute("INSERT INTO migrations VALUES (?, 1.0)", (number,))
        connection.pragma("user_version", number)
    connection.close()


@pytest.mark.parametrize("version", range(1, len(STEPS)))
def test_a_catalog_of_an_earlier_schema_opens_with_its_rows(tmp_path: Path, version: int) -> None:
    path = tmp_path / "catalog.sqlite"
    made(path, version)
    for _ in range(2):
        catalog = SqliteCatalog(path)
        catalog.read(check_rows)
        catalog.close()
    connection = apsw.Connection(str(path))
    assert [row[0] for row in connection.execute("SELECT version FROM migrations")] == list(range(1, len(STEPS) + 1))
    # No row that counts references is long, whatever it refers to.
    assert connection.execute("SELECT max(length(parts)) FROM manifests").fetchall() == [(0,)]
    connection.close()


def check_rows(known: Tables) -> None:
    """What the first schema knew, in the words of today's."""
    shelf = known.buckets.get("shelf")
    assert shelf is not None
    latest = known.versions.latest(shelf.number, b"k")
    assert latest is not None
    assert (latest.size, latest.manifest, latest.owner.name) == (70_000, 1, "ada")
    assert [part.size for part in known.uploads.parts("u", 0, 9)] == [9]
    assert known.quotas.usage(shelf.number) == UsageRow(3, 145_010, 9, None, None)
    assert known.quotas.usage(2) == UsageRow(0, 0, 0, None, None)
    joined = known.manifests.get(4)
    assert joined is not None
    assert joined.parts == ((5, 70_000), (6, 5_005))
    assert known.upkeep.recount() == Recount()
    assert known.upkeep.wrapped() == {"k": 1}
    assert known.backups.all() == []
    assert [(one.manifest, one.checksum) for one in known.bodies.after(0, 9)] == [
        (2, blake3(b"\x77").digest()),
        (3, blake3(b"\x78").digest()),
    ]


@pytest.mark.parametrize("version", range(3, len(STEPS) + 1))
def test_the_snapshot_of_a_backup_of_an_earlier_schema_is_restored(tmp_path: Path, version: int) -> None:
    """A body that the backup does not have is known to be missing, whatever schema the snapshot has."""
    path = tmp_path / "catalog.sqlite"
    made(path, version)
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE manifests SET inline = x'' WHERE inline IS NOT NULL")
    connection.close()
    assert fill(path, [(2, b"\x77"), (9, b"of nothing")], b"log") == 1
    catalog = SqliteCatalog(path)
    bodies = catalog.read(lambda known: known.bodies.after(0, 9))
    assert [(one.manifest, one.sealed, one.flagged) for one in bodies] == [(2, b"\x77", False), (3, b"", True)]
    joined = catalog.read(lambda known: known.manifests.get(4))
    assert joined is not None
    assert joined.parts == ((5, 70_000), (6, 5_005))
    catalog.close()


def test_a_catalog_of_a_later_schema_is_refused(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "catalog.sqlite"))
    connection.pragma("user_version", len(STEPS) + 1)
    with pytest.raises(UnknownSchema):
        migrate(connection, 1.0)
    connection.close()
