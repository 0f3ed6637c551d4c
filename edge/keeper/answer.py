"""An answer: the records that say everything about a reply but which part of it the client asked for.

Server process and keeper mean the same by it: the one makes it of stored records, the other sends it over the link.
"""

from __future__ import annotations

import msgspec

from edge.cache.entry import AssetRecord, BodyRef, Representation
from edge.policy.reasons import Detail


class Answer(msgspec.Struct, frozen=True):
    """What a client gets: the asset, and the rendering of it, if it is not the stored bytes themselves."""

    asset: AssetRecord
    representation: Representation | None = None
    reason: Detail | None = None
    """Why the stored bytes are given where a rendering might have been expected."""
    degraded: bool = False
    """Given for want of something better: kept by clients for a short time only."""
    final_at: float = 0.0
    """Until when a smaller rendering may take its place; 0 for never."""
    replaced: str = ""
    """The ETag that the representation took the place of: whoever still has that needs nothing else."""
    spared: int = 0
    """Bytes that the replaced one was larger by."""

    def is_provisional(self, now: float) -> bool:
        """Whether something smaller may come: clients keep it for a short time only."""
        return now < self.final_at

    def detail(self, now: float) -> Detail | None:
        """What Cache-Status says of it."""
        over = self.reason is Detail.PROVISIONAL and not self.is_provisional(now)
        return None if over else self.reason

    at: str | None = None
    """The query that asks for exactly this, where it is another than was asked."""

    @property
    def body(self) -> BodyRef | None:
        """The stored body, where there is one."""
        return self.asset.source if self.representation is None else self.representation.body

    @property
    def etag(self) -> str | None:
        """The strong validator, without quotes."""
        return self.asset.etag if self.representation is None else self.representation.etag

    @property
    def content_type(self) -> str | None:
        """The type of the bytes."""
        return self.asset.content_type if self.representation is None else self.representation.content_type
