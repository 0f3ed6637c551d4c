"""A large source in slices: which of them a range of bytes needs, and what each is called.

The rule of this file: slices of one source are equally long but for the last, and each is a body of its own, so that
a seek moves what it needs and eviction takes what nobody watches.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec


class Piece(NamedTuple):
    """Bytes [start, stop) of one slice."""

    number: int
    start: int
    stop: int


class Slices(msgspec.Struct, frozen=True):
    """How a source of `length` bytes is cut: into slices of `size` bytes."""

    length: int
    size: int

    def __len__(self) -> int:
        return -(-self.length // self.size)

    def span(self, number: int) -> tuple[int, int]:
        """Bytes [start, stop) of the source that a slice holds. Raises IndexError where there is no such slice."""
        if not 0 <= number < len(self):
            raise IndexError(f"slice {number} of {len(self)}")
        return number * self.size, min(self.length, (number + 1) * self.size)

    def pieces(self, start: int, stop: int) -> Iterator[Piece]:
        """What of which slices makes up bytes [start, stop) of the source, in order."""
        while start < stop:
            number, offset = divmod(start, self.size)
            end = min(stop, (number + 1) * self.size)
            yield Piece(number, offset, offset + end - start)
            start = end
