"""Variants that nobody has asked for before, by format and size, beside ipx (sharp), thumbor and others by name."""

from __future__ import annotations

import statistics
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from bench.cells import OURS, Cell, Run, absent, compare
from bench.context import Context, Section, take_turns
from bench.load import cpu_seconds, family, peak_memory
from bench.renderers import ipx, thumbor
from bench.running import running
from conf.errors import StartError
from demo import pictures

FORMATS = ("jpeg", "webp", "avif")
WIDTHS = (320, 1280)
NAME = "source.jpg"
EACH = {False: 1, True: 12}
"""Renderings a round; every one is of a width of its own."""

METHOD = (
    "A JPEG of three megapixels, from which one client asks for one width after another, none of which anybody "
    "has asked for before; each server has the source at hand (Facet in its disk tier, the others as a file) and "
    "uses the quality and effort that it comes with, so *KB* belongs beside *CPU ms*: how good the pictures look "
    "is on the page of pictures. CPU is that of all the server's processes, Facet's keeper and renderers "
    "included. thumbor and ipx store nothing; Facet stores what it renders."
)


def load(template: str, pid: int | None, form: str, widths: Sequence[int]) -> Run:
    """Ask for these widths, one after another."""
    pids = family(pid) if pid is not None else []
    before, times, sizes, failures = cpu_seconds(pids), [], [], 0
    for width in widths:
        url = template.format(width=width, format=form, name=NAME)
        request = urllib.request.Request(url, headers={"Accept": f"image/{form},*/*"})
        began = time.perf_counter()
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                sizes.append(len(answer.read()))
                failures += answer.headers.get_content_type() != f"image/{form}"
        except (urllib.error.URLError, TimeoutError):
            failures += 1
        times.append(1e3 * (time.perf_counter() - began))
    if not sizes:
        return {"failures": float(failures)}
    own = {"CPU ms": 1e3 * (cpu_seconds(pids) - before) / len(widths)} if pids else {}
    wall = {"p50 ms": statistics.median(times), "KB": statistics.mean(sizes) / 1e3}
    peak = {"peak MB": peak_memory(family(pid)) / 1e6} if pid is not None else {}
    return {**own, **wall, **peak, "failures": float(failures)}


def run(context: Context) -> list[Cell]:
    """All formats at both sizes."""
    cells: list[Cell] = []
    missing: dict[str, str] = {}
    with ExitStack() as stack:
        facet = stack.enter_context(
            running(context.room("facet"), FACET_EDGE_PROCESSES="1", FACET_GUARD_VARIANTS="10000")
        )
        source = pictures.photo(1500, 2000)
        facet.put(NAME, source, "image/jpeg")
        folder = context.room("pictures")
        (folder / NAME).write_bytes(source)
        servers: dict[str, tuple[str, int | None]] = {
            OURS: (f"{facet.url(NAME)}?w={{width}}&format={{format}}", facet.pid)
        }
        for name, start in {"ipx (sharp)": ipx, "thumbor": thumbor}.items():
            context.step(f"starting {name}")
            try:
                servers[name] = stack.enter_context(start(folder))
            except StartError as error:
                missing[name] = str(error)
        for peer in context.peers:
            if peer.is_template:
                url = peer.url.replace("{source}", facet.url(NAME).replace(facet.edge, str(facet.s3.meta.endpoint_url)))
                servers[peer.name] = (url, None)
        for form in FORMATS:
            for width in WIDTHS:
                name = f"{form}, about {width} px"
                loads = {
                    server: _load(context, *servers[server], form, iter(range(width - 100, width + 100)))
                    for server in servers
                }
                cells += compare(name, take_turns(context, name, loads))
                cells += [absent(name, peer, reason) for peer, reason in missing.items()]
    return cells


def _load(context: Context, template: str, pid: int | None, form: str, widths: Iterator[int]) -> Callable[[], Run]:
    """A load of the next widths each time."""
    return lambda: load(template, pid, form, [next(widths) for _ in range(EACH[context.full])])


SECTION = Section("cold", "Cold variants", METHOD, run)
