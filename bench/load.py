"""Load from wrk, and what it cost the server: CPU seconds and peak memory read from /proc by process id."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conf.errors import StartError

_TICK = os.sysconf("SC_CLK_TCK")
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


@dataclass(frozen=True)
class Sample:
    """One run: requests, wall seconds, server CPU seconds, latencies in milliseconds, peak memory in bytes."""

    requests: int
    seconds: float
    cpu: float
    p50: float
    p99: float
    peak: int
    errors: int

    @property
    def per_cpu_second(self) -> float:
        return self.requests / self.cpu

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


@contextmanager
def on_cores(cores: Iterable[int]) -> Iterator[None]:
    """Keep this process, and what it starts meanwhile, on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def apart() -> tuple[set[int], set[int]]:
    """A core for a server and the others for its load; the same one where there is no other."""
    first, *rest = sorted(os.sched_getaffinity(0))
    return {first}, set(rest) or {first}


def family(pid: int) -> list[int]:
    """The process and everything below it."""
    found, at = [pid], 0
    while at < len(found):
        for task in Path(f"/proc/{found[at]}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
        at += 1
    return found


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system time used so far, kernel TCP work included."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICK


def peak_memory(pids: Sequence[int]) -> int:
    """The sum of the processes' peak resident sizes, in bytes."""
    peaks = (re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()) for pid in pids)
    return sum(int(peak[1]) * 1024 for peak in peaks if peak)


def wrk(
    url: str,
    pids: Sequence[int],
    headers: Sequence[str] = (),
    *,
    connections: int = 32,
    seconds: int = 2,
    script: Path | None = None,
) -> Sample:
    """One run of wrk with one thread; `script` is a Lua file of its own. Raises StartError where it is missing."""
    program = shutil.which("wrk")
    if program is None:
        raise StartError("the benchmarks need wrk: apt-get install wrk")
    options = [argument for header in headers for argument in ("-H", header)]
    if script is not None:
        options += ["-s", str(script)]
    before = cpu_seconds(pids)
    finished = subprocess.run(
        [program, "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *options, url],
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode:
        raise StartError(f"wrk could not load {url}: {finished.stdout.strip() or finished.stderr.strip()}")
    out = finished.stdout
    used = cpu_seconds(pids) - before
    done = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m),", out)
    assert done, out
    latency = {
        name: float(value) * _UNITS[unit] for name, value, unit in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s|m)", out)
    }
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
    errors = (int(failed[1]) if failed else 0) + (sum(int(n) for n in broken.groups()) if broken else 0)
    seconds_run = float(done[2]) * _UNITS[done[3]] / 1e3
    return Sample(int(done[1]), seconds_run, used, latency["50"], latency["99"], peak_memory(pids), errors)
