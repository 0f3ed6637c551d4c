"""Renderings that are not stored yet, through the whole edge: `python -m bench.misses [--photos DIR] [--rounds N]`.

Throughput: JPEGs of two megapixels and more, already in the disk tier, are asked for in sizes that nobody has asked
for before, by as many clients as keep all renderers busy; beside it as many processes as there are cores do nothing
but `vips thumbnail` and JPEG 80 with the same files. Both run in turn, round after round, and what is compared is
renderings per CPU second (all processes of the edge) and per second.

Latency: avatars of up to 128 px, one after another, on an idle node and while AVIFs of 3840 px are asked for by eight
clients without a pause.
"""

from __future__ import annotations

import http.client
import itertools
import json
import multiprocessing
import os
import platform
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import click

from bench.load import cpu_seconds, family
from bench.running import Running, running
from demo import pictures

LEAST_PIXELS = 2_000_000
SIZES = range(440, 1000)
AVATARS = range(48, 129)
SATURATING = 8
"""Clients that ask for large AVIFs."""


def sources(folder: Path | None) -> dict[str, bytes]:
    """JPEGs of at least LEAST_PIXELS by name: those of the folder, or some made by code."""
    import pyvips

    found = {}
    for path in sorted(folder.iterdir()) if folder else ():
        if path.suffix == ".jpg":
            image = pyvips.Image.new_from_file(str(path))
            if image.width * image.height >= LEAST_PIXELS:
                found[path.name] = path.read_bytes()
    if folder is None:
        for number in range(4):
            image = pictures.landscape(1500 + 200 * number, 2000 + 300 * number)
            found[f"made-{number}.jpg"] = bytes(image.jpegsave_buffer(Q=88))
    if not found:
        raise SystemExit(f"{folder} holds no JPEG of {LEAST_PIXELS:,} pixels")
    return found


class Client:
    """One connection that is kept open."""

    def __init__(self, edge: str) -> None:
        where = urlsplit(edge)
        self._connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=120)

    def get(self, path: str) -> int:
        """The status; the body is read and dropped."""
        self._connection.request("GET", path, headers={"Accept": "*/*"})
        answer = self._connection.getresponse()
        answer.read()
        return answer.status


def _loop(paths: list[str], sizes: list[int], done: multiprocessing.Queue[tuple[int, float]]) -> None:
    """A bare loop over files and sizes; tells how many renderings, and the CPU seconds they took."""
    import pyvips

    pyvips.cache_set_max(0)
    before = time.process_time()
    for path, size in itertools.product(paths, sizes):
        pyvips.Image.thumbnail(path, size, height=10_000).jpegsave_buffer(Q=80, keep="none")
    done.put((len(paths) * len(sizes), time.process_time() - before))


def bare(paths: list[str], sizes: list[int]) -> tuple[float, float]:
    """Renderings per CPU second and per second of one process a core."""
    cores = os.cpu_count() or 1
    os.environ |= {"VIPS_CONCURRENCY": "1", "MALLOC_ARENA_MAX": "2"}
    context = multiprocessing.get_context("spawn")
    done: multiprocessing.Queue[tuple[int, float]] = context.Queue()
    workers = [context.Process(target=_loop, args=(paths, sizes[core::cores], done)) for core in range(cores)]
    for worker in workers:
        worker.start()
    started = time.monotonic()
    results = [done.get() for _ in workers]
    seconds = time.monotonic() - started
    for worker in workers:
        worker.join()
    count = sum(made for made, _ in results)
    return count / sum(cpu for _, cpu in results), count / seconds


def through(server: Running, names: list[str], sizes: list[int], clients: int) -> tuple[float, float]:
    """Renderings per CPU second and per second through the edge."""
    paths = [f"/bench/{name}?w={size}" for size in sizes for name in names]
    pids = [pid for pid in family(server.pid) if pid != server.pid]
    before, started = cpu_seconds(pids), time.monotonic()

    def work(mine: list[str]) -> None:
        client = Client(server.edge)
        for path in mine:
            assert client.get(path) == 200, path

    with ThreadPoolExecutor(clients) as threads:
        list(threads.map(work, [paths[number::clients] for number in range(clients)]))
    seconds = time.monotonic() - started
    return len(paths) / (cpu_seconds(pids) - before), len(paths) / seconds


