"""Memory hits beside nginx and a bare aiohttp server: `python -m bench.hits [--rounds N]`.

The method: one picture rendered once by a real `facet up` with one server process; the same bytes behind every peer;
each round loads all of them in turn (two seconds each, one wrk thread, 32 connections), the medians over the rounds
are compared. Requests per CPU second count the server's own CPU, kernel TCP work included.
"""

from __future__ import annotations

import platform
import statistics
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.load import Sample, family, wrk
from bench.peers import bare_aiohttp, nginx
from bench.running import running
from demo import pictures

ACCEPT = "Accept: image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"


PAST_THE_LANE = "If-Range: x"  # means nothing without Range, and is not for the lane to know


@dataclass(frozen=True)
class Contender:
    """Somebody to load: the processes whose CPU counts, and what is asked of them."""

    name: str
    url: str
    pids: tuple[int, ...]
    headers: tuple[str, ...] = ()


@contextmanager
def facet(folder: Path) -> Iterator[tuple[str, int]]:
    """One server process and one public picture: (URL of a variant, process id of the supervisor)."""
    with running(folder, FACET_EDGE_PROCESSES="1") as server:
        server.put("a.jpg", pictures.photo(1200, 1600), "image/jpeg")
        yield server.url("a.jpg"), server.pid


def fetch(url: str, accept: str) -> bytes:
    """The body of one answer."""
    asked = urllib.request.Request(url, headers={"Accept": accept.removeprefix("Accept: ")})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return bytes(answer.read())


def tag(url: str, accept: str = ACCEPT) -> str:
    """The header line by which a client that has an answer asks whether it still holds."""
    asked = urllib.request.Request(url, headers={"Accept": accept.removeprefix("Accept: ")})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        return f"If-None-Match: {answer.headers['ETag']}"


def measure(contenders: list[Contender], rounds: int, console: Console) -> dict[str, list[Sample]]:
    """All of them in turn, round after round; the first round warms up and is not counted."""
    samples: dict[str, list[Sample]] = {contender.name: [] for contender in contenders}
    for number in track(range(rounds + 1), "measuring", console=console, transient=True):
        for contender in contenders:
            sample = wrk(contender.url, contender.pids, contender.headers)
            if number:
                samples[contender.name].append(sample)
    return samples


def table(title: str, samples: dict[str, list[Sample]]) -> Table:
    """Medians; the first row is the one the others are compared with."""
    shown = Table(title=title)
    for column in ("server", "requests / CPU s", "ratio", "requests / s", "p50 ms", "p99 ms", "peak MB", "errors"):
        shown.add_column(column, justify="left" if column == "server" else "right")
    base = 0.0
    for name, runs in samples.items():
        rate = statistics.median(run.per_cpu_second for run in runs)
        base = base or rate
        shown.add_row(
            name,
            f"{rate:,.0f}",
            f"{base / rate:.2f}",
            f"{statistics.median(run.per_second for run in runs):,.0f}",
            f"{statistics.median(run.p50 for run in runs):.2f}",
            f"{statistics.median(run.p99 for run in runs):.2f}",
            f"{max(run.peak for run in runs) / 1e6:.0f}",
            str(sum(run.errors for run in runs)),
        )
    return shown


@click.command()
@click.option("--rounds", default=5, show_default=True, help="Counted rounds.")
def main(rounds: int) -> None:
    """Load one cached picture at the edge and the same bytes at nginx and aiohttp, and print both sides."""
    console = Console(width=120)
    console.print(f"{platform.platform()}, Python {platform.python_version()}, {rounds} rounds of 2 s, 32 connections")
    for query in ("?w=240", "?w=1100"):
        with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
            folder = Path(name)
            folder.chmod(0o755)  # nginx's worker is another user where this one is root
            url, pid = stack.enter_context(facet(folder))
            url += query
            body = fetch(url, ACCEPT)
            plain = stack.enter_context(nginx(folder / "plain", body, open_file_cache=False))
            files = stack.enter_context(nginx(folder / "files", body, open_file_cache=True))
            bare = stack.enter_context(bare_aiohttp(folder, body))
            servers = tuple(process for process in family(pid) if process != pid)
            contenders = [
                Contender("facet edge, memory hit", url, servers, (ACCEPT,)),
                Contender("bare aiohttp server", bare[0], (bare[1],)),
                Contender("nginx static", plain[0], tuple(family(plain[2]))),
                Contender("nginx static, open_file_cache", files[0], tuple(family(files[2]))),
                Contender("nginx proxy_cache", plain[1], tuple(family(plain[2]))),
                Contender("nginx proxy_cache, open_file_cache", files[1], tuple(family(files[2]))),
                Contender("facet edge, past the lane", url, servers, (ACCEPT, PAST_THE_LANE)),
                Contender("facet edge, 304", url, servers, (ACCEPT, tag(url))),
                Contender("nginx static, open_file_cache, 304", files[0], tuple(family(files[2])), (tag(files[0]),)),
            ]
            samples = measure(contenders, rounds, console)
            console.print(table(f"hit of {len(body):,} bytes (ratio: facet / server)", samples))


if __name__ == "__main__":
    main()
