"""A fediverse server's readers, at a small scale: pictures, videos in parts, clients that name no format."""

from __future__ import annotations

import random
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.cells import OURS, Cell, compare
from bench.context import Contender, Context, Section, loaded
from bench.load import apart, family, on_cores
from bench.peers import nginx
from bench.running import BUCKET, running
from bench.sections.hits import ACCEPT
from bench.trace import Asked, Media, library, requests
from demo import pictures

KEYS = {False: 60, True: 400}
REQUESTS = {False: 2_000, True: 20_000}
SCALE = {False: 0.1, True: 0.25}
_ACCEPTS = {"browser": ACCEPT.removeprefix("Accept: "), "server": "", "player": "*/*"}

METHOD = (
    "The trace of `bench/trace.py` (kinds, sizes, Zipf, a quarter without Accept, videos in parts), scaled down: "
    "60 keys of a tenth of the size, full: 400 keys of a quarter. Everybody has answered the whole trace once "
    "before. Facet gives browsers what they name (AVIF, WebP) and servers the stored bytes; nginx gives everybody "
    "the stored bytes, from a static folder and from proxy_cache: it moves more bytes and decides less. *MB / "
    "answer* says how many."
)

_SCRIPT = """
local lines, at = {{}}, 0
for line in io.lines("{file}") do
    local path, accept, range = line:match("([^\\t]*)\\t([^\\t]*)\\t([^\\t]*)")
    local fields = {{ ["Host"] = "{host}" }}
    if accept ~= "" then fields["Accept"] = accept end
    if range ~= "" then fields["Range"] = range end
    lines[#lines + 1] = wrk.format("GET", path, fields)
end
request = function()
    at = at % #lines + 1
    return lines[at]
end
"""


def body(media: Media, bases: Sequence[bytes]) -> bytes:
    """A picture that no other is like and that has about this size, or bytes that stand for a film."""
    chance = random.Random(media.number)
    if media.kind == "video":
        return chance.randbytes(media.size)
    base = max((base for base in bases if len(base) <= media.size), key=len, default=bases[0])
    return base + chance.randbytes(max(8, media.size - len(base)))


def script(folder: Path, name: str, url: str, prefix: str, trace: Sequence[Asked]) -> Path:
    """A wrk script that sends the trace; requests are formatted before the load begins."""
    lines = []
    for asked in trace:
        part = f"bytes={asked.part[0]}-{asked.part[1]}" if asked.part else ""
        lines.append(f"{prefix}/{asked.media.name}\t{_ACCEPTS[asked.client]}\t{part}")
    (folder / f"{name}.trace").write_text("\n".join(lines))
    lua = folder / f"{name}.lua"
    lua.write_text(_wrapped(folder / f"{name}.trace", url))
    return lua


def _wrapped(file: Path, url: str) -> str:
    """wrk can format only once it is ready: in init."""
    text = _SCRIPT.format(file=file, host=url.split("/")[2])
    start, end = text.index("for line"), text.index("request =")
    return text[:start] + "init = function()\n" + text[start:end] + "end\n" + text[end:]


def warm(url: str, prefix: str, trace: Sequence[Asked]) -> float:
    """Ask for everything once; the mean size of an answer in megabytes."""
    known: dict[tuple[str, str, tuple[int, int] | None], int] = {}
    total = 0
    for asked in trace:
        key = (asked.media.name, asked.client, asked.part)
        if key not in known:
            request = urllib.request.Request(f"{url}{prefix}/{asked.media.name}")
            if _ACCEPTS[asked.client]:
                request.add_header("Accept", _ACCEPTS[asked.client])
            if asked.part:
                request.add_header("Range", f"bytes={asked.part[0]}-{asked.part[1]}")
            with urllib.request.urlopen(request, timeout=300) as answer:
                known[key] = len(answer.read())
        total += known[key]
    return total / len(trace) / 1e6


def run(context: Context) -> list[Cell]:
    """The trace once to fill, then as fast as it goes."""
    media = library(KEYS[context.full], scale=SCALE[context.full])
    trace = list(requests(media, REQUESTS[context.full]))
    bases = [pictures.photo(300 * side, 400 * side, quality=80) for side in (1, 2, 4)]
    server, load = apart()
    folder = context.room("traces")
    with ExitStack() as stack:
        with on_cores(server):
            facet = stack.enter_context(running(context.room("facet"), FACET_EDGE_PROCESSES="1"))
            peer = stack.enter_context(nginx(context.room("peer") / "nginx", b"", open_file_cache=True))
        www = Path(context.folder / "peer" / "nginx" / "www")
        for one in media:
            content = body(one, bases)
            facet.put(one.name, content, "video/mp4" if one.kind == "video" else "image/jpeg")
            (www / one.kind).mkdir(exist_ok=True)
            (www / one.name).write_bytes(content)
        stack.enter_context(on_cores(load))
        own = tuple(pid for pid in family(facet.pid) if pid != facet.pid)
        found = [
            (OURS, facet.edge, f"/{BUCKET}", own),
            ("nginx static, open_file_cache", peer[0].rpartition("/")[0], "", tuple(family(peer[2]))),
            ("nginx proxy_cache, open_file_cache", peer[1].rpartition("/")[0], "", tuple(family(peer[2]))),
        ]
        contenders, sizes = [], {}
        for name, url, prefix, pids in found:
            context.step(f"filling {name}")
            sizes[name] = warm(url, prefix, trace)
            file = script(folder, name.replace(" ", "-").replace(",", ""), url, prefix, trace)
            contenders.append(Contender(name, url, pids, script=file))
        runs = loaded(context, "fediverse trace", contenders)
    weighed = {name: [{**run, "MB / answer": sizes[name]} for run in found] for name, found in runs.items()}
    return compare(f"trace, {len(media)} keys", weighed)


SECTION = Section("mixed", "A fediverse trace", METHOD, run)
