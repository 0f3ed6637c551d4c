"""Memory hits beside nginx, Varnish and a bare aiohttp server, and what a client hears who has the bytes already."""

from __future__ import annotations

import urllib.request
from contextlib import ExitStack
from pathlib import Path

from bench.cells import Cell, Target, absent, compare
from bench.context import Contender, Context, Section, loaded
from bench.load import apart, family, on_cores
from bench.peers import bare_aiohttp, nginx, varnish
from bench.running import running
from conf.errors import StartError
from demo import pictures

ACCEPT = "Accept: image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
PAST_THE_LANE = "If-Range: x"
"""Means nothing without Range, and is not for the lane to know."""

CACHE, STATIC = "nginx proxy_cache, open_file_cache", "nginx static, open_file_cache"
_PER_CPU = "requests / CPU s"
WIDTHS = (285, 1210)
"""Variants of about 14 KB and about 150 KB."""

_VARY = """
local number = 0
request = function()
    number = number + 1
    wrk.headers["X-Forwarded-For"] = "10." .. math.floor(number / 65536) % 256 .. "." .. math.floor(number / 256) % 256
        .. "." .. number % 256
    return wrk.format("GET", nil)
end
"""

METHOD = (
    "One picture rendered once by a real `facet up` with one server process, and the same bytes behind every peer "
    "(nginx with one worker, Varnish with one thread pool). Servers are kept on one core, wrk (one thread, 32 "
    "connections) on the others. *Identical heads* is what a load generator sends: every request is the same "
    "bytes, which a server may recognise as a whole. In *varying heads* each has an X-Forwarded-For of its own, "
    "as requests behind a proxy have. *Past the lane* is our ordinary aiohttp path; its ceiling is the bare "
    "aiohttp server."
)


def fetch(url: str, accept: str = ACCEPT) -> tuple[bytes, str]:
    """The body of one answer, and its entity tag."""
    asked = urllib.request.Request(url, headers={"Accept": accept.removeprefix("Accept: ")})
    with urllib.request.urlopen(asked, timeout=120) as answer:
        return bytes(answer.read()), str(answer.headers["ETag"])


def run(context: Context) -> list[Cell]:
    """Hits of both sizes, with identical and with varying heads, and 304."""
    cells: list[Cell] = []
    server, load = apart()
    with ExitStack() as stack:
        with on_cores(server):
            facet = stack.enter_context(running(context.room("facet"), FACET_EDGE_PROCESSES="1"))
        facet.put("a.jpg", pictures.photo(1500, 2000), "image/jpeg")
        for width in WIDTHS:
            cells += _one_size(context, server, load, f"{facet.url('a.jpg')}?w={width}", facet.pid, width)
    return cells


def _one_size(context: Context, server: set[int], load: set[int], url: str, supervisor: int, width: int) -> list[Cell]:
    body, tag = fetch(url)
    size = f"{len(body) / 1000:.0f} KB"
    missing: dict[str, str] = {}
    with ExitStack() as stack:
        folder = context.room(f"peers-{width}")
        peers: list[Contender] = []
        with on_cores(server):
            bare = stack.enter_context(bare_aiohttp(folder, body))
            plain = stack.enter_context(nginx(folder / "plain", body, open_file_cache=False))
            files = stack.enter_context(nginx(folder / "files", body, open_file_cache=True))
            peers += [
                Contender("nginx static", plain[0], tuple(family(plain[2])), (ACCEPT,)),
                Contender(STATIC, files[0], tuple(family(files[2])), (ACCEPT,)),
                Contender("nginx proxy_cache", plain[1], tuple(family(plain[2])), (ACCEPT,)),
                Contender(CACHE, files[1], tuple(family(files[2])), (ACCEPT,)),
            ]
            try:
                cache = stack.enter_context(varnish(folder / "varnish", plain[0]))
                peers.append(Contender("Varnish", cache[0], tuple(family(cache[1])), (ACCEPT,)))
            except StartError as error:
                missing["Varnish"] = str(error)
        stack.enter_context(on_cores(load))
        ours = Contender("facet", url, tuple(pid for pid in family(supervisor) if pid != supervisor), (ACCEPT,))
        further = [
            Contender(one.name, one.url.format(source=url.partition("?")[0], width=width, format="avif"), (), (ACCEPT,))
            for one in context.peers
            if one.is_template
        ]
        targets = [Target(_PER_CPU, ">= 1.0", CACHE), Target(_PER_CPU, ">= 0.8", STATIC)] if width == WIDTHS[0] else []
        hit = f"hit, {size}, identical heads"
        cells = compare(hit, loaded(context, hit, [ours, *peers, *further]), targets)
        cells += [absent(hit, name, reason) for name, reason in missing.items()]
        vary = folder / "vary.lua"
        vary.write_text(_VARY)
        varying = f"hit, {size}, varying heads"
        cells += compare(varying, loaded(context, varying, [_scripted(one, vary) for one in (ours, *peers)]))
        if width == WIDTHS[0]:
            past = Contender("facet", url, ours.pids, (ACCEPT, PAST_THE_LANE))
            ceiling = Contender("bare aiohttp server", bare[0], (bare[1],))
            name = f"hit, {size}, past the lane"
            bound = [Target(_PER_CPU, ">= 0.6", "bare aiohttp server")]
            cells += compare(name, loaded(context, name, [past, ceiling]), bound)
            known = [Contender("facet", url, ours.pids, (ACCEPT, f"If-None-Match: {tag}"))]
            for one in peers:
                their_tag = fetch(one.url)[1]
                known.append(Contender(one.name, one.url, one.pids, (ACCEPT, f"If-None-Match: {their_tag}")))
            cells += compare("304", loaded(context, "304", known), [Target(_PER_CPU, ">= 0.8", STATIC)])
    return cells


def _scripted(one: Contender, script: Path) -> Contender:
    return Contender(one.name, one.url, one.pids, one.headers, script)


SECTION = Section("hits", "Memory hits", METHOD, run)
