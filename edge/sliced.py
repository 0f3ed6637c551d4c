"""The body of a source that is kept in slices, put together while it is read.

The rule of this file: a slice is looked for when its first byte is due and not before. One that is not there is the
keeper's work; if that fails once the reply has begun, the body breaks off.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from edge.cache.entry import AssetRecord, slice_key
from edge.cache.files import Damaged, GrowingReader
from edge.cache.slices import Slices
from edge.keeper import link
from edge.keeper.client import Exchange, FillFailed, Growing, KeeperAway, KeeperClient
from edge.keeper.flights import WaitedTooLong
from edge.message import Body, BodyBroken
from edge.tiers import Tiers

_LOOKS = 2  # how often a slice is looked for that is gone or damaged when it is opened


async def growing(exchange: Exchange, where: link.Growing, tiers: Tiers) -> Body:
    """The body that the keeper is writing; if it is complete by now, the stored one. It takes over the exchange.

    Raises FillFailed, FileNotFoundError, Damaged.
    """
    try:
        return Growing(exchange, GrowingReader(Path(where.path), where.offset), where.length)
    except FileNotFoundError:
        stored = await exchange.stored()
        exchange.close()
        return await tiers.open(stored)


class Sliced:
    """The source of one answer."""

    def __init__(self, asset: AssetRecord, slices: Slices, *, tiers: Tiers, keeper: KeeperClient, wait: float) -> None:
        self.length = slices.length
        self._asset = asset
        self._slices = slices
        self._tiers = tiers
        self._keeper = keeper
        self._wait = wait
        self._ahead: tuple[int, Body] | None = None

    async def begin(self, start: int) -> None:
        """Have the slice that holds this byte, so that what may be wrong with it is known before the reply begins.

        Raises FillFailed, KeeperAway, WaitedTooLong.
        """
        number = start // self._slices.size
        self._ahead = (number, await self._open(number))

    async def blocks(self, start: int, stop: int | None) -> AsyncIterator[bytes]:
        """See Body."""
        for piece in self._slices.pieces(start, self.length if stop is None else stop):
            try:
                body = self._opened(piece.number) or await self._open(piece.number)
            except (FillFailed, KeeperAway, WaitedTooLong) as error:
                raise BodyBroken(str(error)) from error
            try:
                async for block in body.blocks(piece.start, piece.stop):
                    yield block
            finally:
                body.close()

    def close(self) -> None:
        """See Body."""
        if self._ahead is not None:
            self._ahead[1].close()
            self._ahead = None

    def _opened(self, number: int) -> Body | None:
        """The slice that was begun with, once."""
        if self._ahead is None or self._ahead[0] != number:
            return None
        _, body = self._ahead
        self._ahead = None
        return body

    async def _open(self, number: int) -> Body:
        asset = self._asset
        for _ in range(_LOOKS):
            stored = self._tiers.find(slice_key(asset.source_id, number))
            if stored is not None:
                return stored
            where, exchange = await self._keeper.slice(asset.site, asset.key, asset.source_id, number, self._wait)
            try:
                if isinstance(where, link.Growing):
                    return await growing(exchange, where, self._tiers)
                exchange.close()
                return await self._tiers.open(where)
            except (FileNotFoundError, Damaged):  # evicted, or given up, since the keeper looked
                exchange.close()
            except BaseException:
                exchange.close()
                raise
        raise WaitedTooLong
