"""Starts the origin, the keeper and the server processes in order, says when all are ready, and keeps them alive."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import structlog

from conf.errors import StartError
from conf.load import SETTINGS_JSON, dump
from conf.schema import Settings
from conf.sockets import bind, bound_address
from up.child import START_FAILED, Child, ChildEnded
from up.reloading import merged

log = structlog.get_logger()

READY_WITHIN = 60.0  # seconds for one child's first start, recovery of its catalog included


class Supervisor:
    """One run of `facet up`."""

    def __init__(self, settings: Settings, reread: Callable[[], Settings]) -> None:
        self._settings = settings
        self._reread = reread
        self._reloading: asyncio.Task[None] | None = None
        self._children: list[Child] = []

    def run(self) -> int:
        """Run until SIGTERM or SIGINT; returns the exit status. Raises StartError."""
        _writable_folder(self._settings.data)
        for address, setting in (
            (self._settings.origin.listen, "origin.listen"),
            (self._settings.edge.admin, "edge.admin"),
        ):
            bind(address, setting).close()  # before anything is made
        # Held for as long as we run, so that with port 0 every server process gets the same port back.
        with _reserve(self._settings.edge.listen) as reserved:
            self._change("edge", listen=bound_address(reserved))
            return asyncio.run(self._run())

    async def _run(self) -> int:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        starting = asyncio.create_task(self._start())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait((starting, stopped), return_when=asyncio.FIRST_COMPLETED)
        keepers: list[asyncio.Task[None]] = []
        try:
            if starting.done():
                starting.result()
                loop.add_signal_handler(signal.SIGHUP, self._hang_up)
                keepers = [asyncio.create_task(child.keep()) for child in self._children]
                await stopped
            return 0
        except ChildEnded as error:
            if error.status == START_FAILED:  # the child has said why
                return START_FAILED
            raise StartError(f"{error}; its log lines above say why") from None
        finally:
            for task in (starting, stopped):
                task.cancel()
            await self._stop()
            for task in keepers:
                task.cancel()

    async def _start(self) -> None:
        """Start everything in order and print the ready line."""
        origin = await self._child("origin", "origin", "serve")
        self._change("origin", listen=origin["url"].removeprefix("http://"))
        if self._settings.edge.origin is None:
            self._change("edge", origin=origin["url"])
        keeper = await self._child("keeper", "edge", "keep")
        self._change("edge", admin=keeper["admin"].removeprefix("http://"))
        servers = await asyncio.gather(
            *(
                self._child(f"edge-{index}", "edge", "serve", "--index", str(index))
                for index in range(self._settings.server_processes)
            )
        )
        line = {"event": "ready", "origin": origin["url"], "edge": servers[0]["url"], "admin": keeper["admin"]}
        sys.stdout.write(orjson.dumps(line).decode() + "\n")
        sys.stdout.flush()

    def _hang_up(self) -> None:
        """SIGHUP: one reload at a time."""
        if self._reloading is None or self._reloading.done():
            self._reloading = asyncio.create_task(self._reload())

    async def _reload(self) -> None:
        """Read the settings again; what is wrong with them leaves the old ones in force."""
        try:
            settings, waiting = merged(self._settings, self._reread())
        except StartError as error:
            log.error("settings refused", reason=str(error), action="the old ones stay")
            return
        checking = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "facet", "edge", "check"),
            env=os.environ | {SETTINGS_JSON: dump(settings)},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await checking.communicate()
        if checking.returncode:
            reason = said.decode("utf-8", "replace").strip()
            log.error("settings refused", reason=reason, action="the old ones stay")
            return
        self._settings = settings
        for child in self._children:
            if child.name != "origin":
                child.reload()
        log.info("settings reloaded", at_next_start=waiting)

    async def _child(self, name: str, *arguments: str) -> dict[str, str]:
        child = Child(name, arguments, lambda: dump(self._settings))
        self._children.append(child)
        try:
            return await asyncio.wait_for(child.start(), READY_WITHIN)
        except TimeoutError:
            raise StartError(f"{name} was not ready within {READY_WITHIN:.0f} seconds") from None

    async def _stop(self) -> None:
        """Stop in the order in which requests flow: server processes, keeper, origin."""
        servers = [child for child in self._children if child.name.startswith("edge-")]
        await asyncio.gather(*(child.stop() for child in servers))
        for child in reversed(self._children):
            await child.stop()

    def _change(self, section: str, **values: str) -> None:
        changed = getattr(self._settings, section).model_copy(update=values)
        self._settings = self._settings.model_copy(update={section: changed})


@contextmanager
def _reserve(address: str) -> Iterator[socket.socket]:
    """Hold the edge's port without listening on it.

    The server processes share it with SO_REUSEPORT, which would let a second `facet up` of the same user in as well:
    so the port is first taken alone, which fails while anybody listens there. Raises StartError.
    """
    bind(address, "edge.listen").close()
    with bind(address, "edge.listen", shared=True) as reserved:
        yield reserved


def _writable_folder(folder: Path) -> None:
    """Make the data folder, for its owner only. Raises StartError where that cannot be."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK | os.X_OK)
    except OSError as error:
        raise StartError(
            f"data is {folder}: {os.strerror(error.errno or 0).lower()} (see docs/configuration.md#data)"
        ) from None
    if not writable:
        raise StartError(f"data is {folder}: not writable for this user (see docs/configuration.md#data)")
