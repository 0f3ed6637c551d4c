"""Opening a data folder: the lock, the stores, and the keys where they are needed.

The rule of this file: whatever is wrong is one StartError that names the file or setting, said before anything is read
or written with a key that does not fit. Jobs that need no key open the stores without one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from conf.errors import StartError
from conf.schema import Settings
from origin.blobs.contract import BlobError, BlobStore
from origin.blobs.opening import open_blobs
from origin.catalog.contract import CatalogError, Tables
from origin.catalog.sqlite.store import SqliteCatalog
from origin.seal.keyring import KEY_BYTES, NONCE_BYTES, KeyRing, StoreKeys, Wrapped, WrongKey
from origin.service.folder import FolderLock, make_folder, master_keys
from origin.service.steps import Observer
from origin.service.stores import BareStores, Stores

CATALOG = "catalog.sqlite"
STORE_KEY = "store key"
STORE_KEY_ID = "store key id"
LOG = "log"
"""The name of the feed's log: cursors of another log, or of the time before a restore, mean nothing."""
_EPOCH = "epoch"


def new_log() -> bytes:
    """A name that no log had before."""
    return os.urandom(8).hex().encode()


def open_stores(settings: Settings, clock: Callable[[], float], observe: Observer) -> tuple[FolderLock, Stores, str]:
    """Lock, stores with keys, and the name of the feed's log; the first opening makes everything. Raises StartError."""
    with _locked(settings) as (lock, path):
        day = time.strftime("%Y-%m-%d", time.gmtime(clock()))
        ring = master_keys(settings, path, KeyRing({f"{day}-{os.urandom(4).hex()}": os.urandom(KEY_BYTES)}))
        with _catalog(path, settings) as catalog:
            keys, epoch, log = _begin(settings, catalog, ring)
            blobs = blob_store(path.parent, settings)
            stores = Stores(settings, catalog, blobs, ring, keys, epoch=epoch, clock=clock, observe=observe)
            return lock, stores, log


def open_bare(settings: Settings, clock: Callable[[], float] = time.time) -> tuple[FolderLock, BareStores]:
    """Lock and stores of a data folder that exists, without any key. Raises StartError."""
    if not (settings.origin_data / CATALOG).exists():
        raise StartError(f"there is no catalog in {settings.origin_data} (data)")
    with _locked(settings) as (lock, path), _catalog(path, settings) as catalog:
        try:
            epoch = catalog.write(_next_epoch).result()
        except CatalogError as error:
            raise _unwritable(settings, error) from error
        return lock, BareStores(settings, catalog, blob_store(path.parent, settings), epoch=epoch, clock=clock)


@contextmanager
def _locked(settings: Settings) -> Iterator[tuple[FolderLock, Path]]:
    """The folder's lock, released where opening fails, and the catalog's path."""
    folder = settings.origin_data
    make_folder(settings.data, "data")
    make_folder(folder, "data")
    lock = FolderLock(folder / "lock")
    try:
        yield lock, folder / CATALOG
    except BaseException:
        lock.close()
        raise


@contextmanager
def _catalog(path: Path, settings: Settings) -> Iterator[SqliteCatalog]:
    """The catalog, closed where opening fails later."""
    try:
        catalog = SqliteCatalog(path, sync=settings.origin.sync)
    except CatalogError as error:
        raise StartError(f"the catalog {path} (data) cannot be opened: {error}") from error
    try:
        yield catalog
    except BaseException:
        catalog.close()
        raise


def blob_store(folder: Path, settings: Settings) -> BlobStore:
    """The store of bytes that the settings name. Raises StartError."""
    try:
        return open_blobs(settings, folder)
    except OSError as error:
        raise StartError(f"the blobs in {folder} (data) cannot be opened: {error}") from error
    except BlobError as error:
        place = f"{settings.blobs.endpoint or 'AWS'}/{settings.blobs.bucket}"
        raise StartError(f"the blobs in {place} (blobs.bucket) cannot be opened: {error}") from error


def _next_epoch(tables: Tables) -> int:
    epoch = int(tables.meta.get(_EPOCH) or b"0") + 1
    tables.meta.set(_EPOCH, str(epoch).encode())
    return epoch


def _begin(settings: Settings, catalog: SqliteCatalog, ring: KeyRing) -> tuple[StoreKeys, int, str]:
    """Store key, process epoch and log name; the first start makes them. Raises StartError for a wrong key."""
    store_key, nonce, log = os.urandom(KEY_BYTES), os.urandom(NONCE_BYTES), new_log()

    def transact(tables: Tables) -> tuple[bytes, int, str]:
        meta = tables.meta
        sealed, key_id = meta.get(STORE_KEY), meta.get(STORE_KEY_ID)
        if sealed is None or key_id is None:
            wrapped = ring.wrap(store_key, STORE_KEY.encode(), nonce)
            meta.set(STORE_KEY, wrapped.data)
            meta.set(STORE_KEY_ID, wrapped.key_id.encode())
            meta.set(LOG, log)
            opened = store_key
        else:
            opened = ring.unwrap(Wrapped(key_id.decode(), sealed), STORE_KEY.encode())
            _check_ring(tables, ring)
        return opened, _next_epoch(tables), (meta.get(LOG) or b"").decode()

    try:
        opened, epoch, name = catalog.write(transact).result()
    except WrongKey as error:
        raise StartError(f"the master key {settings.master_key} (master_key_file) is the wrong one: {error}") from error
    except CatalogError as error:
        raise _unwritable(settings, error) from error
    return StoreKeys(opened), epoch, name


def _check_ring(tables: Tables, ring: KeyRing) -> None:
    """Raise WrongKey where a blob's key is wrapped by a master key that is missing or another one."""
    for key_id in tables.upkeep.wrapping():
        for blob in tables.upkeep.wrapped_by(key_id, 1):
            assert blob.wrapped is not None
            ring.unwrap(Wrapped(key_id, blob.wrapped), blob.id)


def _unwritable(settings: Settings, error: CatalogError) -> StartError:
    return StartError(f"the catalog in {settings.origin_data} (data) cannot be written: {error}")
