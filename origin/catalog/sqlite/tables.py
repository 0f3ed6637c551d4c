"""All nouns of the contract over one connection."""

from __future__ import annotations

import apsw

from origin.catalog.sqlite.accounts import Backups, Quotas
from origin.catalog.sqlite.bodies import Bodies
from origin.catalog.sqlite.buckets import Buckets, Events
from origin.catalog.sqlite.content import Blobs, Manifests
from origin.catalog.sqlite.owners import Meta, Owners
from origin.catalog.sqlite.upkeep import Upkeep
from origin.catalog.sqlite.uploads import Uploads
from origin.catalog.sqlite.versions import Versions


class SqliteTables:
    """contract.Tables over one connection."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.meta = Meta(connection)
        self.owners = Owners(connection)
        self.buckets = Buckets(connection)
        self.versions = Versions(connection)
        self.manifests = Manifests(connection)
        self.bodies = Bodies(connection)
        self.blobs = Blobs(connection)
        self.uploads = Uploads(connection)
        self.events = Events(connection)
        self.upkeep = Upkeep(connection)
        self.quotas = Quotas(connection)
        self.backups = Backups(connection)

    def forget(self) -> None:
        """Forget what was read: the snapshot ends, or what was changed in it is undone."""
        self.buckets.forget()
        self.quotas.forget()
