"""The SQLite schema, and the way from every earlier one to it.

The rule of this file: a step that was ever released is never edited; a change is a new step at the end. Steps run in
one transaction each, and `migrations` says when. Tables carry what versioning, object lock and tags need, because a
column added later costs nothing but a meaning added later costs a rewrite.
"""

from __future__ import annotations

from typing import Any

import apsw

from origin.catalog.contract import UnknownSchema
from origin.catalog.sqlite.bodies import checksum

STEPS: tuple[str, ...] = (
    """
    CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID, STRICT;
    CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID, STRICT;
    INSERT INTO counters VALUES ('mutation', 0), ('position', 0), ('floor', 0);

    CREATE TABLE owners (
        id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, display TEXT NOT NULL, created REAL NOT NULL
    ) WITHOUT ROWID, STRICT;
    CREATE TABLE keys (
        access_key TEXT PRIMARY KEY, owner TEXT NOT NULL, secret BLOB NOT NULL, permissions TEXT NOT NULL,
        buckets TEXT, allow_delete TEXT NOT NULL, policy TEXT, created REAL NOT NULL
    ) WITHOUT ROWID, STRICT;

    CREATE TABLE buckets (
        number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, owner TEXT NOT NULL,
        created REAL NOT NULL, acl TEXT NOT NULL, region TEXT NOT NULL, versioning TEXT NOT NULL DEFAULT 'never'
    ) STRICT;
    CREATE INDEX buckets_of_owner ON buckets (owner, name);

    CREATE TABLE versions (
        sequence INTEGER PRIMARY KEY, bucket INTEGER NOT NULL, key BLOB NOT NULL, version_id TEXT NOT NULL,
        latest INTEGER NOT NULL, marker INTEGER NOT NULL, owner TEXT NOT NULL, created REAL NOT NULL,
        content_type TEXT NOT NULL, headers TEXT NOT NULL, metadata TEXT NOT NULL, acl TEXT NOT NULL,
        storage_class TEXT NOT NULL, manifest INTEGER, size INTEGER NOT NULL, seal_id BLOB NOT NULL,
        digests BLOB NOT NULL, tags TEXT, lock_mode TEXT, lock_until REAL, legal_hold INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE UNIQUE INDEX versions_of_key ON versions (bucket, key, sequence DESC);
    CREATE UNIQUE INDEX live_keys ON versions (bucket, key) WHERE latest = 1 AND marker = 0;

    CREATE TABLE manifests (
        number INTEGER PRIMARY KEY AUTOINCREMENT, refs INTEGER NOT NULL, size INTEGER NOT NULL,
        identity BLOB NOT NULL, seal_id BLOB NOT NULL, parts TEXT, doomed_at REAL, doomed_in INTEGER, inline BLOB
    ) STRICT;
    CREATE INDEX doomed_manifests ON manifests (doomed_in) WHERE doomed_in IS NOT NULL;
    CREATE TABLE segments (
        manifest INTEGER NOT NULL, "end" INTEGER NOT NULL, "offset" INTEGER NOT NULL, blob INTEGER NOT NULL,
        blob_offset INTEGER NOT NULL, PRIMARY KEY (manifest, "end")
    ) WITHOUT ROWID, STRICT;

    CREATE TABLE blobs (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE, fingerprint BLOB NOT NULL,
        size INTEGER NOT NULL, stored INTEGER NOT NULL, checksum BLOB NOT NULL, key_id TEXT, wrapped BLOB,
        refs INTEGER NOT NULL, state INTEGER NOT NULL, flagged INTEGER NOT NULL DEFAULT 0, verified_at REAL,
        doomed_at REAL, doomed_in INTEGER
    ) STRICT;
    CREATE UNIQUE INDEX blobs_by_fingerprint ON blobs (fingerprint) WHERE state < 2;
    CREATE INDEX blobs_leaving ON blobs (state, doomed_in) WHERE state > 0;
    CREATE TABLE pending (
        id BLOB PRIMARY KEY, epoch INTEGER NOT NULL, created REAL NOT NULL
    ) WITHOUT ROWID, STRICT;
    CREATE INDEX pending_by_epoch ON pending (epoch);

    CREATE TABLE uploads (
        id TEXT PRIMARY KEY, bucket INTEGER NOT NULL, key BLOB NOT NULL, owner TEXT NOT NULL, created REAL NOT NULL,
        content_type TEXT NOT NULL, headers TEXT NOT NULL, metadata TEXT NOT NULL, acl TEXT NOT NULL,
        storage_class TEXT NOT NULL, checksum_algorithm TEXT, checksum_type TEXT, state INTEGER NOT NULL,
        generation INTEGER NOT NULL, manifest INTEGER, sequence INTEGER, ended REAL
    ) WITHOUT ROWID, STRICT;
    CREATE INDEX open_uploads ON uploads (bucket, key, created, id) WHERE state = 0;
    CREATE INDEX finished_uploads ON uploads (ended) WHERE state > 0;
    CREATE TABLE parts (
        upload TEXT NOT NULL, number INTEGER NOT NULL, manifest INTEGER NOT NULL, size INTEGER NOT NULL,
        created REAL NOT NULL, seal_id BLOB NOT NULL, digests BLOB NOT NULL, PRIMARY KEY (upload, number)
    ) WITHOUT ROWID, STRICT;

    CREATE TABLE events (
        id INTEGER PRIMARY KEY AUTOINCREMENT, position INTEGER, time REAL NOT NULL, kind TEXT NOT NULL,
        bucket TEXT NOT NULL, key BLOB, version TEXT, counter INTEGER NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX events_by_position ON events (position) WHERE position IS NOT NULL;
    CREATE INDEX events_without_position ON events (id) WHERE position IS NULL;
    """,
    """
    ALTER TABLE buckets ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
    """,
    """
    CREATE TABLE usage (
        bucket INTEGER PRIMARY KEY, objects INTEGER NOT NULL, bytes INTEGER NOT NULL, uploading INTEGER NOT NULL,
        max_objects INTEGER, max_bytes INTEGER
    ) STRICT;
    ALTER TABLE uploads ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
    UPDATE uploads SET bytes = (SELECT ifnull(sum(p.size), 0) FROM parts p WHERE p.upload = uploads.id);
    INSERT INTO usage SELECT b.number,
        (SELECT ifnull(sum(1 - v.marker), 0) FROM versions v WHERE v.bucket = b.number),
        (SELECT ifnull(sum(v.size), 0) FROM versions v WHERE v.bucket = b.number),
        (SELECT ifnull(sum(u.bytes), 0) FROM uploads u WHERE u.bucket = b.number AND u.state = 0), NULL, NULL
        FROM buckets b;
    CREATE TRIGGER bucket_added AFTER INSERT ON buckets BEGIN
        INSERT INTO usage VALUES (NEW.number, 0, 0, 0, NULL, NULL);
    END;
    CREATE TRIGGER bucket_removed AFTER DELETE ON buckets BEGIN
        DELETE FROM usage WHERE bucket = OLD.number;
    END;
    CREATE TRIGGER version_added AFTER INSERT ON versions BEGIN
        UPDATE usage SET objects = objects + 1 - NEW.marker, bytes = bytes + NEW.size WHERE bucket = NEW.bucket;
    END;
    CREATE TRIGGER version_removed AFTER DELETE ON versions BEGIN
        UPDATE usage SET objects = objects - 1 + OLD.marker, bytes = bytes - OLD.size WHERE bucket = OLD.bucket;
    END;
    CREATE TRIGGER part_put BEFORE INSERT ON parts BEGIN
        UPDATE uploads SET bytes = bytes + NEW.size - ifnull(
            (SELECT p.size FROM parts p WHERE p.upload = NEW.upload AND p.number = NEW.number), 0
        ) WHERE id = NEW.upload;
    END;
    CREATE TRIGGER upload_changed AFTER UPDATE OF bytes, state ON uploads BEGIN
        UPDATE usage SET uploading = uploading + iif(NEW.state = 0, NEW.bytes, 0) - iif(OLD.state = 0, OLD.bytes, 0)
        WHERE bucket = NEW.bucket;
    END;
    CREATE TABLE backups (
        name TEXT PRIMARY KEY, folder TEXT NOT NULL, begun REAL NOT NULL, finished REAL, key_ids TEXT NOT NULL
    ) WITHOUT ROWID, STRICT;
    CREATE INDEX blobs_by_key ON blobs (key_id) WHERE key_id IS NOT NULL;
    CREATE INDEX blobs_by_verification ON blobs (ifnull(verified_at, 0)) WHERE state < 2;
    CREATE INDEX blobs_flagged ON blobs (number) WHERE flagged = 1;
    """,
    """
    CREATE UNIQUE INDEX versions_by_id ON versions (bucket, key, version_id);
    ALTER TABLE uploads ADD COLUMN tags TEXT NOT NULL DEFAULT '{}';
    ALTER TABLE uploads ADD COLUMN lock_mode TEXT;
    ALTER TABLE uploads ADD COLUMN lock_until REAL;
    ALTER TABLE uploads ADD COLUMN legal_hold INTEGER NOT NULL DEFAULT 0;
    """,
    """
    ALTER TABLE owners ADD COLUMN email TEXT NOT NULL DEFAULT '';
    """,
    # A snapshot in a backup has x'' for every body; one that was restored without it is bad.
    """
    CREATE TABLE bodies (
        manifest INTEGER PRIMARY KEY, checksum BLOB NOT NULL, flagged INTEGER NOT NULL DEFAULT 0,
        healed INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    INSERT INTO bodies (manifest, checksum, flagged)
        SELECT number, checksum(inline), inline = x'' FROM manifests WHERE inline IS NOT NULL;
    CREATE INDEX bodies_flagged ON bodies (manifest) WHERE flagged = 1;
    CREATE INDEX bodies_healed ON bodies (manifest) WHERE healed = 1;
    """,
    """
    ALTER TABLE events ADD COLUMN notice BLOB;
    CREATE INDEX events_with_notice ON events (position) WHERE notice IS NOT NULL;
    """,
    # A row is written whole where a reference is counted, so lists of parts have rows of their own; '' says that there
    # is one. The column stays: dropping it would write every row, and small bodies with them.
    """
    CREATE TABLE joined (manifest INTEGER PRIMARY KEY, parts TEXT NOT NULL) STRICT;
    INSERT INTO joined SELECT number, parts FROM manifests WHERE parts IS NOT NULL;
    UPDATE manifests SET parts = '' WHERE parts IS NOT NULL;
    """,
)


def _checksum(*sealed: Any) -> bytes:
    return checksum(sealed[0])


def migrate(connection: apsw.Connection, now: float) -> None:
    """Bring the schema to the newest version. Raises UnknownSchema where it is newer than this program."""
    version = int(connection.pragma("user_version"))
    if version > len(STEPS):
        raise UnknownSchema(f"the catalog has schema {version}, this program knows {len(STEPS)}")
    connection.create_scalar_function("checksum", _checksum, 1, deterministic=True)
    for number, step in enumerate(STEPS[version:], start=version + 1):
        with connection:
            connection.execute(step)
            connection.execute(
                "CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, applied REAL NOT NULL) STRICT"
            )
            connection.execute("INSERT INTO migrations VALUES (?, ?)", (number, now))
            connection.pragma("user_version", number)
