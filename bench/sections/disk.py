"""Hits that the memory tier cannot hold: from the edge's disk tier, beside nginx with the same files."""

from __future__ import annotations

import os
from contextlib import ExitStack

from bench.cells import Cell, Target, compare
from bench.context import Contender, Context, Section, loaded
from bench.load import apart, family, on_cores
from bench.origins import script
from bench.peers import nginx
from bench.running import BUCKET, running
from bench.sections.hits import fetch

SIZES = {"14 KB": (14_000, 400), "150 KB": (150_000, 60), "4 MB": (4_000_000, 6)}
"""Bytes of an object, and how many of them."""

METHOD = (
    "Objects asked for in turn from a real `facet up` whose memory tier takes no body "
    "(`FACET_EDGE_MEMORY_OBJECT=1`), so that every answer is read from the disk tier, where all of them are; the "
    "files are in the page cache, as they are on a machine with memory to spare. nginx has the same files, "
    "without and with open_file_cache."
)


def run(context: Context) -> list[Cell]:
    """All sizes."""
    cells: list[Cell] = []
    server, load = apart()
    with ExitStack() as stack:
        with on_cores(server):
            facet = stack.enter_context(
                running(context.room("facet"), FACET_EDGE_PROCESSES="1", FACET_EDGE_MEMORY_OBJECT="1")
            )
        for name, (size, count) in SIZES.items():
            with ExitStack() as peers:
                folder = context.room(name.replace(" ", "-"))
                keys = [f"{size}-{number}.bin" for number in range(count)]
                with on_cores(server):
                    plain = peers.enter_context(nginx(folder / "plain", b"", open_file_cache=False))
                    files = peers.enter_context(nginx(folder / "files", b"", open_file_cache=True))
                for key in keys:
                    body = os.urandom(size)
                    facet.put(key, body, "application/octet-stream")
                    for peer in ("plain", "files"):
                        (folder / peer / "www" / key).write_bytes(body)
                    fetch(facet.url(key), "*/*")
                peers.enter_context(on_cores(load))
                hit = f"disk hit, {name}"
                own = [pid for pid in family(facet.pid) if pid != facet.pid]
                ours = script(folder, "ours", facet.edge, "GET", [f"/{BUCKET}/{key}" for key in keys])
                contenders = [Contender("facet", facet.edge, tuple(own), script=ours)]
                for peer, (url, _, pid) in (("nginx static", plain), ("nginx static, open_file_cache", files)):
                    theirs = script(folder, peer.replace(" ", "-"), url, "GET", [f"/{key}" for key in keys])
                    contenders.append(Contender(peer, url, tuple(family(pid)), script=theirs))
                targets = [Target("requests / CPU s", ">= 0.25", "nginx static")] if size == SIZES["14 KB"][0] else []
                cells += compare(hit, loaded(context, hit, contenders), targets)
    return cells


SECTION = Section("disk", "Disk hits", METHOD, run)
