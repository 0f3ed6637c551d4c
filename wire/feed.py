"""The feed's events as they travel from origin to edge: one JSON page for each long poll.

The rule of this file: both halves build and read pages only here. An event says *where* something changed, never
what it is now; a reader asks the origin again. Positions grow by one for each event; a cursor is opaque outside.
"""

from __future__ import annotations

import msgspec

OBJECT_CREATED = "object.created"
OBJECT_REMOVED = "object.removed"
OBJECT_HIDDEN = "object.hidden"
"""A delete marker became the latest version."""
OBJECT_ACL = "object.acl"
OBJECT_TAGS = "object.tags"
OBJECT_LOCK = "object.lock"
OBJECT_CLASS = "object.class"
"""Its storage class changed."""
BUCKET_CREATED = "bucket.created"
BUCKET_REMOVED = "bucket.removed"
BUCKET_ACL = "bucket.acl"
BUCKET_CHANGED = "bucket.changed"


class FeedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One committed change. `key` None means that anything in the bucket may have changed.

    `time` is seconds since 1970 and informs people only; order within a key is `counter`, order of the whole log
    is `position`.
    """

    position: int
    time: float
    kind: str
    bucket: str
    key: str | None = None
    version: str | None = None
    counter: int = 0


class FeedPage(msgspec.Struct, frozen=True, kw_only=True):
    """Events after the asked cursor, oldest first, and the cursor to ask with next."""

    events: tuple[FeedEvent, ...]
    cursor: str


class Gap(Exception):
    """The cursor is older than what is kept, or from another log. Everything must be taken as changed.

    `cursor` is the newest position: after revalidating everything a reader goes on from there.
    """

    def __init__(self, cursor: str) -> None:
        super().__init__("the cursor is older than the feed")
        self.cursor = cursor


_decoder = msgspec.json.Decoder(FeedPage)


def encode_page(page: FeedPage) -> bytes:
    """The page as JSON."""
    return msgspec.json.encode(page)


def decode_page(data: bytes) -> FeedPage:
    """The page from JSON. Raises ValueError (msgspec.DecodeError) where it is none."""
    return _decoder.decode(data)