def throughput(
    server: Running, held: dict[str, bytes], folder: Path, rounds: int, count: int
) -> Iterator[dict[str, float]]:
    """One row a round."""
    paths = []
    for name, body in held.items():
        (folder / name).write_bytes(body)
        paths.append(str(folder / name))
        server.put(name, body, "image/jpeg")
        Client(server.edge).get(f"/bench/{name}?w=32")
    size = iter(SIZES)
    for _ in range(rounds):
        sizes = list(itertools.islice(size, count))
        ours, theirs = through(server, list(held), sizes, 2 * (os.cpu_count() or 1)), bare(paths, sizes)
        yield {
            "edge_per_cpu_second": ours[0],
            "bare_per_cpu_second": theirs[0],
            "edge_per_second": ours[1],
            "bare_per_second": theirs[1],
        }


def latencies(server: Running, ask: Callable[[int], str]) -> list[float]:
    """Milliseconds of each avatar, none of them asked for before."""
    client, found = Client(server.edge), []
    for size in AVATARS:
        before = time.monotonic()
        assert client.get(ask(size)) == 200
        found.append(1000 * (time.monotonic() - before))
    return found


def avatars(server: Running, held: dict[str, bytes]) -> tuple[list[float], list[float], int]:
    """Milliseconds on an idle node and on a saturated one; how many large AVIFs were made meanwhile."""
    small = bytes(pictures.photo(480, 640))
    for name in ("idle.jpg", "busy.jpg"):
        server.put(name, small + name.encode(), "image/jpeg")
        Client(server.edge).get(f"/bench/{name}?w=32")
    idle = latencies(server, lambda size: f"/bench/idle.jpg?w={size}&h={size}&fit=cover")
    largest = max(held, key=lambda name: len(held[name]))
    stop, numbers, made = threading.Event(), itertools.count(), []

    def saturate() -> None:
        client = Client(server.edge)
        while not stop.is_set():
            width = 3840 - next(numbers)
            made.append(client.get(f"/bench/{largest}?w={width}&format=avif&enlarge=1"))

    threads = [threading.Thread(target=saturate, daemon=True) for _ in range(SATURATING)]
    for thread in threads:
        thread.start()
    while not made:
        time.sleep(0.05)
    busy = latencies(server, lambda size: f"/bench/busy.jpg?w={size}&h={size}&fit=cover")
    stop.set()
    return idle, busy, len(made)


def p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


@click.command()
@click.option("--photos", type=click.Path(path_type=Path), help="A folder of JPEGs; without, some are made by code.")
@click.option("--rounds", default=4, show_default=True)
@click.option("--sizes", default=10, show_default=True, help="Sizes a round.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of sentences.")
def main(photos: Path | None, rounds: int, sizes: int, as_json: bool) -> None:
    """Measure what a rendering costs through the edge, and what large ones cost the small."""
    held = sources(photos)
    found: dict[str, float] = {}
    for profile in ("speed", "quality"):
        with tempfile.TemporaryDirectory() as name, running(Path(name), FACET_RENDER_PROFILE=profile) as server:
            rows = list(throughput(server, held, Path(name), rounds, sizes))
            for key in rows[0]:
                found[f"{profile}_{key}"] = statistics.median(row[key] for row in rows)
            for unit in ("per_cpu_second", "per_second"):
                found[f"{profile}_ratio_{unit}"] = statistics.median(
                    row[f"edge_{unit}"] / row[f"bare_{unit}"] for row in rows
                )
            if profile == "quality":
                idle, busy, made = avatars(server, held)
                found |= {"avatar_idle_p50_ms": statistics.median(idle), "avatar_idle_p99_ms": p99(idle)}
                found |= {"avatar_busy_p50_ms": statistics.median(busy), "avatar_busy_p99_ms": p99(busy)}
                found |= {"avatar_p99_ratio": p99(busy) / p99(idle), "large_avifs_meanwhile": made}
    if as_json:
        print(json.dumps(found, indent=2))
        return
    print(f"{platform.platform()}, {os.cpu_count()} cores, {len(held)} sources, medians of {rounds} rounds")
    for key, value in found.items():
        print(f"{key.replace('_', ' '):32} {value:10.2f}")


if __name__ == "__main__":
    main()
