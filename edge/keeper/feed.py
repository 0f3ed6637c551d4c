"""Following the origin's change feed. (Signatures; being filled in.)"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

from edge.keeper.purge import Purger


class Follower:
    """`await Follower(...).run()` never returns; cancel it. Sets epochs.settle() at the feed's end."""

    def __init__(self, *, origin: str, access_key: str, secret_key: str, region: str, session: aiohttp.ClientSession,
                 purger: Purger, cursor_file: Path, clock: Callable[[], float], jitter: Callable[[], float],
                 sleep: Callable[[float], Awaitable[None]]) -> None: ...
    async def run(self) -> None: ...
