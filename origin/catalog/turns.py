"""What a catalog needs of an event loop to run brief functions in its turns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

A = TypeVar("A", contravariant=True)


class Promise(Protocol[A]):
    """Where a result is awaited in a loop; asyncio's Future is one. Not for other threads."""

    def done(self) -> bool: ...
    def set_result(self, result: A, /) -> None: ...
    def set_exception(self, exception: BaseException, /) -> None: ...


class Loop(Protocol):
    """An event loop; asyncio's is one."""

    def call_soon(self, callback: Callable[[], object], /) -> object: ...
    def call_soon_threadsafe(self, callback: Callable[..., object], /, *args: object) -> object: ...
