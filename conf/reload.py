"""How a running process gets new settings: a line of JSON on a descriptor that its supervisor has given it.

The rule of this file: settings that cannot be taken over leave the old ones in force, and say so in one log line.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import structlog
from pydantic import ValidationError

from conf.errors import StartError
from conf.schema import Settings

RELOAD_FD = "FACET_RELOAD_FD"
_LONGEST = 4 * 1024 * 1024  # bytes of settings

log = structlog.get_logger()


async def reloads(take_over: Callable[[Settings], None]) -> None:
    """Hand on new settings as they come; runs until cancelled. A process started by hand never gets any."""
    number = os.environ.pop(RELOAD_FD, None)
    if number is not None:
        stream = asyncio.StreamReader(limit=_LONGEST)
        pipe = os.fdopen(int(number), "rb", buffering=0)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), pipe)
        while line := await stream.readline():
            try:
                take_over(Settings.model_validate_json(line))
            except (StartError, ValidationError) as error:
                log.error("settings refused", reason=str(error), action="the old ones stay")
            else:
                log.info("settings reloaded")
    await asyncio.Event().wait()
