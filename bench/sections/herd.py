"""Many clients that ask at once for pictures that nobody has asked for before."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager

import aiohttp
from aiohttp import web

from bench.cells import OURS, Cell, Run, Target, compare
from bench.context import Context, Section, take_turns
from bench.load import cpu_seconds, family
from bench.peers import free_port, nginx_before
from bench.running import running
from demo import pictures

CLIENTS = {False: 200, True: 1000}
HOST = "herd.test"
SIZE = 200_000
PICTURES = 5
"""As many as a post has: four pictures and the thumbnail of its card."""

METHOD = (
    "1,000 clients (short: 200) come at one moment and read the same five pictures of 200 KB that neither cache "
    "has: what happens when a much followed account posts. One upstream counts what reaches it. Nobody renders "
    "here: clients name no format, as fediverse servers do. nginx has proxy_cache_lock on."
)


class Upstream:
    """A web server that counts, and is slow enough that everybody is there before the first answer is complete."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.asked: Counter[str] = Counter()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked[request.path] += 1
        await asyncio.sleep(0.2)
        headers = {"Content-Type": "image/jpeg", "Cache-Control": "max-age=3600", "ETag": f'"{request.path}"'}
        return web.Response(body=self.content, headers=headers)


@asynccontextmanager
async def serving(upstream: Upstream, port: int) -> AsyncIterator[None]:
    """The upstream on this port."""
    server = await asyncio.get_running_loop().create_server(web.Server(upstream.answer), "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()


async def rush(base: str, wave: int, length: int, clients: int) -> tuple[list[float], int]:
    """Everybody at once: (milliseconds of each answer, how many failed)."""
    found: list[float] = []
    failed = 0

    async def client(session: aiohttp.ClientSession) -> None:
        nonlocal failed
        for number in range(PICTURES):
            began = time.perf_counter()
            try:
                async with session.get(
                    f"{base}/{wave}-{number}.jpg", headers={"Host": HOST}, skip_auto_headers=["Accept"]
                ) as answer:
                    body = await answer.read()
                    failed += answer.status != 200 or len(body) != length
            except (aiohttp.ClientError, TimeoutError):
                failed += 1
            found.append(1e3 * (time.perf_counter() - began))

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=60)) as session:
        await asyncio.gather(*(client(session) for _ in range(clients)))
    return found, failed


def wave(port: int, base: str, pid: int, number: int, content: bytes, clients: int) -> Run:
    """One herd."""

    async def go() -> Run:
        upstream = Upstream(content)
        pids = family(pid)
        before, began = cpu_seconds(pids), time.perf_counter()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(serving(upstream, port))
            times, failed = await rush(base, number, len(content), clients)
        return {
            "requests / CPU s": len(times) / max(0.01, cpu_seconds(pids) - before),
            "requests / s": len(times) / (time.perf_counter() - began),
            "p50 ms": statistics.median(times),
            "p99 ms": statistics.quantiles(times, n=100)[98],
            "origin requests": float(sum(upstream.asked.values())),
            "failures": float(failed),
        }

    return asyncio.run(go())


def run(context: Context) -> list[Cell]:
    """A herd for each round, each over pictures of its own."""
    content = pictures.photo(300, 400)
    content += bytes(SIZE - len(content))
    clients = CLIENTS[context.full]
    port = free_port()
    site = f'[{{"name": "herd", "host": "{HOST}", "upstream": "http://127.0.0.1:{port}"}}]'
    numbers = iter(range(10**6))
    with ExitStack() as stack:
        many = str(4 * clients)
        facet = stack.enter_context(
            running(
                context.room("facet"),
                FACET_SITES=site,
                FACET_GUARD_CONNECTIONS=many,
                FACET_GUARD_REQUESTS=many,
                FACET_GUARD_MISSES=many,
                FACET_GUARD_MISS_BURST=str(100 * clients),
            )
        )
        peer, pid = stack.enter_context(nginx_before(context.room("peer"), port))
        loads = {
            OURS: lambda: wave(port, facet.edge, facet.pid, next(numbers), content, clients),
            "nginx proxy_cache, lock": lambda: wave(port, peer, pid, next(numbers), content, clients),
        }
        name = f"{clients:,} clients, {PICTURES} cold pictures"
        targets = [Target("origin requests", f"= {PICTURES}"), Target("failures", "= 0")]
        return compare(name, take_turns(context, "herd", loads), targets)


SECTION = Section("herd", "A herd", METHOD, run)
