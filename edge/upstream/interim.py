"""Interim answers of upstreams (RFC 9110 §15.2): 102, 103 and what else may come before the final one.

The rule of this file: aiohttp's client reads past interim answers; this is the one place that hears them. Who wants
to hear says so with `hearing` around the request, in the task that makes it.

What it uses of aiohttp's private surface: TCPConnector._factory, beside ResponseHandler, whose `read` gives each head.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, Final, TypeAlias

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader

Lines: TypeAlias = tuple[tuple[str, str], ...]
Hear: TypeAlias = Callable[[int, Lines], None]

MOST: Final = 16
"""Interim answers to one request that are heard; a client need not be told more often."""

_hear: ContextVar[Hear | None] = ContextVar("hear", default=None)


@contextmanager
def hearing(hear: Hear | None) -> Iterator[None]:
    """Within it, `hear` is called with the status and the header lines of interim answers to this task's requests."""
    token = _hear.set(hear)
    try:
        yield
    finally:
        _hear.reset(token)


class _Hearing(ResponseHandler):
    """An upstream's connection."""

    _heard = 0

    async def read(self) -> tuple[RawResponseMessage, StreamReader]:
        """The next head, interim ones too."""
        message, payload = await super().read()
        interim = 102 <= message.code < 200
        self._heard = self._heard + 1 if interim else 0
        hear = _hear.get()
        if interim and hear is not None and self._heard <= MOST:
            hear(message.code, tuple((str(name), value) for name, value in message.headers.items()))
        return message, payload


class HearingConnector(aiohttp.TCPConnector):
    """A connector whose connections hear interim answers."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        handler: type[ResponseHandler] = _Hearing
        self._factory = partial(handler, loop=self._loop)
