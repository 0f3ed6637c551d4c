"""Listings of keys."""

from __future__ import annotations

from origin.service.model import Caller, ListPage


class Listing:
    """`Service.listing`. Keys come in the order of their UTF-8 bytes; `max_keys` over 1,000 means 1,000."""

    async def v1(
        self, caller: Caller, bucket: str, *, prefix: str = "", delimiter: str = "", marker: str = "", max_keys: int = 1000
    ) -> ListPage:
        """ListObjects. Raises ServiceError: NoSuchBucket, AccessDenied, InvalidArgument (max_keys below 0)."""
        raise NotImplementedError

    async def v2(
        self, caller: Caller, bucket: str, *, prefix: str = "", delimiter: str = "", start_after: str = "",
        token: str | None = None, max_keys: int = 1000,
    ) -> ListPage:
        """ListObjectsV2. Raises as `v1`; InvalidArgument also for a token that is not ours."""
        raise NotImplementedError
