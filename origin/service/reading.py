"""A read in progress."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from origin.service.model import ObjectInfo


class Reading:
    """Bytes [start, end) of one version. `partial` is True where a Range was asked and holds (206).

    While it is open the collector keeps its blobs. `chunks()` yields plaintext whose frames are verified; a bad
    frame raises `origin.service.reading.Damaged` after whole good frames only, so the answer must close short.
    """

    info: ObjectInfo
    start: int
    end: int
    partial: bool

    @property
    def length(self) -> int:
        """Bytes that `chunks()` will yield."""
        return self.end - self.start

    def chunks(self) -> AsyncIterator[bytes]:
        """The bytes, in pieces of at most 1 MiB. To be iterated once."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Let go of files and snapshot. May be called twice."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
