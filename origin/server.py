"""Settings → one origin process: listener, administration, collection, and an orderly end."""

from __future__ import annotations

import asyncio
import gc
import signal

import structlog

from conf.ready import announce
from conf.schema import Settings
from conf.sockets import bind, bound_address
from origin.admin.socket import AdminSocket
from origin.api.listener import Listener
from origin.api.s3.endpoint import Endpoint
from origin.jobs import collect, lifecycle, notify, scrub
from origin.service.service import Service
from origin.service.steps import Observer, unobserved

DRAIN = 10.0
"""How long requests in progress may take once the process is told to stop, in seconds."""
CLOSING = 1.0
"""How long what is still running after that may take to notice that it is cancelled, in seconds."""
BACKLOG = 1024


async def serve(settings: Settings, *, observe: Observer = unobserved) -> None:
    """Serve until SIGTERM or SIGINT, then drain. Raises StartError where a start cannot go on.

    `observe` hears of each step of a write (see service/steps.py).
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    sock = bind(settings.origin.listen, "origin.listen")
    service = await Service.open(settings, observe=observe)
    await notify.begin(service)
    rate, every = settings.origin.scrub_rate, settings.origin.scrub_every
    jobs = [
        asyncio.create_task(collect.run(service.stores)),
        asyncio.create_task(scrub.run(service.stores, rate=rate, every=every)),
        asyncio.create_task(lifecycle.run(service)),
        asyncio.create_task(notify.run(service)),
    ]
    try:
        endpoint = Endpoint(service, settings)
        listener = Listener(endpoint.handle)
        async with AdminSocket(service, settings.origin_data):
            server = await loop.create_server(listener, sock=sock, backlog=BACKLOG)
            url = f"http://{bound_address(sock)}"
            structlog.get_logger().info("origin listens", url=url)
            gc.freeze()  # what a start has made stays for good: no collection need look at it again
            announce("origin", url=url)
            await stop.wait()
            structlog.get_logger().info("origin stops")
            server.close()
            # aiohttp's own shutdown stops reading at once, so uploads in progress end before it.
            await endpoint.drain(DRAIN)
            await listener.shutdown(CLOSING)
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        await service.close()
