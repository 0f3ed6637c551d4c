"""The master keys of a running store: listing, adding and retiring them.

The rule of this file: the key file is durable before a key wraps anything, and a key leaves it only when nothing needs
it: no blob, not the store key, no named backup. A write that wrapped its blob's key under a key retired before it
commits is refused at its commit (placing.py), so that check and removal need no pause.
"""

from __future__ import annotations

import time
from typing import Any

from origin.catalog.contract import Tables
from origin.seal.keyring import KEY_BYTES, BadKeyFile, KeyRing
from origin.service.folder import replace_secret
from origin.service.model import ServiceError
from origin.service.opening import STORE_KEY_ID
from origin.service.stores import Stores

JSON = dict[str, Any]


class MasterKeys:
    """`Service.master_keys`."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._path = stores.settings.master_key

    async def list(self) -> list[JSON]:
        """Every key with what needs it, the active one last."""
        wrapped, store_key, backups = await self._stores.read(_needs)
        ring = self._stores.ring
        return [
            {
                "id": key_id,
                "fingerprint": ring.fingerprint(key_id),
                "active": key_id == ring.active,
                "blobs": wrapped.get(key_id, 0),
                "store_key": key_id == store_key,
                "backups": backups.get(key_id, []),
            }
            for key_id in ring.ids
        ]

    async def add(self, key_id: str | None = None) -> JSON:
        """Make a key that wraps whatever is new from now on; without an id it gets one. Raises ServiceError."""
        stores = self._stores
        day = time.strftime("%Y-%m-%d", time.gmtime(stores.clock()))
        name = key_id or f"{day}-{stores.random(4).hex()}"
        try:
            ring = self._read().added(name, stores.random(KEY_BYTES))
        except BadKeyFile as error:
            raise ServiceError("InvalidArgument", f"The key {name} cannot be added: {error}.") from error
        await self._replace(ring)
        stores.ring = ring
        return {"id": name, "fingerprint": ring.fingerprint(name), "file": str(self._path)}

    async def retire(self, key_id: str) -> JSON:
        """Take a key out of the file. Raises ServiceError: NoSuchKey, KeyInUse with what needs it."""
        stores = self._stores
        before = self._read()
        if key_id not in before:
            raise ServiceError("NoSuchKey", f"There is no master key {key_id}.")
        if key_id == before.active:
            raise ServiceError("KeyInUse", f"The key {key_id} wraps what is new; add another one first.")
        after = before.without(key_id)

        def transact(tables: Tables) -> None:
            wrapped, store_key, backups = _needs(tables)
            needs = [f"{wrapped[key_id]} blobs"] if key_id in wrapped else []
            needs += ["the store key"] if key_id == store_key else []
            needs += [f"the backup {name}" for name in backups.get(key_id, [])]
            if needs:
                raise ServiceError(
                    "KeyInUse", f"The key {key_id} is needed by {', '.join(needs)}: rotate first, forget backups."
                )
            # From here on, in the writer's order, nothing that this key wrapped is taken in.
            stores.ring = after

        await stores.write(transact)
        try:
            await self._replace(after)
        except ServiceError:
            stores.ring = before
            raise
        return {"retired": key_id}

    def _read(self) -> KeyRing:
        try:
            return KeyRing.parse(self._path.read_text())
        except (OSError, ValueError) as error:
            raise ServiceError("InvalidRequest", f"The key file {self._path} cannot be read: {error}.") from error

    async def _replace(self, ring: KeyRing) -> None:
        def work() -> None:
            try:
                replace_secret(self._path, ring.render())
            except OSError as error:
                raise ServiceError(
                    "InvalidRequest", f"The key file {self._path} cannot be replaced: {error.strerror}."
                ) from error

        await self._stores.working(work)


def _needs(tables: Tables) -> tuple[dict[str, int], str, dict[str, list[str]]]:
    """Blobs by the key that wraps theirs, the key of the store key, and the backups by the keys they need."""
    backups: dict[str, list[str]] = {}
    for backup in tables.backups.all():
        for key_id in backup.key_ids:
            backups.setdefault(key_id, []).append(backup.name)
    return tables.upkeep.wrapped(), (tables.meta.get(STORE_KEY_ID) or b"").decode(), backups
