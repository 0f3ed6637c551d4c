"""docs/guides: the commands of every page are run as they stand, beside the `facet up` that the page configures.

What the test puts in the place of the page's words is in `_here`, and nothing else: names and folders.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients import installed
from tests.guides.pages import PAGES, blocks
from tests.programs import need
from tests.running import ROOT_KEY, Running, environment, ready_line, start

PROGRAMS = ("rclone", "restic", "s3cmd", "curl", "jq")
PICTURE = Path(__file__).parents[2] / "docs/demo.png"  # any picture


def _mastodon(live: Path) -> None:
    """What the page about Mastodon moves."""
    for key in ("accounts/avatars/000/000/001/original/a.png", "cache/custom_emojis/images/1/static/b.png"):
        path = live / "public/system" / key
        path.parent.mkdir(parents=True)
        path.write_bytes(b"picture")
    (live / "public/system/backups/dumps").mkdir(parents=True)
    (live / "public/system/backups/dumps/1.zip").write_bytes(b"archive")


def _here(text: str, folder: Path, running: Running | None = None) -> str:
    """The page's text with this machine's folders, and with the running addresses for its public names."""
    text = text.replace("/etc/facet/", f"{folder}/etc/").replace("/var/lib/facet", f"{folder}/data")
    text = re.sub(r"^! (.*)$", r"if \1; then echo 'this must be refused' >&2; exit 9; fi", text, flags=re.MULTILINE)
    text = text.replace("/home/mastodon/live", f"{folder}/live")
    if running is not None:
        text = text.replace("https://s3.example.com", running.origin)
        text = text.replace("= s3.example.com", f"= {running.origin.removeprefix('http://')}")
        text = text.replace("use_https = True", "use_https = False")
        text = text.replace("http://127.0.0.1:8081", running.admin)
        text = re.sub(r"https://((?:media|www|video)\.example\.com)", r"http://\1", text)
    return text


def _runnable(page: str) -> list[str]:
    return [one.text for one in blocks(page) if (one.language, one.check) == ("sh", "run")]


class Houses:
    """A `facet up` for each text of settings: pages with the same ones share it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.up: dict[str, tuple[Path, Running]] = {}

    def of(self, settings: str) -> tuple[Path, Running]:
        """The running one with its folder."""
        if settings not in self.up:
            folder = self.folder / str(len(self.up))
            for name in ("etc", "bin"):
                (folder / name).mkdir(parents=True)
            (folder / "etc/facet.toml").write_text(_here(settings, folder))
            facet = folder / "bin/facet"
            facet.write_text(f'#!/bin/sh\nexec {sys.executable} -m facet "$@"\n')
            facet.chmod(0o755)
            log = folder / "facet.log"
            process = start(folder / "data", log, None, "--config", str(folder / "etc/facet.toml"))
            line = ready_line(process, log)
            running = Running(process, folder / "data", log, line["origin"], line["edge"], line["admin"])
            self.up[settings] = folder, running
        return self.up[settings]

    def close(self) -> None:
        """End them all."""
        for _, running in self.up.values():
            running.process.terminate()
            running.process.wait(60)
            assert running.process.stdout is not None
            running.process.stdout.close()


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Houses]:
    """Every `facet up` that the pages need."""
    several = Houses(tmp_path_factory.mktemp("houses"))
    yield several
    several.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", [page for page in PAGES if _runnable(page)])
def test_the_commands_of_a_page_work_one_after_the_other(page: str, houses: Houses, tmp_path: Path) -> None:
    commands = _runnable(page)
    for program in PROGRAMS:
        if any(re.search(rf"(^|[ $(]){program} ", text, re.MULTILINE) for text in commands):
            need(program)
    uses_aws = any(re.search(r"(^|[ $(])aws ", text, re.MULTILINE) for text in commands)
    aws = f"{installed.python('python').parent}:" if uses_aws else ""  # Debian's is too old to know AWS_ENDPOINT_URL
    settings = next((one.text for one in blocks(page) if (one.language, one.check) == ("toml", "facet")), "")
    folder, running = houses.of(settings)
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    shutil.copy(PICTURE, tmp_path / "work/photo.png")
    if page == "mastodon":
        _mastodon(folder / "live")
    edge = running.edge.removeprefix("http://")
    (tmp_path / "home/.curlrc").write_text(
        "".join(f'connect-to = "{name}.example.com:80:{edge}"\n' for name in ("media", "www", "video"))
    )
    script = "set -eu -o pipefail\n" + "\n".join(_here(text, folder, running) for text in commands)
    kept = {name: value for name, value in environment().items() if not name.startswith(("AWS_", "FACET_"))}
    done = subprocess.run(
        ["bash", "-x"],
        input=script,
        text=True,
        capture_output=True,
        cwd=tmp_path / "work",
        timeout=240,
        env=kept
        | ROOT_KEY
        | {
            "HOME": str(tmp_path / "home"),
            "PATH": f"{folder}/bin:{aws}{os.environ['PATH']}",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-3000:]}"
