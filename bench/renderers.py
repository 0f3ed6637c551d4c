"""Other image servers, installed under build/peers: ipx (npm, on sharp), and thumbor (PyPI) in its own environment.

The rule of this file: a server that is not there is installed from its registry; what cannot be installed or started
raises StartError with the reason, which the page shows.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.peers import free_port, started
from conf.errors import StartError

FOLDER = Path("build") / "peers"
_PATIENCE = 300


@contextmanager
def ipx(pictures: Path) -> Iterator[tuple[str, int]]:
    """ipx over a folder: (URL template with {width}, {format}, {name}, process id). Raises StartError."""
    home = (FOLDER / "ipx").resolve()
    program = home / "node_modules" / ".bin" / "ipx"
    if not program.exists():
        npm = shutil.which("npm")
        if npm is None:
            raise StartError("npm is not installed (apt-get install npm)")
        home.mkdir(parents=True, exist_ok=True)
        _install([npm, "install", "--no-audit", "--no-fund", "--prefix", str(home), "ipx"])
    port = free_port()
    command = [str(program), "serve", "--dir", str(pictures), "--host", "127.0.0.1", "--port", str(port)]
    with started(command, port, env=os.environ | {"PORT": str(port), "HOST": "127.0.0.1"}) as pid:
        yield f"http://127.0.0.1:{port}/w_{{width}},f_{{format}}/{{name}}", pid


@contextmanager
def thumbor(pictures: Path) -> Iterator[tuple[str, int]]:
    """thumbor over a folder: (URL template, process id). Raises StartError."""
    home = (FOLDER / "thumbor").resolve()
    if not (home / "bin" / "thumbor").exists():
        _install([sys.executable, "-m", "venv", str(home)])
        _install([str(home / "bin" / "pip"), "install", "--quiet", "thumbor"])
    port = free_port()
    config = pictures / "thumbor.conf"
    config.write_text(
        f"LOADER = 'thumbor.loaders.file_loader'\nFILE_LOADER_ROOT_PATH = {str(pictures)!r}\n"
        "STORAGE = 'thumbor.storages.no_storage'\nALLOW_UNSAFE_URL = True\n"
    )
    command = [str(home / "bin" / "thumbor"), "--ip", "127.0.0.1", "--port", str(port), "--conf", str(config)]
    with started(command, port) as pid:
        yield f"http://127.0.0.1:{port}/unsafe/{{width}}x0/filters:format({{format}})/{{name}}", pid


def _install(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise StartError(f"{Path(command[0]).name} did not finish within {_PATIENCE} s") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise StartError(f"{Path(command[0]).name} could not install it: {said[-1] if said else done.returncode}")
