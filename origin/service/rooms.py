"""Buffers that are used again: a fresh one for every piece costs more in page faults than opening its frames does.

The rule of this file: a buffer is given out again only when nothing refers to its bytes any more. Python itself knows:
a bytearray that anybody has a view of, a transport that has not sent all of it included, refuses to change its size.
"""

from __future__ import annotations

MOST = 4
"""The most buffers that are kept; what is needed beyond them is made for once."""


class Rooms:
    """Buffers of `size` bytes for one reader."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: list[bytearray] = []

    def take(self) -> memoryview:
        """A view of a buffer that nobody else has; its bytes are anything."""
        for room in self._kept:
            if _is_free(room):
                return memoryview(room)
        room = bytearray(self._size)
        if len(self._kept) < MOST:
            self._kept.append(room)
        return memoryview(room)


def _is_free(room: bytearray) -> bool:
    try:
        room.append(0)
    except BufferError:
        return False
    room.pop()
    return True
