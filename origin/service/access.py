"""Who may do what. The same for every protocol."""

from __future__ import annotations

from origin.service.model import Caller
from origin.service.operations import Operation


class Access:
    """`Service.access`. Every method of the service asks here itself; a protocol may ask earlier, to refuse a body."""

    async def authorise(
        self, caller: Caller, operation: Operation, bucket: str | None = None, key: str | None = None
    ) -> None:
        """Return where the caller may. Raises ServiceError: NotImplemented, AccessDenied, NoSuchBucket, NoSuchKey."""
        raise NotImplementedError
