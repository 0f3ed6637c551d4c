"""The origin process, small and busy, that kills itself: `mortal.py DATA STEP N`.

Its segments are small and its collector hardly rests. It dies as by `kill -9`, at the Nth time that a write has
completed the numbered step; step 0 is never.
"""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from pathlib import Path

import uvloop

from conf.load import load
from origin.jobs import collect
from origin.server import serve
from origin.service.steps import Step
from tests.faults.small import shrink

PERIOD = 0.1


class Fate:
    """Observes steps; kills the process at the `number`th completion of `step`."""

    def __init__(self, step: int, number: int) -> None:
        self._step = step
        self._left = number

    def __call__(self, done: Step) -> None:
        if done == self._step:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def main(data: Path, step: int, number: int) -> None:
    shrink()
    collect.run = partial(collect.run, period=PERIOD)  # type: ignore[assignment]
    uvloop.run(serve(load(None, {"data": data, "origin.listen": "127.0.0.1:0"}), observe=Fate(step, number)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
