"""The paths at the endpoint's root that are not S3: `/-/health` and the change feed `/-/feed`.

The rule of this file: they exist in path style only; in virtual-host style the same path is a key of the bucket.
No bucket can be named "-", so they hide nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from origin.api.s3.call import Answer
from origin.service.model import Caller
from origin.service.service import Service
from wire.feed import Gap, encode_page
from wire.refusals import Refusal

PREFIX = "/-/"
HEALTH = "/-/health"
FEED = "/-/feed"
MAX_WAIT = 60.0

_JSON = {"Content-Type": "application/json", "Cache-Control": "no-store"}


def health() -> Answer:
    """That this process answers."""
    return Answer(200, _JSON, b'{"status":"ok"}')


async def feed(service: Service, caller: Caller, query: Mapping[str, str]) -> Answer:
    """One long poll of the feed: a FeedPage as JSON, or 410 with the newest cursor where events were lost."""
    text = query.get("wait", "0")
    try:
        wait = float(text)
    except ValueError:
        wait = -1.0
    if not 0 <= wait <= MAX_WAIT:
        raise Refusal("InvalidArgument", f"wait must be between 0 and {MAX_WAIT:.0f} seconds", ArgumentName="wait")
    try:
        page = await service.feed.read(caller, query.get("cursor") or None, wait=wait)
    except Gap as gap:
        return Answer(410, _JSON, orjson.dumps({"cursor": gap.cursor}))
    return Answer(200, _JSON, encode_page(page))
