"""The keeper's process: opens the stores, follows the feed, and answers the server processes.

The rule of this file: it wires the rooms of the keeper together and decides nothing.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from contextlib import AsyncExitStack
from dataclasses import replace

import aiohttp
import structlog
from aiohttp import web

from conf.errors import StartError
from conf.ready import announce
from conf.reload import reloads
from conf.schema import Settings
from conf.sockets import bind, bound_address, unix_address
from edge.cache.epochs import Epochs
from edge.cache.files import BodyStore
from edge.cache.records import RecordStore
from edge.cache.remote import open_remote
from edge.keeper.admin import admin_app
from edge.keeper.breaker import Breakers
from edge.keeper.clients import MissLimits
from edge.keeper.feed import Follower
from edge.keeper.fill import Assets
from edge.keeper.later import Later
from edge.keeper.ledger import FolderInUse, Ledger, shares
from edge.keeper.metrics import Metrics
from edge.keeper.partial import Partials
from edge.keeper.passing import Passing
from edge.keeper.probes import Probes
from edge.keeper.purge import Purger
from edge.keeper.renderings import Renderings
from edge.keeper.rooms import Rooms
from edge.keeper.session import Sessions
from edge.keeper.slices import SliceFlights
from edge.keeper.stopping import cancelled, stop_signal
from edge.keeper.upstreams import DEFAULT_ORIGIN, Upstreams
from edge.policy.sites import Site, Sites
from edge.render.pool import RendererPool
from edge.upstream.bucket import KeyFile
from edge.upstream.http import HttpClient, UpstreamFailed

_FEED_WAIT = 5.0
"""Seconds after the start in which the feed has to be read to its end."""
_KEY_WAIT = 0.5  # seconds between looks for an edge key that is not there yet

log = structlog.get_logger()


async def keep(settings: Settings) -> None:
    """Run the keeper of this node until SIGTERM or SIGINT. Raises StartError."""
    stopping = stop_signal()
    async with AsyncExitStack() as stack:
        admin_socket = bind(settings.edge.admin, "edge.admin")
        metrics = Metrics()
        ledger, records = _open_stores(settings, metrics)
        stack.callback(ledger.close)
        stack.callback(records.close)
        epochs = Epochs.write(settings.edge_data / "epochs", base=secrets.randbits(63))
        stack.callback(epochs.close)
        bodies = BodyStore(settings.edge_data, ledger)
        sites = Sites(settings)

        renderers = RendererPool(settings.render)
        await renderers.start()
        stack.push_async_callback(renderers.close)
        client = HttpClient(settings.edge)
        stack.push_async_callback(client.close)
        key_file = KeyFile(settings.edge_key)
        upstreams = Upstreams(settings, client, key_file, Breakers(time.monotonic))
        remote = open_remote(settings.remote)
        if remote is not None:
            stack.push_async_callback(remote.close)
        purger = Purger(epochs, records, metrics, remote)
        probes = Probes(settings, records=records, bodies=bodies, renderers=renderers)
        stack.push_async_callback(probes.close)
        assets = Assets(
            settings,
            upstreams=upstreams,
            records=records,
            bodies=bodies,
            epochs=epochs,
            probes=probes,
            purger=purger,
            metrics=metrics,
        )
        stack.push_async_callback(assets.close)
        renderings = Renderings(
            records=records, bodies=bodies, renderers=renderers, purger=purger, metrics=metrics, remote=remote
        )
        stack.push_async_callback(renderings.close)
        later = Later(settings.render, records=records, bodies=bodies, renderers=renderers, metrics=metrics)
        slices = SliceFlights(assets=assets, upstreams=upstreams, bodies=bodies, purger=purger, metrics=metrics)
        stack.push_async_callback(slices.close)
        passing = Passing(
            assets=assets,
            upstreams=upstreams,
            records=records,
            purger=purger,
            partials=Partials(assets, records, bodies),
        )
        stack.push_async_callback(passing.close)
        rooms = Rooms(
            settings,
            sites,
            records,
            bodies,
            ledger,
            assets,
            slices,
            passing,
            probes,
            renderings,
            later,
            purger,
            metrics,
            MissLimits(settings.guard.misses, settings.guard.miss_burst, time.monotonic),
        )

        session = await stack.enter_async_context(aiohttp.ClientSession())
        follower = _follow(settings, key_file, session, purger, epochs, metrics)
        unled = _without_feed(epochs, purger, [site for site in sites if site.at_bucket])
        sessions = Sessions(rooms)
        stack.push_async_callback(sessions.close)
        named: dict[str, Site] = {site.name: site for site in sites}

        def take_over(fresh: Settings) -> None:
            anew = Sites(fresh)
            misses = MissLimits(fresh.guard.misses, fresh.guard.miss_burst, time.monotonic)
            assets.take_over(fresh)
            upstreams.take_over(fresh)
            sessions.rooms = replace(sessions.rooms, settings=fresh, sites=anew, misses=misses)
            named.clear()
            named.update({site.name: site for site in anew})

        await stack.enter_async_context(cancelled(purger.run(), follower, unled, later.run(), reloads(take_over)))
        server = await _listen(settings, sessions)
        stack.callback(server.close)
        runner = web.AppRunner(
            admin_app(
                metrics=metrics,
                purger=purger,
                match=lambda host, path: sessions.rooms.sites.match(host, path),
                named=named,
                ready=lambda: None if epochs.settled else "what has changed at the origin has not been read yet",
            ),
            access_log=None,
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.SockSite(runner, admin_socket).start()
        announce("keeper", admin=f"http://{bound_address(admin_socket)}")
        log.info("the keeper is ready", disk_used=ledger.used)
        await stopping.wait()
        log.info("the keeper stops")


def _open_stores(settings: Settings, metrics: Metrics) -> tuple[Ledger, RecordStore]:
    """The disk tier: what is on it that no record names is removed. Raises StartError."""
    share = shares(settings.edge.disk)
    dropped: list[str] = []
    ledger: Ledger | None = None

    def drop(key: str) -> None:
        if ledger is None:
            dropped.append(key)
        else:
            ledger.discard(key)

    try:
        records = RecordStore(settings.edge_data / "records", share.records, writable=True, on_drop=drop)
        ledger = Ledger.open(
            settings.edge_data,
            limit=share.bodies,
            floor=settings.edge.disk_floor,
            metrics=metrics,
            known=records.body_keys(),
        )
    except FolderInUse:
        raise StartError(f"data is {settings.data}: another keeper works in {settings.edge_data}") from None
    except OSError as error:
        raise StartError(f"data is {settings.data}: {settings.edge_data} cannot be used: {error}") from None
    for key in dropped:
        ledger.discard(key)
    return ledger, records


async def _listen(settings: Settings, sessions: Sessions) -> asyncio.Server:
    """Answer server processes on the keeper's socket; one that a killed keeper left is replaced."""
    path = settings.edge_data / "keeper.sock"
    path.unlink(missing_ok=True)
    with unix_address(path) as address:
        server = await asyncio.start_unix_server(sessions.accept, str(address))
    path.chmod(0o600)
    return server


async def _without_feed(epochs: Epochs, purger: Purger, sites: list[Site]) -> None:
    """Where there is no feed to read: what is stored from before is asked for again, and what comes is `revalidate`d.

    Else every request would be asked for again until there is one.
    """
    await asyncio.sleep(_FEED_WAIT)
    if not epochs.settled:
        log.warning("the feed cannot be read", action="what is stored is revalidated before use", sites=len(sites))
        await purger.revalidate_sites(sites)
        epochs.settle()
    await asyncio.Event().wait()


async def _follow(
    settings: Settings,
    key_file: KeyFile,
    session: aiohttp.ClientSession,
    purger: Purger,
    epochs: Epochs,
    metrics: Metrics,
) -> None:
    """Follow the origin's feed, once there is a key to ask with."""
    while True:
        try:
            key = key_file.key()
            break
        except UpstreamFailed:
            await asyncio.sleep(_KEY_WAIT)
    await Follower(
        origin=settings.edge.origin or DEFAULT_ORIGIN,
        access_key=key.access_key,
        secret_key=key.secret_key,
        session=session,
        purger=purger,
        epochs=epochs,
        cursor_file=settings.edge_data / "cursor",
        metrics=metrics,
        clock=time.time,
        jitter=random.random,
    ).run()
