"""A section's result as a file: `build/bench/NAME.json`, with machine, versions and method beside the cells."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from bench.cells import Cell

FOLDER = Path("build") / "bench"

_PACKAGES = ("aiohttp", "uvloop", "httptools", "pyvips-binary", "cryptography", "apsw")
_PROGRAMS = {
    "nginx": ["nginx", "-v"],
    "varnishd": ["varnishd", "-V"],
    "wrk": ["wrk", "-v"],
    "node": ["node", "--version"],
}


class Machine(msgspec.Struct, frozen=True):
    """Where it ran."""

    system: str
    processor: str
    cores: int
    memory: int
    """Bytes."""


class Result(msgspec.Struct, frozen=True):
    """One section of one day."""

    section: str
    title: str
    date: str
    length: str
    """`short` or `full`."""
    rounds: int
    seconds: int
    """How long a load lasts."""
    load: float
    """The machine's load average (one minute) before the section began: above about 0.5 it was not quiet."""
    machine: Machine
    versions: dict[str, str]
    method: str
    cells: list[Cell]


def machine() -> Machine:
    """This machine."""
    names = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(platform.platform(), names[0] if names else platform.machine(), os.cpu_count() or 1, pages)


def versions() -> dict[str, str]:
    """The versions of Python, of what answers, and of the programs beside it that are installed."""
    found = {"Python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    for name, command in _PROGRAMS.items():
        program = shutil.which(command[0], path=os.environ.get("PATH", "") + ":/usr/sbin")
        if program is not None:
            done = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False)
            said = re.search(r"\d+\.\d[\w.]*", done.stdout + done.stderr)
            found[name] = said[0] if said else "?"
    return found


def today() -> str:
    """The date, in UTC."""
    return time.strftime("%Y-%m-%d", time.gmtime())


def write(result: Result, folder: Path = FOLDER) -> Path:
    """Write one section's file, all at once."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result.section}.json"
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1))
    fresh.replace(path)
    return path


def read(path: Path) -> Result:
    """One section's file. Raises msgspec.ValidationError."""
    return msgspec.json.decode(path.read_bytes(), type=Result)
