"""Rotation: every wrapped key is wrapped again under the active master key. Rows change, blobs do not.

The rule of this file: a batch is one transaction, and what it did leaves the set of what is left to do; so a rotation
that was interrupted is resumed by running it again, and it may run beside writers.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from origin.catalog.contract import Tables
from origin.catalog.rows import BlobRow
from origin.jobs.progress import Progress, Tell, silent
from origin.seal.keyring import NONCE_BYTES, Wrapped, WrongKey
from origin.service.model import ServiceError
from origin.service.opening import STORE_KEY, STORE_KEY_ID
from origin.service.stores import Stores

BATCH = 200
"""Rows of one transaction: it bounds how long writes wait for the rotation."""


async def rewrap(stores: Stores, *, tell: Tell = silent) -> dict[str, Any]:
    """Wrap everything under the active key; returns what was done. Raises ServiceError where a key is missing."""
    active = stores.ring.active
    counts = await stores.read(lambda tables: tables.upkeep.wrapped())
    total = sum(count for key_id, count in counts.items() if key_id != active)
    done = 0
    for key_id in counts:
        while key_id != active:
            blobs = await stores.read(partial(_wrapped_by, key_id=key_id))
            if not blobs:
                break
            wrapped = await stores.working(partial(_again, stores, blobs))
            await stores.write(partial(_store, blobs=blobs, wrapped=wrapped))
            done += len(blobs)
            tell(Progress("rotate", done, max(total, done), "keys"))
    await stores.write(partial(rewrap_store_key, stores=stores))
    return {"active": active, "rewrapped": done}


def _wrapped_by(tables: Tables, key_id: str) -> list[BlobRow]:
    return tables.upkeep.wrapped_by(key_id, BATCH)


def _again(stores: Stores, blobs: list[BlobRow]) -> list[Wrapped]:
    return [_wrap(stores, Wrapped(blob.key_id or "", blob.wrapped or b""), blob.id) for blob in blobs]


def _wrap(stores: Stores, wrapped: Wrapped, bound: bytes) -> Wrapped:
    try:
        return stores.ring.wrap(stores.ring.unwrap(wrapped, bound), bound, stores.random(NONCE_BYTES))
    except WrongKey as error:
        raise ServiceError("InvalidRequest", f"A key cannot be wrapped again: {error}.") from error


def _store(tables: Tables, blobs: list[BlobRow], wrapped: list[Wrapped]) -> None:
    for blob, fresh in zip(blobs, wrapped, strict=True):
        tables.upkeep.rewrap(blob, fresh.key_id, fresh.data)


def rewrap_store_key(tables: Tables, stores: Stores) -> None:
    """Wrap the store key under the active master key."""
    sealed, key_id = tables.meta.get(STORE_KEY), tables.meta.get(STORE_KEY_ID)
    assert sealed is not None
    assert key_id is not None
    if key_id.decode() != stores.ring.active:
        fresh = _wrap(stores, Wrapped(key_id.decode(), sealed), STORE_KEY.encode())
        tables.meta.set(STORE_KEY, fresh.data)
        tables.meta.set(STORE_KEY_ID, fresh.key_id.encode())
