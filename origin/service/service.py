"""The service: one data folder, opened once, and the rooms that give its rows a meaning."""

from __future__ import annotations

from typing import Self

from conf.schema import Settings
from origin.service.access import Access
from origin.service.buckets import Buckets
from origin.service.feed import Feed
from origin.service.keys import Keys
from origin.service.listing import Listing
from origin.service.objects import Objects
from origin.service.uploads import Uploads


class Service:
    """The facade: `Service.open` in the event loop that will use it, `close` at the end."""

    settings: Settings
    access: Access
    keys: Keys
    buckets: Buckets
    objects: Objects
    listing: Listing
    uploads: Uploads
    feed: Feed

    @classmethod
    async def open(cls, settings: Settings) -> Self:
        """Lock the data folder, find or make the keys, open the stores, collect what a crash left.

        Raises conf.errors.StartError with one sentence that names the file or setting.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Finish what is committed, close the stores, unlock the folder."""
        raise NotImplementedError
