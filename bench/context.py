"""What a section is given, and how it loads servers: all of them in turn, round after round.

The rule of this file: the first round warms up and is not counted; every counted round loads every server once, so
that whatever the machine does meanwhile meets all of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.cells import OURS, Cell, Run
from bench.load import Sample, wrk
from conf.errors import StartError


@dataclass(frozen=True)
class Named:
    """A server from `--peer NAME=URL`: a template for pictures where the URL has fields, else an S3 endpoint."""

    name: str
    url: str

    @property
    def is_template(self) -> bool:
        return "{" in self.url

    @property
    def keys(self) -> tuple[str, str]:
        """Access key and secret from NAME_ACCESS_KEY and NAME_SECRET_KEY, or AWS's own variables."""
        own = self.name.upper().replace("-", "_")
        access = os.environ.get(f"{own}_ACCESS_KEY") or os.environ.get("AWS_ACCESS_KEY_ID", "")
        return access, os.environ.get(f"{own}_SECRET_KEY") or os.environ.get("AWS_SECRET_ACCESS_KEY", "")


@dataclass(frozen=True)
class Context:
    """How long to measure, and where."""

    folder: Path
    rounds: int
    seconds: int
    """Of one load."""
    full: bool
    peers: tuple[Named, ...]
    step: Callable[[str], None]
    """Told what is measured now."""

    def room(self, name: str) -> Path:
        """A new folder that other users (nginx's worker) may enter."""
        folder = self.folder / name
        folder.mkdir(parents=True)
        folder.chmod(0o755)
        return folder


@dataclass(frozen=True)
class Section:
    """A part of the page. `method` is its first paragraph there."""

    name: str
    title: str
    method: str
    run: Callable[[Context], list[Cell]]


@dataclass(frozen=True)
class Contender:
    """Somebody for wrk to load: the processes whose CPU counts (none where they are not ours to see)."""

    name: str
    url: str
    pids: tuple[int, ...] = ()
    headers: tuple[str, ...] = ()
    script: Path | None = None
    connections: int = 32

    def load(self, seconds: int) -> Run:
        """One load."""
        sample = wrk(
            self.url, self.pids, self.headers, connections=self.connections, seconds=seconds, script=self.script
        )
        return figures(sample, own=bool(self.pids))


def figures(sample: Sample, *, own: bool = True) -> Run:
    """A load's figures by unit; CPU and memory only of processes that are `own`."""
    wall = {"requests / s": sample.per_second, "p50 ms": sample.p50, "p99 ms": sample.p99}
    failures = {"failures": float(sample.errors)}
    if not sample.requests:  # nothing was answered in time: there is no figure to give
        return failures
    if not own:
        return wall | failures
    return {"requests / CPU s": sample.per_cpu_second} | wall | {"peak MB": sample.peak / 1e6} | failures


def take_turns(
    context: Context, what: str, loads: Mapping[str, Callable[[], Run]], *, warm: int = 1
) -> dict[str, list[Run]]:
    """The counted runs of each, after `warm` rounds that are not counted."""
    runs: dict[str, list[Run]] = {name: [] for name in loads}
    for number in range(warm + context.rounds):
        for name, load in loads.items():
            context.step(f"{what}: {name}, round {number - warm + 1 if number >= warm else 'to warm up'}")
            try:
                run = load()
            except StartError:
                if name == OURS:
                    raise
                continue  # a peer that cannot be reached has no runs
            if number >= warm:
                runs[name].append(run)
    return runs


def loaded(context: Context, what: str, contenders: Sequence[Contender]) -> dict[str, list[Run]]:
    """All contenders loaded with wrk in turn."""
    return take_turns(
        context,
        what,
        {one.name: lambda one=one: one.load(context.seconds) for one in contenders},  # type: ignore[misc]
    )
