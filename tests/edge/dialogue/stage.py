"""The real edge for a dialogue: a keeper and server processes as they run in production, beside a scripted origin."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from conf.schema import Settings
from conf.sockets import bind, bound_address
from edge.cache.epochs import Epochs
from tests.edge.dialogue import client
from tests.edge.dialogue.client import Answer
from tests.edge.dialogue.origin import Origin

PATIENCE = 30.0
CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
SAFARI = (
    "image/webp,image/avif,image/jxl,image/heic,image/heic-sequence,video/*;q=0.8,image/png,image/svg+xml,image/*;q=0.8"
)
WEBP = "image/webp,*/*"


class Process:
    """One process of the edge, ended by its id."""

    def __init__(self, settings: Settings, log: Path, *arguments: str) -> None:
        reader, writer = os.pipe()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FACET_")}
        environment |= {"FACET_SETTINGS_JSON": settings.model_dump_json(), "FACET_READY_FD": str(writer)}
        with log.open("ab") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "facet", "edge", *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stderr=stderr,
                pass_fds=(writer,),
                start_new_session=True,
            )
        os.close(writer)
        ready, _, _ = select.select([reader], [], [], PATIENCE)
        line = os.read(reader, 4096) if ready else b""
        os.close(reader)
        assert line, f"facet edge {' '.join(arguments)} was not ready:\n{log.read_text()[-4000:]}"
        self.ready: dict[str, str] = json.loads(line)

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it as the supervisor does; its exit status."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        return self._process.wait(PATIENCE)


class Stage:
    """A node of the edge and what it plays with."""

    def __init__(self, folder: Path, origin: Origin, settings: dict[str, Any], servers: int) -> None:
        self.origin = origin
        self.data = folder / "data"
        self.log = folder / "edge.log"
        self.data.mkdir(parents=True)
        (self.data / "edge-key.json").write_text('{"access_key": "EDGEKEY", "secret_key": "a-secret-for-tests"}')
        self._reserved = bind("127.0.0.1:0", "edge.listen", shared=True)
        given = {
            "data": str(self.data),
            "log": {"format": "json", "level": "info"},
            **settings,
            "edge": {
                "listen": bound_address(self._reserved),
                "admin": "127.0.0.1:0",
                "origin": origin.url,
                "connect_timeout": 2,
                "head_timeout": 5,
                "stall_timeout": 2,
                "disk_floor": 0,
                **settings.get("edge", {}),
            },
            "render": {"renderers": 2, **settings.get("render", {})},
        }
        self.settings = Settings.model_validate(given)
        self.port = self._reserved.getsockname()[1]
        self.keeper = Process(self.settings, self.log, "keep")
        self.servers: list[Process] = []
        try:
            for index in range(servers):
                self.servers.append(Process(self.settings, self.log, "serve", "--index", str(index)))
            self._settle()
        except BaseException:
            for process in (*self.servers, self.keeper):
                process.kill()
            raise

    def _settle(self) -> None:
        """Wait until the feed has been read to its end: before that everything is asked for again."""
        epochs = Epochs.read(self.data / "edge" / "epochs")
        try:
            until(lambda: epochs.settled, "the feed was never settled")
        finally:
            epochs.close()

    def restart_keeper(self) -> None:
        """Start another keeper, as the supervisor does."""
        self.keeper = Process(self.settings, self.log, "keep")

    def get(self, target: str, **fields: str) -> Answer:
        return client.ask(self.port, target, **fields)

    def head(self, target: str, **fields: str) -> Answer:
        return client.ask(self.port, target, method="HEAD", **fields)

    def events(self, event: str, path: str | None = None) -> list[dict[str, Any]]:
        """Lines of the processes' logs."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == event and (path is None or line.get("path") == path)]

    def renders(self, path: str | None = None) -> int:
        """How many renderings were made, by the render log."""
        return len(self.events("rendered", path))

    def access(self, target: str) -> list[dict[str, Any]]:
        """The access log's lines about a target."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if '"access":true' in line]
        return [line for line in lines if line["target"] == target]

    def metrics(self) -> str:
        """The text of the keeper's /metrics."""
        return urllib.request.urlopen(f"{self.keeper.ready['admin']}/metrics").read().decode()

    def memory(self) -> int:
        """Bytes of memory that keeper and server processes hold, together."""
        return sum(_resident(process.pid) for process in (self.keeper, *self.servers))

    def disk_used(self) -> int:
        """Bytes of the files in the disk tier, temporaries included."""
        return sum(file.stat().st_size for file in (self.data / "edge").rglob("*") if file.is_file())

    def close(self) -> None:
        statuses = [server.stop() for server in self.servers]
        statuses.append(self.keeper.stop())
        self._reserved.close()
        assert set(statuses) <= {0, -signal.SIGKILL}, (statuses, self.log.read_text()[-4000:])
        mistakes = [line for line in self.log.read_text().splitlines() if "Traceback" in line or "unexpectedly" in line]
        assert not mistakes, mistakes


@contextmanager
def stage(folder: Path, settings: dict[str, Any] | None = None, servers: int = 1) -> Iterator[Stage]:
    """The edge for the length of a `with` block; its processes must end cleanly."""
    origin = Origin()
    try:
        playing = Stage(folder, origin, settings or {}, servers)
        try:
            yield playing
        finally:
            playing.close()
    finally:
        origin.close()


def _resident(pid: int) -> int:
    fields = Path(f"/proc/{pid}/status").read_text().split()
    return int(fields[fields.index("VmRSS:") + 1]) * 1024


def until(condition: Callable[[], object], failure: str, patience: float = PATIENCE) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, failure
        time.sleep(0.02)
