"""What administration can ask of an origin: one table of errands, by name.

The rule of this file: an errand is a wish (checked as it is decoded) and a function of the opened stores, or of the
whole service where keys are needed. The admin socket and the commands run the same functions, so it makes no difference
to anybody whether a server runs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import msgspec

from origin.admin import keys, wishes
from origin.jobs.backup import backup, forget
from origin.jobs.check import check
from origin.jobs.collect import collect_once
from origin.jobs.migrate.wish import Migration
from origin.jobs.move import move
from origin.jobs.progress import Tell
from origin.jobs.rewrap import rewrap
from origin.jobs.scrub import scrub
from origin.service.quota import Quotas
from origin.service.service import Service
from origin.service.stores import BareStores

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Errand:
    """An errand. `bare` runs on stores without keys, `full` on the service; one of both is there."""

    wish: type[msgspec.Struct]
    bare: Callable[[BareStores, Any, Tell], Awaitable[Any]] | None = None
    full: Callable[[Service, Any, Tell], Awaitable[Any]] | None = None

    async def run(self, service: Service, wish: msgspec.Struct, tell: Tell) -> Any:
        """Do it on an opened service. Raises ServiceError."""
        if self.bare is not None:
            return await self.bare(service.stores, wish, tell)
        assert self.full is not None
        return await self.full(service, wish, tell)


async def _collect(stores: BareStores, _: wishes.Nothing, tell: Tell) -> JSON:
    return asdict(await collect_once(stores, stores.clock(), tell=tell))


async def _check(stores: BareStores, wish: wishes.Check, tell: Tell) -> JSON:
    return (await check(stores, repair=wish.repair, tell=tell)).document()


async def _scrub(stores: BareStores, wish: wishes.Scrub, tell: Tell) -> JSON:
    return (await scrub(stores, rate=wish.rate, restart=wish.restart, tell=tell)).document()


async def _move(stores: BareStores, _: wishes.Nothing, tell: Tell) -> JSON:
    return (await move(stores, tell=tell)).document()


async def _rotate(service: Service, _: wishes.Nothing, tell: Tell) -> JSON:
    return await rewrap(service.stores, tell=tell)


async def _list_master_keys(service: Service, _: wishes.Nothing, __: Tell) -> list[JSON]:
    return await service.master_keys.list()


async def _add_master_key(service: Service, wish: wishes.MasterKey, _: Tell) -> JSON:
    return await service.master_keys.add(wish.id)


async def _retire_master_key(service: Service, wish: wishes.MasterKey, _: Tell) -> JSON:
    return await service.master_keys.retire(cast(str, wish.id))


async def _get_quota(stores: BareStores, wish: wishes.Bucket, _: Tell) -> JSON:
    return await Quotas(stores).get(wish.bucket)


async def _set_quota(stores: BareStores, wish: wishes.Quota, _: Tell) -> JSON:
    return await Quotas(stores).set(wish.bucket, objects=wish.objects, size=wish.bytes)


async def _back_up(stores: BareStores, wish: wishes.Backup, tell: Tell) -> JSON:
    return cast(JSON, msgspec.to_builtins(await backup(stores, Path(wish.folder), wish.name, tell=tell)))


async def _list_backups(stores: BareStores, _: wishes.Nothing, __: Tell) -> list[JSON]:
    return [asdict(row) for row in await stores.read(lambda tables: tables.backups.all())]


async def _forget_backup(stores: BareStores, wish: wishes.BackupName, _: Tell) -> JSON:
    return await forget(stores, wish.name)


async def _migrate(service: Service, wish: Migration, tell: Tell) -> JSON:
    from origin.admin.settings import bring  # boto3 takes 0.3 s to import
    from origin.jobs.migrate.run import migrate

    done = await migrate(service, wish, tell)
    if wish.settings and not wish.dry_run:
        done["settings"], refused = await bring(service, wish)
        done["failed"] += len(refused)
        done["reasons"] |= {f"the bucket's {name}: {reason}": 1 for name, reason in refused.items()}
    return done


ERRANDS: dict[str, Errand] = {
    "key-add": Errand(wishes.Key, full=keys.add),
    "key-list": Errand(wishes.Nothing, full=keys.list_all),
    "key-remove": Errand(wishes.KeyName, full=keys.remove),
    "collect": Errand(wishes.Nothing, bare=_collect),
    "check": Errand(wishes.Check, bare=_check),
    "scrub": Errand(wishes.Scrub, bare=_scrub),
    "move": Errand(wishes.Nothing, bare=_move),
    "keyring-list": Errand(wishes.Nothing, full=_list_master_keys),
    "keyring-add": Errand(wishes.MasterKey, full=_add_master_key),
    "keyring-rotate": Errand(wishes.Nothing, full=_rotate),
    "keyring-retire": Errand(wishes.MasterKey, full=_retire_master_key),
    "backup": Errand(wishes.Backup, bare=_back_up),
    "backup-list": Errand(wishes.Nothing, bare=_list_backups),
    "backup-forget": Errand(wishes.BackupName, bare=_forget_backup),
    "quota-get": Errand(wishes.Bucket, bare=_get_quota),
    "migrate": Errand(Migration, full=_migrate),
    "quota-set": Errand(wishes.Quota, bare=_set_quota),
}
