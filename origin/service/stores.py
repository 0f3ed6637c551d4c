"""What every room of the service shares: the two stores, the keys, threads, the clock, and the reads in progress.

The rule of this file: blocking work leaves the event loop here and nowhere else, and errors of the stores become
ServiceError here and nowhere else.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from conf.schema import Settings
from origin.blobs.contract import BlobError, BlobStore, StoreBusy, StoreFull, StoreReadOnly
from origin.catalog.contract import (
    Catalog,
    CatalogBroken,
    CatalogBusy,
    CatalogError,
    CatalogFull,
    CatalogReadOnly,
    Tables,
)
from origin.catalog.rows import BucketRow
from origin.seal.keyring import KeyRing, StoreKeys
from origin.service.model import ServiceError
from origin.service.steps import Observer

T = TypeVar("T")

READERS = 4
"""Threads that read the catalog and open blobs; each keeps a connection."""
WORKERS = 32
"""Threads that hash, seal and sync. Most of the time they wait for the disk, so there are more than cores."""


def refusal(error: Exception) -> ServiceError:
    """What a client hears of a store's error: SlowDown where trying again soon helps."""
    if isinstance(error, CatalogBroken):
        return ServiceError(
            "ServiceUnavailable", "The disk failed to store a change. Nothing is changed until the server is restarted."
        )
    if isinstance(error, (CatalogFull, StoreFull)):
        return ServiceError("InsufficientStorage", "There is not enough space left to store this.")
    if isinstance(error, (CatalogReadOnly, StoreReadOnly)):
        return ServiceError("InsufficientStorage", "The store is read-only now and takes no changes.")
    if isinstance(error, (CatalogBusy, StoreBusy)):
        return ServiceError("SlowDown", "The server is short of resources. Try again soon.")
    return ServiceError("InternalError", "The server could not store or read this.")


class Reads:
    """The reads in progress. Each is known by the last change that its snapshot may see."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._committed = 0
        self._running: dict[object, int] = {}

    def committed(self, mutation: int) -> None:
        """A change is durable: snapshots that begin from now on see it."""
        with self._lock:
            self._committed = max(self._committed, mutation)

    def begin(self) -> object:
        """Announce a read, before its snapshot is taken. Returns what `end` takes."""
        token = object()
        with self._lock:
            self._running[token] = self._committed
        return token

    def end(self, token: object) -> None:
        """The read holds no file and needs none. May be called twice."""
        with self._lock:
            self._running.pop(token, None)

    def oldest(self) -> int:
        """What was removed in a change up to this one is out of sight of every read in progress."""
        with self._lock:
            return min(self._running.values(), default=self._committed)


class BareStores:
    """Opened stores without keys: what collects, checks, scrubs and copies needs none.

    `epoch` is this process's among those that had the stores; `clock` gives seconds since 1970.
    """

    def __init__(
        self, settings: Settings, catalog: Catalog, blobs: BlobStore, *, epoch: int, clock: Callable[[], float]
    ) -> None:
        self.settings = settings
        self.catalog = catalog
        self.blobs = blobs
        self.epoch = epoch
        self.clock = clock
        self.reads = Reads()
        self.collecting = asyncio.Lock()
        """Held by the one round of collection that may run."""
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="read")
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="work")
        self.reads.committed(catalog.read(lambda tables: tables.meta.mutations()))
        catalog.on_commit(lambda _position, mutation: self.reads.committed(mutation))

    async def write(self, function: Callable[[Tables], T]) -> T:
        """Run a transaction function; returns after its commit. Raises what it raised, else ServiceError."""
        try:
            return await asyncio.wrap_future(self.catalog.write(function))
        except CatalogError as error:
            raise refusal(error) from error

    async def write_brief(self, function: Callable[[Tables], T]) -> T:
        """As `write`, for a function of a few statements: it may run in a turn of this loop."""
        promise: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.catalog.write_brief(function, promise)
        try:
            return await promise
        except CatalogError as error:
            raise refusal(error) from error

    async def read(self, function: Callable[[Tables], T]) -> T:
        """Run a function in one snapshot, in a thread. Raises what it raised, else ServiceError."""
        return await self.reading(lambda: self.catalog.read(function))

    async def bucket(self, name: str) -> BucketRow | None:
        """A bucket as of the last commit; costs no I/O when it is known. Raises ServiceError."""
        known = self.catalog.known_bucket(name)
        return known if known is not None else await self.reading(lambda: self.catalog.bucket(name))

    async def reading(self, function: Callable[[], T]) -> T:
        """Run blocking work of a read in a thread."""
        return await self._in_thread(self._readers, function)

    async def working(self, function: Callable[[], T]) -> T:
        """Run blocking work of a write in a thread."""
        return await self._in_thread(self._workers, function)

    async def _in_thread(self, pool: ThreadPoolExecutor, function: Callable[[], T]) -> T:
        """A task cancelled meanwhile ends only after the thread did, so nothing happens behind its back."""
        future = asyncio.get_running_loop().run_in_executor(pool, function)
        try:
            return await finished(future)
        except (CatalogError, BlobError) as error:
            raise refusal(error) from error

    def room(self, length: int) -> None:
        """Return where `length` more bytes leave the reserve of free space untouched. Raises ServiceError."""
        try:
            self.blobs.room(length)
        except BlobError as error:
            raise refusal(error) from error

    def close(self) -> None:
        """Finish what is queued and close the stores."""
        self._workers.shutdown()
        self._readers.shutdown()
        self.catalog.close()
        self.blobs.close()


class Stores(BareStores):
    """Opened stores and their keys. Made by `Service.open`; `observe` hears of the steps of a write."""

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        blobs: BlobStore,
        ring: KeyRing,
        keys: StoreKeys,
        *,
        epoch: int,
        clock: Callable[[], float],
        observe: Observer,
    ) -> None:
        super().__init__(settings, catalog, blobs, epoch=epoch, clock=clock)
        self.ring = ring
        self.keys = keys
        self.observe = observe
        self.random = os.urandom


async def finished(future: asyncio.Future[T]) -> T:
    """The future's result. Where the waiting task is cancelled, that takes effect when the future is done."""
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await until_done(future)
        raise


async def until_done(future: asyncio.Future[T]) -> None:
    """Return when the future is done, however it ended and however often the waiting task is cancelled meanwhile.

    For cleaning up: whoever waits here is on the way out already.
    """
    while not future.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([future])
