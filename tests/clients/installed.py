"""Client programs from PyPI and npm, in the versions of programs/, installed once under build/clients.

The rule of this file: a folder is used only if its stamp is the text of its requirements, so a changed version is a
new installation, and one that broke off is made again. Without a network the tests that need it skip with the
reason, or fail if FACET_REQUIRE_PROGRAMS=1.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from tests.programs import missing, need

WANTED = Path(__file__).parent / "programs"
PLACE = Path(__file__).resolve().parents[2] / "build" / "clients"
PATIENCE = 400.0


def python(name: str) -> Path:
    """The python of a virtual environment with what programs/NAME.txt lists."""
    return _installed(name, WANTED / f"{name}.txt", _environment) / "bin" / "python"


def node_modules() -> Path:
    """The folder node_modules with what programs/package.json lists; skips without node and npm."""
    need("node")
    need("npm")
    return _installed("npm", WANTED / "package.json", _packages) / "node_modules"


def _environment(folder: Path, wanted: Path) -> list[list[str]]:
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    alone = wanted.with_suffix(".alone.txt")
    commands = [[sys.executable, "-m", "venv", str(folder)], [*pip, "--only-binary", ":all:", "-r", str(wanted)]]
    return [*commands, [*pip, "--no-deps", "-r", str(alone)]] if alone.exists() else commands


def _packages(folder: Path, wanted: Path) -> list[list[str]]:
    folder.mkdir(parents=True)
    shutil.copy(wanted, folder / "package.json")
    quiet = ["--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    return [[need("npm"), "install", "--prefix", str(folder), *quiet]]


def _installed(name: str, wanted: Path, commands: object) -> Path:
    folder = PLACE / name
    stamp, text = folder / "installed", wanted.read_text()
    with _alone(name):
        if not stamp.exists() or stamp.read_text() != text:
            shutil.rmtree(folder, ignore_errors=True)
            assert callable(commands)
            for command in commands(folder, wanted):
                _run(name, command)
            stamp.write_text(text)
    return folder


def _run(name: str, command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        _missing(name, f"not installed within {PATIENCE:.0f} s")
    else:
        if done.returncode:
            _missing(name, (done.stderr.strip() or done.stdout.strip())[-600:])


def _missing(name: str, why: str) -> NoReturn:
    missing(f"the clients of tests/clients/programs ({name}) could not be installed: {why}")


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """One process at a time makes the folder `name`."""
    PLACE.mkdir(parents=True, exist_ok=True)
    with (PLACE / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
