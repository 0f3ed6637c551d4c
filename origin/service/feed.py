"""The feed: every change, in the order in which it was committed."""

from __future__ import annotations

from origin.service.model import Caller
from wire.feed import FeedPage


class Feed:
    """`Service.feed`."""

    async def read(self, caller: Caller, cursor: str | None = None, *, wait: float = 0.0, limit: int = 1000) -> FeedPage:
        """Events after `cursor`, waiting up to `wait` seconds (at most 60) for the first.

        Without a cursor the page is empty and its cursor is the newest position. Needs the `feed` permission.
        Raises wire.feed.Gap where events after the cursor are gone; ServiceError: AccessDenied, InvalidArgument.
        """
        raise NotImplementedError
