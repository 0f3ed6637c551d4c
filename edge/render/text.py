"""Texts in codings: br, zstd, gzip.

The rule of this file: one text at a time on a thread of its own (the libraries let go of the interpreter), few
waiting, none of them for ever: whoever finds the queue full is given the text as it is.

A text is coded once and given often, so levels are chosen for size within what a first reader will wait. 1 MiB of
scripts on one core of a small virtual machine: br 9 takes 0.09 s of CPU and leaves 37 %, zstd 12 0.04 s and 38 %,
gzip 6 0.06 s and 42 % (November 2026).
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import brotli
import zstandard

from edge.render.errors import QueueFull

WAITING: Final = 64
"""Texts that wait or are being coded, at most."""

_WINDOW: Final = 23  # RFC 9659: browsers refuse zstd windows above 8 MiB


def _zstd(data: bytes) -> bytes:
    parameters = zstandard.ZstdCompressionParameters.from_level(12, source_size=len(data), window_log=_window(data))
    return zstandard.ZstdCompressor(compression_params=parameters).compress(data)


def _window(data: bytes) -> int:
    return max(10, min(_WINDOW, len(data).bit_length()))


_ENCODERS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "br": lambda data: brotli.compress(data, mode=brotli.MODE_TEXT, quality=9),
    "zstd": _zstd,
    "gzip": lambda data: gzip.compress(data, 6, mtime=0),
}


class Coder:
    """The texts of a node that are being coded."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="coder")
        self._waiting = 0

    async def code(self, read: Callable[[], bytes], coding: str) -> bytes:
        """What `read` gives, in a coding of policy.codings. Raises QueueFull, and what `read` raises."""
        if self._waiting >= WAITING:
            raise QueueFull("too many texts wait to be coded")
        encode = _ENCODERS[coding]
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: encode(read()))
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Begin no other text; the one under way ends by itself."""
        self._thread.shutdown(wait=False, cancel_futures=True)
