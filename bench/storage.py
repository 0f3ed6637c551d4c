"""The storage engine beside its ceilings, measured in the same run: `python -m bench.storage [SECTION]…`.

The method: a real `facet origin serve` on the disk that holds --folder, syncing as it does in production. Every figure
is the median of --rounds rounds; within a round all contenders take turns. CPU seconds are the server's own, kernel
work included. Sections: large (64 MiB), small (14 KB), memory (one long upload, whole and in parts), million
(1,000,000 objects), manifests (of 5 TB and of a small object).
"""

from __future__ import annotations

import hashlib
import http.client
import os
import platform
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import click
from rich.console import Console
from rich.table import Table

from bench import manifests, million, pages, uploads
from bench.load import Sample, apart, cpu_seconds, on_cores, wrk
from bench.origins import origin, script
from bench.peers import bare_drain, bare_stream

MIB = 1024 * 1024
LARGE, SMALL = 64 * MIB, 14_000
KEYS = 2000


def timed(work: Callable[[], object]) -> float:
    """Seconds that the work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def send(url: str, method: str, target: str, body: bytes | Iterator[bytes] = b"", length: int | None = None) -> None:
    """One request; the answer's body is read and thrown away."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, blocksize=256 * 1024)
    headers = {"Content-Length": str(len(body) if isinstance(body, bytes) else length)}
    connection.request(method, target, body, headers if method == "PUT" else {})
    answer = connection.getresponse()
    room = bytearray(MIB)
    while answer.readinto(room):
        pass
    assert answer.status in (200, 204), answer.status
    connection.close()


def bare_write(folder: Path, body: bytes) -> None:
    """Write and fdatasync, and nothing else."""
    descriptor = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for at in range(0, len(body), MIB):
        os.write(descriptor, body[at : at + MIB])
    os.fdatasync(descriptor)
    os.close(descriptor)
    (folder / "bare").unlink()


def large(folder: Path, rounds: int) -> Table:
    """64 MiB in and out, one request at a time; every body is new, so nothing is joined."""
    seconds: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {"PUT": [], "GET": [], "MD5": []}

    def note(name: str, work: Callable[[], object]) -> None:
        seconds.setdefault(name, []).append(timed(work))

    with origin(folder / "large") as one, bare_stream(LARGE) as (stream, _):
        put, get = (one.target(name, Key="large") for name in ("put_object", "get_object"))
        for number in range(rounds + 1):
            body = os.urandom(LARGE)
            before = time.process_time()
            note("hashlib.md5", lambda body=body: hashlib.md5(body, usedforsecurity=False))  # type: ignore[misc]
            cpu["MD5"].append(time.process_time() - before)
            note("bare write + fdatasync", lambda body=body: bare_write(folder, body))  # type: ignore[misc]
            for name, target, content in (("PUT", put, body), ("GET", get, b"")):
                before = cpu_seconds([one.pid])
                note(f"facet {name}", lambda n=name, t=target, c=content: send(one.url, n, t, c))  # type: ignore[misc]
                cpu[name].append(cpu_seconds([one.pid]) - before)
            note("bare aiohttp stream", lambda: send(stream, "GET", "/"))
            if number == 0:  # warms up
                for values in (*seconds.values(), *cpu.values()):
                    values.clear()
    median = {name: statistics.median(values) for name, values in seconds.items()}
    ceiling = {
        "facet PUT": max(median["hashlib.md5"], median["bare write + fdatasync"]),
        "facet GET": median["bare aiohttp stream"],
    }
    table = Table("64 MiB", "MB / s", "x ceiling", "goal", "CPU s", "CPU / MD5", "goal", title="One large object")
    for name, value in median.items():
        goal = ceiling.get(name)
        used = statistics.median(cpu[name.split()[1]]) if goal else 0.0
        table.add_row(
            name,
            f"{LARGE / value / 1e6:,.0f}",
            f"{goal / value:.2f}" if goal else "",
            ">= 0.60" if goal else "",
            f"{used:.2f}" if goal else "",
            f"{used / statistics.median(cpu['MD5']):.2f}" if name == "facet PUT" else "",
            "<= 2.50" if name == "facet PUT" else "",
        )
    return table


def bare_loop(folder: Path, body: bytes, seconds: float) -> float:
    """Objects a second of a loop that syncs one file, its folder and one transaction for each."""
    folder.mkdir()
    catalog = sqlite3.connect(folder / "catalog", isolation_level=None)
    catalog.execute("PRAGMA journal_mode = wal")
    catalog.execute("PRAGMA synchronous = full")
    catalog.execute("CREATE TABLE objects (name TEXT PRIMARY KEY, size INTEGER)")
    above = os.open(folder, os.O_RDONLY)
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        descriptor = os.open(folder / "new", os.O_WRONLY | os.O_CREAT)
        os.write(descriptor, body)
        os.fsync(descriptor)
        os.close(descriptor)
        (folder / "new").rename(folder / str(done))
        os.fsync(above)
        catalog.execute("INSERT INTO objects VALUES (?, ?)", (str(done), len(body)))
        done += 1
    os.close(above)
    catalog.close()
    return done / (time.perf_counter() - began)


