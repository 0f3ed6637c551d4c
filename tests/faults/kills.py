"""Kill -9 under load, again and again on one store: `Store` is killed, checked, started, checked, loaded.

The rule of this file: what is checked is a copy of the folder as the kill left it, and then what a started process
answers over HTTP from the folder itself.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from origin.service.steps import Step
from tests.faults.client import ACCESS, BUCKET, SECRET, Client, Refused
from tests.faults.examine import examine
from tests.faults.traffic import Journal, deeds, digest, outcome

ROOT = Path(__file__).parents[2]
WRITERS, KEYS = 32, 3
LONGEST = 20.0
"""Seconds until a process that was to die at a step is killed from outside: the step may come too rarely."""


@dataclass(frozen=True)
class Kill:
    """When to kill: at the `number`th completion of `step`, or `after` seconds of load."""

    step: Step | None
    number: int = 0
    after: float = LONGEST

    @classmethod
    def draw(cls, chance: random.Random) -> Kill:
        """Half of the kills are at a step, half at any time."""
        if chance.random() < 0.5:
            return cls(chance.choice(list(Step)), chance.randint(1, 60))
        return cls(None, after=chance.uniform(0.01, 1.0))


class Store:
    """One data folder and its writers' journal. `acknowledged` counts changes, `problems` everything that is wrong."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._seed = seed
        self._data = folder / "data"
        self._journal = Journal()
        self._kills = 0
        self.acknowledged = 0
        self.problems: list[str] = []
        folder.mkdir(parents=True)

    async def kill(self, kill: Kill) -> None:
        """Start, check, load, kill, check."""
        receive, send = os.pipe()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FACET_")}
        environment |= {
            "FACET_ROOT_ACCESS_KEY": ACCESS,
            "FACET_ROOT_SECRET_KEY": SECRET,
            "FACET_READY_FD": str(send),
            "FACET_ORIGIN_GRACE": "0",
            "FACET_ORIGIN_RESERVE": "0",
            "FACET_ORIGIN_MIN_PART": "0",
        }
        arguments = ["-m", "tests.faults.mortal", str(self._data), str(int(kill.step or 0)), str(kill.number)]
        with (self._folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments], cwd=ROOT, env=environment, pass_fds=[send], stdout=log, stderr=log
            )
        os.close(send)
        try:
            with os.fdopen(receive) as ready:
                line = await asyncio.to_thread(ready.readline)
            if not line:
                self.problems.append(f"the origin did not start: {(self._folder / 'log').read_text()[-2000:]}")
                return
            async with aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(60), connector=aiohttp.TCPConnector(limit=0)
            ) as session:
                client = Client(session, json.loads(line)["url"])
                await self._check(client)
                await self._load(client, process, kill.after)
        finally:
            process.kill()
            process.wait()
        self._kills += 1
        await self._examine_copy()

    async def _check(self, client: Client) -> None:
        """Every key holds what it may; what it was seen to hold counts as acknowledged."""
        if self._kills == 0:
            await client.must("PUT", f"/{BUCKET}")
        for key in sorted(self._journal.keys()):
            body = await client.get(key)
            held = None if body is None else digest(body)
            if held not in self._journal.allowed(key):
                self.problems.append(f"kill {self._kills}: {key} reads {held}, not {self._journal.allowed(key)}")
            self._journal.done(key, held)

    async def _load(self, client: Client, process: subprocess.Popen[bytes], after: float) -> None:
        writers = [asyncio.create_task(self._write(client, number)) for number in range(WRITERS)]
        try:
            await asyncio.to_thread(process.wait, after)
        except subprocess.TimeoutExpired:
            process.kill()
        await asyncio.gather(*writers)

    async def _write(self, client: Client, writer: int) -> None:
        for deed in deeds(self._seed * 1000 + self._kills, writer, KEYS, self._journal):
            state = outcome(deed, self._journal)
            self._journal.begin(deed.key, state)
            try:
                await client.do(deed)
            except aiohttp.ClientError:
                return
            except Refused as refusal:
                self.problems.append(f"kill {self._kills}: {refusal}")
                return
            self._journal.done(deed.key, state)
            self.acknowledged += 1

    async def _examine_copy(self) -> None:
        copy = self._folder / "copy"
        shutil.copytree(self._data, copy, ignore=shutil.ignore_patterns("*.sock", "*-shm"), copy_function=_link_blobs)
        self.problems += [f"kill {self._kills}: {problem}" for problem in await examine(copy, ACCESS, self._journal)]
        shutil.rmtree(copy)


def _link_blobs(source: str, target: str) -> str:
    """Blobs never change, so their copies are links; everything else is copied."""
    if "/blobs/" in source:
        os.link(source, target)
        return target
    return str(shutil.copy2(source, target))
