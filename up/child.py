"""One supervised process: started, watched until ready, restarted when it dies, stopped."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

import orjson
import structlog

from conf.load import SETTINGS_JSON
from conf.ready import READY_FD
from conf.reload import RELOAD_FD

log = structlog.get_logger()

START_FAILED = 2  # the exit status of a process that has said in one line why it cannot start
FIRST_DELAY = 0.5  # seconds before the first restart; doubles up to LONGEST_DELAY
LONGEST_DELAY = 30.0
STEADY = 60.0  # a child that lived this many seconds starts again with the first delay
PATIENCE = 15.0  # seconds a child may take to stop before it is killed

_PR_SET_PDEATHSIG = 1  # prctl(2)
_libc = ctypes.CDLL(None, use_errno=True)


class ChildEnded(Exception):
    """A child ended before it was ready; `status` is its exit status."""

    def __init__(self, name: str, status: int) -> None:
        super().__init__(f"{name} ended with status {status} before it was ready")
        self.status = status


def _die_with_parent() -> None:
    """Runs in the child between fork and exec: a supervisor that is killed takes its children along."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Child:
    """`facet ARGUMENTS` as a child process.

    `settings` is asked for the JSON text of the settings at every start, so a restart uses the ports of the first one.
    """

    def __init__(self, name: str, arguments: Sequence[str], settings: Callable[[], str]) -> None:
        self.name = name
        self._arguments = tuple(arguments)
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._orders: int | None = None

    @property
    def pid(self) -> int | None:
        """The process id, while it runs."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self) -> dict[str, Any]:
        """Start it and return what it announced. Raises ChildEnded if it ends before that."""
        reader, writer = os.pipe()
        self._close_orders()
        orders = os.pipe()
        environ = os.environ | {SETTINGS_JSON: self._settings(), READY_FD: str(writer), RELOAD_FD: str(orders[0])}
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "facet", *self._arguments,
                env=environ, stdin=asyncio.subprocess.DEVNULL, pass_fds=(writer, orders[0]),
                start_new_session=True, preexec_fn=_die_with_parent,
            )  # fmt: skip
        finally:
            os.close(writer)
            os.close(orders[0])
            self._orders = orders[1]
            os.set_blocking(self._orders, False)
        line = await _read_line(reader)
        if not line:
            raise ChildEnded(self.name, await self._process.wait())
        log.info("child ready", child=self.name, pid=self._process.pid)
        announced: dict[str, Any] = orjson.loads(line)
        return announced

    def reload(self) -> None:
        """Hand the settings of now to the process, which takes over what it can."""
        if self._orders is None or self.pid is None:
            return
        try:
            os.write(self._orders, self._settings().encode() + b"\n")
        except OSError as error:
            log.error("settings not handed over", child=self.name, reason=str(error))

    def _close_orders(self) -> None:
        if self._orders is not None:
            os.close(self._orders)
            self._orders = None

    async def keep(self) -> None:
        """Start it again whenever it dies, until `stop`. Its first start has been done."""
        loop = asyncio.get_running_loop()
        delay = FIRST_DELAY
        while self._process is not None:
            since = loop.time()
            status = await self._process.wait()
            if self._stopping:
                return
            if loop.time() - since > STEADY:
                delay = FIRST_DELAY
            log.error("child died", child=self.name, status=status, restart_in=delay)
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)
            if self._stopping:
                return
            try:
                await self.start()
            except ChildEnded as error:
                log.error("child does not start", child=self.name, status=error.status)

    async def stop(self) -> None:
        """Ask it to finish what is running; kill it if it does not within PATIENCE."""
        self._stopping = True
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), PATIENCE)
        except TimeoutError:
            log.error("child killed", child=self.name, after=PATIENCE)
            self._process.kill()
            await self._process.wait()


async def _read_line(descriptor: int) -> bytes:
    """The first line from a pipe, or b"" if every writer closed it first. Closes the descriptor."""
    loop = asyncio.get_running_loop()
    stream = asyncio.StreamReader()
    pipe = os.fdopen(descriptor, "rb", buffering=0)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), pipe)
    try:
        return await stream.readline()
    finally:
        transport.close()