def small(folder: Path, rounds: int) -> Table:
    """PUT of 14 KB over 32 connections, the same requests for everybody; servers on one core, the load on others."""
    body = os.urandom(SMALL)
    keys = [f"k{number}" for number in range(KEYS)]
    samples: dict[str, list[Sample]] = {}
    loops: list[float] = []
    server, load = apart()
    with ExitStack() as stack:
        with on_cores(server):
            synced = stack.enter_context(origin(folder / "synced"))
            unsynced = stack.enter_context(origin(folder / "unsynced", sync="false"))
            bare = stack.enter_context(bare_drain())
        stack.enter_context(on_cores(load))
        contenders = []
        for name, url, pid, targets in (
            ("facet", synced.url, synced.pid, synced.targets("put_object", keys)),
            ("facet, syncing off", unsynced.url, unsynced.pid, unsynced.targets("put_object", keys)),
            ("bare web.Server draining", *bare, [f"/{key}" for key in keys]),
        ):
            file = script(folder, name.replace(" ", "-"), url, "PUT", targets, body)
            contenders.append((name, url, pid, file))
        for number in range(rounds + 1):
            with on_cores(server):
                loops.append(bare_loop(folder / f"loop{number}", body, 2))
            for name, url, pid, file in contenders:
                sample = wrk(url, [pid], script=file)
                if number:
                    samples.setdefault(name, []).append(sample)
    rates = {name: statistics.median(run.per_second for run in runs) for name, runs in samples.items()}
    rates["bare loop: fsync, rename, fsync, commit"] = statistics.median(loops)
    goals = dict(zip(rates, ("", ">= 0.60", ">= 0.25", ">= 1.50"), strict=True))
    table = Table("server", "PUT / s", "facet / it", "goal", "PUT / CPU s", "p50 ms", "p99 ms", "peak MB", "errors",
                  title="14 KB durable PUT, 32 connections")  # fmt: skip
    for name, rate in rates.items():
        runs = samples.get(name, [])
        table.add_row(
            name,
            f"{rate:,.0f}",
            f"{rates['facet'] / rate:.2f}",
            goals[name],
            *(
                f"{statistics.median(pick(run) for run in runs):,.{digits}f}" if runs else ""
                for pick, digits in ((_per_cpu, 0), (_p50, 1), (_p99, 1), (_peak, 0))
            ),
            str(sum(run.errors for run in runs)) if runs else "",
        )
    return table


def _per_cpu(run: Sample) -> float:
    return run.per_cpu_second


def _p50(run: Sample) -> float:
    return run.p50


def _p99(run: Sample) -> float:
    return run.p99


def _peak(run: Sample) -> float:
    return run.peak / 1e6


SECTIONS = ("large", "small", "memory", "million", "manifests")


@click.command()
@click.argument("sections", nargs=-1, type=click.Choice(SECTIONS))
@click.option("--rounds", default=5, show_default=True, help="Counted rounds.")
@click.option("--upload", default=5_000_000_000, show_default=True, help="Bytes of the long upload.")
@click.option("--objects", default=1_000_000, show_default=True, help="Objects of the full bucket.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where to work [a temporary folder].")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the tables here, too.")
def main(
    sections: tuple[str, ...], rounds: int, upload: int, objects: int, folder: Path | None, file: Path | None
) -> None:
    """Measure the storage engine and print it beside its ceilings."""
    console = Console(width=120)
    machine = f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores, {rounds} rounds"
    console.print(machine)
    found: list[pages.Page] = []
    with tempfile.TemporaryDirectory(dir=folder) as name:
        for section in sections or SECTIONS:
            for table in _measured(section, Path(name), rounds, upload, objects):
                console.print(table)
                found.append(pages.page(table))
    if file is not None:
        pages.write(file, machine, found)


def _measured(section: str, folder: Path, rounds: int, upload: int, objects: int) -> Iterator[Table]:
    """The tables of a section."""
    match section:
        case "large":
            yield large(folder, rounds)
        case "small":
            yield small(folder, rounds)
        case "memory":
            yield uploads.table(folder, upload)
        case "million":
            yield from million.tables(folder, rounds, objects)
        case "manifests":
            yield manifests.table(folder)


if __name__ == "__main__":
    main()
