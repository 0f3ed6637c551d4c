"""The remote tier: renderings in a Redis or Valkey that several nodes share, through aiocache.

The rule of this file: it may be away, slow or wrong, and nobody notices. A question gets BUDGET and is a miss after
that; the first failure opens the breaker, and from then on nobody's request waits for it until a probe in the
background has found it again. What comes back is believed only with the checksum of its own key and bytes. Only what
is named by the origin's identity is kept there, never a record of a URL, so what is old can do no harm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol
from urllib.parse import unquote, urlsplit

import msgspec
import structlog
from blake3 import blake3

from conf.errors import StartError
from conf.remote import Remote

BUDGET: Final = 0.025
"""Seconds that a question may take."""
LARGEST: Final = 1024 * 1024
"""Bytes of a body that is kept there."""
PROBE_EVERY: Final = 5.0
"""Seconds between looks for a tier that is away."""
_PROBE_BUDGET: Final = 1.0
_PENDING: Final = 64  # writes under way; more are left out
_DIGEST: Final = 32
_PREFIX: Final = "facet:1:"

log = structlog.get_logger()


class Shared(msgspec.Struct, frozen=True, array_like=True):
    """A rendering as it is kept there."""

    content_type: str
    width: int
    height: int
    body: bytes


class Store(Protocol):
    """What is asked of aiocache."""

    async def get(self, key: str) -> Any: ...
    async def set(self, key: str, value: bytes, ttl: float) -> Any: ...
    async def delete(self, key: str) -> Any: ...
    async def close(self) -> Any: ...


def open_remote(remote: Remote) -> RemoteTier | None:
    """The tier of the settings; None where there is none. Raises StartError without its libraries."""
    if remote.url is None:
        return None
    try:
        from aiocache import RedisCache
        from aiocache.serializers import NullSerializer
    except ImportError as error:
        raise StartError(f"remote.url needs the extra remote: pip install 'facet-edge[remote]' ({error})") from None
    parts = urlsplit(remote.url)
    store = RedisCache(
        endpoint=parts.hostname,
        port=parts.port or 6379,
        db=int(parts.path.strip("/") or 0),
        password=unquote(parts.password) if parts.password else None,
        ssl=parts.scheme == "rediss",
        create_connection_timeout=_PROBE_BUDGET,
        pool_max_size=32,
        serializer=NullSerializer(encoding=None),
        timeout=0,
        connection_pool_kwargs={"username": unquote(parts.username)} if parts.username else {},
    )
    return RemoteTier(store, keep=remote.keep)


class RemoteTier:
    """The tier as the keeper uses it. `sleep` waits between probes."""

    def __init__(self, store: Store, *, keep: float, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._store = store
        self._keep = keep
        self._sleep = sleep
        self._away = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def away(self) -> bool:
        """Whether the breaker is open."""
        return self._away

    async def get(self, key: str) -> Shared | None:
        """A rendering, if it is there, sound and quick."""
        if self._away:
            return None
        try:
            async with asyncio.timeout(BUDGET):
                stored = await self._store.get(_PREFIX + key)
        except Exception as error:  # whatever a client library makes of a server that is away, slow or another
            self._failed(error)
            return None
        return _decode(key, stored) if isinstance(stored, bytes) else None

    def put(self, key: str, rendering: Shared) -> None:
        """Keep a rendering, in the background; what is too large, or too much at once, is left out."""
        if not self._away and len(rendering.body) <= LARGEST and len(self._tasks) < _PENDING:
            self._begin(self._write(key, rendering))

    def drop(self, key: str) -> None:
        """Remove a rendering, in the background."""
        if not self._away:
            self._begin(self._remove(key))

    async def close(self) -> None:
        """Leave it alone."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._store.close()

    def _begin(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write(self, key: str, rendering: Shared) -> None:
        try:
            async with asyncio.timeout(_PROBE_BUDGET):
                await self._store.set(_PREFIX + key, _encode(key, rendering), ttl=float(self._keep))
        except Exception as error:
            self._failed(error)

    async def _remove(self, key: str) -> None:
        try:
            async with asyncio.timeout(_PROBE_BUDGET):
                await self._store.delete(_PREFIX + key)
        except Exception as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        if not self._away:
            self._away = True
            log.warning("remote.away", error=type(error).__name__, probes_every=PROBE_EVERY)
            self._begin(self._probe())

    async def _probe(self) -> None:
        """Look for the tier until it answers."""
        while self._away:
            await self._sleep(PROBE_EVERY)
            try:
                async with asyncio.timeout(_PROBE_BUDGET):
                    await self._store.get(_PREFIX)
            except Exception as error:
                log.debug("remote.still-away", error=type(error).__name__)
            else:
                self._away = False
                log.info("remote.back")


def _encode(key: str, rendering: Shared) -> bytes:
    payload = msgspec.msgpack.encode(rendering)
    return blake3(key.encode() + payload).digest() + payload


def _decode(key: str, stored: bytes) -> Shared | None:
    digest, payload = stored[:_DIGEST], stored[_DIGEST:]
    if blake3(key.encode() + payload).digest() != digest:
        return None
    try:
        return msgspec.msgpack.decode(payload, type=Shared)
    except msgspec.MsgspecError:
        return None
