"""How many of something each client has at once.

The rule of this file: it counts, and forgets who has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Crowd:
    """Counts by client, bounded for each."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._of: dict[str, int] = {}

    def enter(self, client: str) -> bool:
        """One more of a client's; whether it may be. `leave` follows in any case."""
        count = self._of[client] = self._of.get(client, 0) + 1
        return count <= self.most

    def leave(self, client: str) -> None:
        """One less."""
        count = self._of.get(client, 0) - 1
        if count > 0:
            self._of[client] = count
        else:
            self._of.pop(client, None)

    @contextmanager
    def one_more(self, client: str) -> Iterator[bool]:
        """One more for the length of a block; whether it may be."""
        try:
            yield self.enter(client)
        finally:
            self.leave(client)
