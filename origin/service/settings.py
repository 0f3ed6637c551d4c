"""What a bucket is set to: documents by name, kept with the bucket.

The rule of this file: a setting is one text under one name, read and replaced as a whole. Who may do it is the row of
the operation table; what the text means belongs to the room that evaluates it. Every change is one bucket-wide event.
"""

from __future__ import annotations

from collections.abc import Callable

from origin.catalog.contract import Tables
from origin.catalog.rows import BucketRow
from origin.service.access import authorise, no_such_bucket
from origin.service.model import Caller, Setting
from origin.service.operations import operation
from origin.service.stores import Stores
from wire.feed import BUCKET_CHANGED

Check = Callable[[BucketRow, Caller], None]
"""What else must hold inside the transaction; raises ServiceError."""
Note = Callable[[BucketRow, int], bytes | None]
"""(bucket, counter of the event) → what its notifications have to say."""


class Settings:
    """`Service.bucket_settings`: reading and replacing what buckets are set to."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def get(self, caller: Caller, name: str, bucket: str, setting: Setting) -> str | None:
        """The document, None where it was never set. `name` is the operation's. Raises ServiceError."""
        row = await self._stores.read(lambda tables: authorise(tables, caller, operation(name), bucket))
        return row.settings.get(setting)

    async def public(self, bucket: str, setting: Setting) -> str | None:
        """The document for a request that nobody has to be allowed to make; None also where there is no bucket."""
        row = await self._stores.read(lambda tables: tables.buckets.get(bucket))
        return None if row is None else row.settings.get(setting)

    async def shown(self, bucket: str, setting: Setting) -> str | None:
        """As `public`, but a bucket that does not exist is ServiceError NoSuchBucket."""
        row = await self._stores.read(lambda tables: tables.buckets.get(bucket))
        if row is None:
            raise no_such_bucket(bucket)
        return row.settings.get(setting)

    async def put(
        self,
        caller: Caller,
        name: str,
        bucket: str,
        setting: Setting,
        document: str | None,
        check: Check | None = None,
        note: Note | None = None,
    ) -> None:
        """Replace the document; None forgets it. `note` makes the notice of the change.

        Raises ServiceError, and what `check` raises.
        """

        def transact(tables: Tables) -> None:
            row = authorise(tables, caller, operation(name), bucket)
            if check is not None:
                check(row, caller)
            tables.buckets.set_setting(row.number, setting, document)
            counter = tables.meta.mutation()
            notice = None if note is None else note(row, counter)
            tables.events.add(BUCKET_CHANGED, bucket, None, None, counter, self._stores.clock(), notice)

        await self._stores.write(transact)
