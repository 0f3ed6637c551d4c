"""One cached picture, and more and more connections: does anything fail, and does memory stay bounded?"""

from __future__ import annotations

import resource
from contextlib import ExitStack

from bench.cells import OURS, Cell, Run, Target, compare
from bench.context import Contender, Context, Section, take_turns
from bench.load import apart, family, on_cores
from bench.peers import nginx
from bench.running import running
from bench.sections.hits import ACCEPT, STATIC, fetch
from conf.errors import StartError
from demo import pictures

CONNECTIONS = (64, 1024, 8192)
SPARE = 1024
"""Descriptors that a server needs beside its connections."""

METHOD = (
    "The same hit over 64, 1,024 and 8,192 connections that all ask without a pause. The limits of one client "
    "(`guard.connections`, `guard.requests`) are raised, since wrk is one client; everything else is as it comes. "
    "*failures* are connections refused, reset or timed out (two seconds without an answer) and answers other "
    "than 200. The bound of the memory: at 8,192 connections at most 256 MB more than at 64."
)
GROWTH = 256.0
"""Megabytes."""


def run(context: Context) -> list[Cell]:
    """All numbers of connections. Raises StartError where the system allows too few descriptors."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if most < CONNECTIONS[-1] + SPARE:
        raise StartError(f"{CONNECTIONS[-1]:,} connections need `ulimit -n {CONNECTIONS[-1] + SPARE}`; it is {most:,}")
    cells: list[Cell] = []
    server, load = apart()
    peaks: dict[int, list[Run]] = {}
    with ExitStack() as stack:
        with on_cores(server):
            many = str(2 * CONNECTIONS[-1])
            facet = stack.enter_context(
                running(
                    context.room("facet"),
                    FACET_EDGE_PROCESSES="1",
                    FACET_GUARD_CONNECTIONS=many,
                    FACET_GUARD_REQUESTS=many,
                )
            )
            facet.put("a.jpg", pictures.photo(600, 800), "image/jpeg")
            url = f"{facet.url('a.jpg')}?w=285"
            body, _ = fetch(url)
            files = stack.enter_context(nginx(context.room("peer") / "files", body, open_file_cache=True))
        stack.enter_context(on_cores(load))
        own = tuple(pid for pid in family(facet.pid) if pid != facet.pid)
        for connections in CONNECTIONS:
            ours = Contender(OURS, url, own, (ACCEPT,), connections=connections)
            theirs = Contender(STATIC, files[0], tuple(family(files[2])), (ACCEPT,), connections=connections)
            # Several seconds each: thousands of connections take a while to open.
            loads = {one.name: lambda one=one: one.load(context.seconds + 3) for one in (ours, theirs)}
            name = f"{connections:,} connections"
            runs = take_turns(context, name, loads)
            peaks[connections] = runs[OURS]
            cells += compare(name, runs, [Target("failures", "= 0")])
    least, last = (max(run["peak MB"] for run in peaks[at]) for at in (CONNECTIONS[0], CONNECTIONS[-1]))
    grown = [{"MB more than at 64 connections": last - least}]
    bound = [Target("MB more than at 64 connections", f"<= {GROWTH:g}")]
    return cells + compare("memory at 8,192 connections", {OURS: grown}, bound)


SECTION = Section("overload", "Overload", METHOD, run)
