"""How the edge's processes stop, and what runs beside their work until then."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


def stop_signal() -> asyncio.Event:
    """Set at SIGTERM or SIGINT, which end the process no more by themselves."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


@asynccontextmanager
async def cancelled(*coroutines: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run these beside the block and cancel them at its end.

    One that ends by itself, which none should, ends the block with its error: the supervisor then starts a sound
    process.
    """
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_for_ever(coroutine)) for coroutine in coroutines]
        yield
        for task in tasks:
            task.cancel()


async def _for_ever(coroutine: Coroutine[Any, Any, None]) -> None:
    await coroutine
    raise RuntimeError(f"{coroutine} has ended")
