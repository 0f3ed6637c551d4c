"""The service: one data folder, opened once, and the rooms that give its rows a meaning."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import structlog

from conf.errors import StartError
from conf.schema import Settings
from origin.service.access import Access
from origin.service.acls import Acls
from origin.service.adopting import Adoption
from origin.service.archives import Archives
from origin.service.buckets import Buckets
from origin.service.duplicates import Duplicates
from origin.service.feed import Feed
from origin.service.folder import FolderLock, read_key_file, write_key_file
from origin.service.keys import Keys
from origin.service.lifecycle import Lifecycle
from origin.service.listing import Listing
from origin.service.locks import Locks
from origin.service.masterkeys import MasterKeys
from origin.service.model import Permission, ServiceError
from origin.service.notifications import Notifications
from origin.service.objects import Objects
from origin.service.opening import open_stores
from origin.service.settings import Settings as BucketSettings
from origin.service.steps import Observer, unobserved
from origin.service.stores import Stores
from origin.service.tags import Tags
from origin.service.uploads import Uploads
from origin.service.versions import Versions

ROOT = "root"
EDGE = "edge"
_FIRST = {
    ROOT: (Permission.READ, Permission.WRITE, Permission.DELETE, Permission.ADMIN, Permission.FEED),
    EDGE: (Permission.EDGE, Permission.FEED),
}

_log = structlog.get_logger()


class Service:
    """The facade: `Service.open` in the event loop that will use it, `close` at the end."""

    def __init__(self, settings: Settings, stores: Stores, lock: FolderLock, log: str) -> None:
        self.settings = settings
        self.stores = stores
        self._lock = lock
        self._duplicates = Duplicates(stores)
        self.access = Access(stores)
        self.keys = Keys(stores)
        self.master_keys = MasterKeys(stores)
        self.acls = Acls(stores)
        self.buckets = Buckets(stores)
        self.bucket_settings = BucketSettings(stores)
        self.objects = Objects(stores, self._duplicates)
        self.listing = Listing(stores)
        self.versions = Versions(stores)
        self.tags = Tags(stores, self.bucket_settings)
        self.locks = Locks(stores)
        self.archives = Archives(stores)
        self.notifications = Notifications(stores, self.bucket_settings)
        self.lifecycle = Lifecycle(stores, self.bucket_settings)
        self.uploads = Uploads(stores, self._duplicates)
        self.adoption = Adoption(stores, self._duplicates)
        self.feed = Feed(stores, log)

    @classmethod
    async def open(
        cls,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.time,
        observe: Observer = unobserved,
    ) -> Self:
        """Lock the data folder, find or make the keys, open the stores.

        `clock` gives seconds since 1970; `observe` hears of each step of a write (see steps.py).
        Raises conf.errors.StartError with one sentence that names the file or setting.
        """
        lock, stores, log = await asyncio.to_thread(open_stores, settings, clock, observe)
        stores.catalog.lend(asyncio.get_running_loop())
        service = cls(settings, stores, lock, log)
        try:
            await _first_keys(service)
        except BaseException:
            await service.close()
            raise
        return service

    async def close(self) -> None:
        """Finish what is committed, close the stores, unlock the folder."""
        self.feed.close()
        await self._duplicates.idle()
        await asyncio.to_thread(self.stores.close)
        self._lock.close()


async def _first_keys(service: Service) -> None:
    """Make root key and edge key where they are missing.

    A key's file is written before the catalog knows the key, and a file that is there is taken up, so a start that was
    cut short loses no secret. The owner may take the root key's file away; an edge cannot do without its own.
    """
    settings = service.settings
    try:
        if settings.root_access_key is not None and settings.root_secret_key is not None:
            await _add_key(service, ROOT, settings.root_access_key, settings.root_secret_key)
        elif settings.root_key.exists() or not await _owner_has_key(service, ROOT):
            await _key_in_file(service, ROOT, settings.root_key)
        if settings.edge.key_file is None:
            await _key_in_file(service, EDGE, settings.edge_key)
        for account in settings.accounts:
            await service.keys.introduce(account.name, account.id, account.display, account.email)
            await _add_key(service, account.name, account.access_key, account.secret_key)
    except ServiceError as error:
        raise StartError(f"the keys of {settings.data} (data) cannot be made: {error.message}") from error


async def _owner_has_key(service: Service, owner: str) -> bool:
    return any(key.owner.name == owner for key in await service.keys.list())


async def _key_in_file(service: Service, owner: str, path: Path) -> None:
    """Make the key that the file names known; make the file where it is missing."""
    pair = read_key_file(path)
    if pair is None:
        pair = service.keys.generate()
        write_key_file(path, *pair)
        _log.info("key made", owner=owner, file=str(path))
    await _add_key(service, owner, *pair)


async def _add_key(service: Service, owner: str, access_key: str, secret: str) -> None:
    """Add a key of ours, or take over its new secret. Raises StartError where somebody else has the access key."""
    found = await service.keys.secret(access_key)
    if found is not None and found[0].owner.name != owner:
        raise StartError(
            f"the access key {access_key} of {owner} (root_access_key, accounts) belongs to {found[0].owner.name}"
        )
    if found is not None and found[1] == secret:
        return
    if found is not None:
        await service.keys.remove(access_key)
    await service.keys.add(
        owner=owner, access_key=access_key, secret_key=secret, permissions=_FIRST.get(owner, _FIRST[ROOT])
    )
