"""Bucket quotas: how many objects and logical bytes a bucket may hold.

The rules of this file: every version counts with the size its client sees, whether or not its bytes are shared, and so
do the parts of open uploads; delete markers count nothing. A quota is asked in the transaction that would exceed it,
and forbids only growing: what shrinks a bucket that is over its quota is let through.
"""

from __future__ import annotations

from typing import Any

from origin.catalog.contract import Tables
from origin.catalog.upkeep import UsageRow
from origin.service.access import no_such_bucket
from origin.service.model import ServiceError
from origin.service.stores import BareStores

JSON = dict[str, Any]


def usage_before(tables: Tables, bucket: int) -> UsageRow | None:
    """What `check_quota` needs to know of the bucket before the change; None where nothing is limited."""
    return tables.quotas.usage(bucket) if tables.quotas.limited(bucket) else None


def check_quota(tables: Tables, name: str, bucket: int, before: UsageRow | None, *, completed: int = 0) -> None:
    """Raise QuotaExceeded where the transaction made the bucket grow over its quota.

    `completed` is the bytes of the parts of an upload that became an object and are still counted as uploading.
    """
    if before is None:
        return
    after = tables.quotas.usage(bucket)
    if before.max_objects is not None and before.objects < after.objects > before.max_objects:
        raise _exceeded(name, "objects", before.max_objects)
    used, uses = before.bytes + before.uploading, after.bytes + after.uploading - completed
    if before.max_bytes is not None and used < uses > before.max_bytes:
        raise _exceeded(name, "bytes", before.max_bytes)


def _exceeded(bucket: str, unit: str, limit: int) -> ServiceError:
    return ServiceError("QuotaExceeded", f"The bucket's quota of {limit} {unit} is exceeded.", bucket=bucket)


class Quotas:
    """What `facet bucket quota` asks."""

    def __init__(self, stores: BareStores) -> None:
        self._stores = stores

    async def get(self, bucket: str) -> JSON:
        """Use and limits of a bucket. Raises ServiceError: NoSuchBucket."""
        return await self._stores.read(lambda tables: _described(tables, bucket))

    async def set(self, bucket: str, *, objects: int | None, size: int | None) -> JSON:
        """Set both limits (None: no limit); returns what `get` does. Raises ServiceError: NoSuchBucket."""

        def transact(tables: Tables) -> JSON:
            tables.quotas.limit(_number(tables, bucket), objects=objects, size=size)
            return _described(tables, bucket)

        return await self._stores.write(transact)


def _number(tables: Tables, bucket: str) -> int:
    row = tables.buckets.get(bucket)
    if row is None:
        raise no_such_bucket(bucket)
    return row.number


def _described(tables: Tables, bucket: str) -> JSON:
    usage = tables.quotas.usage(_number(tables, bucket))
    return {
        "bucket": bucket,
        "objects": usage.objects,
        "bytes": usage.bytes,
        "uploading": usage.uploading,
        "max_objects": usage.max_objects,
        "max_bytes": usage.max_bytes,
    }
