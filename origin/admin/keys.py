"""Errands about access keys."""

from __future__ import annotations

from typing import Any

from origin.admin import wishes
from origin.jobs.progress import Tell
from origin.service.limits import is_bucket_name
from origin.service.model import Key, ServiceError
from origin.service.service import Service

JSON = dict[str, Any]


async def add(service: Service, wish: wishes.Key, _: Tell) -> JSON:
    """Make the key; the answer is the only place where its secret ever stands. Raises ServiceError."""
    for bucket in wish.buckets or ():
        if not is_bucket_name(bucket):
            raise ServiceError("InvalidArgument", f"{bucket!r} is not a bucket's name.")
    made = await service.keys.add(
        owner=wish.owner,
        access_key=wish.access_key,
        secret_key=wish.secret_key,
        permissions=wish.allow,
        buckets=wish.buckets,
        allow_delete=wish.allow_delete,
        policy=wish.policy,
    )
    described = _described(made.key)
    return {"access_key": described.pop("access_key"), "secret_key": made.secret, **described}


async def list_all(service: Service, _: wishes.Nothing, __: Tell) -> list[JSON]:
    """Every key, without secrets."""
    return [_described(key) for key in await service.keys.list()]


async def remove(service: Service, wish: wishes.KeyName, _: Tell) -> JSON:
    """Forget a key. Raises ServiceError (NoSuchKey) where there is none of that name."""
    if not await service.keys.remove(wish.access_key):
        raise ServiceError("NoSuchKey", f"there is no key {wish.access_key}")
    return {"removed": wish.access_key}


def _described(key: Key) -> JSON:
    return {
        "access_key": key.access_key,
        "owner": key.owner.name,
        "owner_id": key.owner.id,
        "allow": sorted(key.permissions),
        "buckets": None if key.buckets is None else sorted(key.buckets),
        "allow_delete": list(key.allow_delete),
        "policy": key.policy is not None,
    }
