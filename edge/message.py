"""A request as it was received and a reply as it will be sent, whatever library speaks HTTP.

The rule of this file: plain data and no decisions. The path is the one of the request line, byte for byte.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from edge.policy.reasons import CacheStatus

Hear: TypeAlias = Callable[[int, tuple[tuple[str, str], ...]], None]
"""Takes the status and the header lines of an interim answer (RFC 9110 §15.2)."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request. `headers` maps lower-case names to combined values."""

    method: str
    host: str
    raw_path: str
    raw_query: str
    headers: Mapping[str, str]
    body: RequestBody
    client: str = ""
    """Whose request it is, as limits count: an IPv4 address or an IPv6 /64; empty for nobody's."""
    interim: Hear | None = None
    """Sends an interim answer at once; None where the client gets none."""


class TooLong(Exception):
    """A request's body is longer than it may be."""


class RequestBody(Protocol):
    """The body of a request."""

    async def read(self, limit: int) -> bytes:
        """All of it. Raises TooLong above `limit` bytes, and BodyBroken where it does not come whole."""
        ...


class BodyBroken(Exception):
    """The rest of a body will not come. Its head has been sent: break the connection, so that the client knows."""


class Body(Protocol):
    """Where the bytes of a reply come from."""

    @property
    def length(self) -> int | None:
        """Bytes, where that is known before the end."""
        ...

    def blocks(self, start: int, stop: int | None) -> AsyncIterator[bytes]:
        """The bytes from `start` up to, not including, `stop` (None: to the end). Raises BodyBroken."""
        ...

    def close(self) -> None:
        """Nobody reads this body any more."""
        ...


class Held:
    """A body in memory."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    @property
    def length(self) -> int:
        """See Body."""
        return len(self.data)

    async def blocks(self, start: int, stop: int | None) -> AsyncIterator[bytes]:
        """See Body."""
        yield self.data[start:stop]

    def close(self) -> None:
        """See Body."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What will be sent: `body` from `start` up to `stop`, and nothing of it to a HEAD request."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: Body | None = None
    start: int = 0
    stop: int | None = None
    site: str | None = None
    outcome: CacheStatus | None = None
    close: bool = False
    """Whether the connection ends with this reply."""
