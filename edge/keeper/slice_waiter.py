"""One request for a slice at the keeper: it is there, or it is watched while it comes.

The rule of this file: as in waiter.py, a waiter owns nothing; a slice of what is no longer current is not given.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from edge.cache.entry import BodyRef
from edge.keeper import link
from edge.keeper.flights import WaitedTooLong
from edge.keeper.rooms import Rooms
from edge.keeper.trouble import NoRoom, NotGiven, SourceGone
from edge.policy.reasons import CacheStatus, Detail, Forward
from edge.upstream.http import UpstreamFailed

_STATUS = CacheStatus(fwd=Forward.PARTIAL)


class Back(Protocol):
    """The way back to the client (edge.keeper.session.Exchange)."""

    def opened(self, growing: link.Growing) -> None: ...
    def progress(self, length: int) -> None: ...
    def done(self, stored: BodyRef | None = None) -> None: ...


async def give_slice(rooms: Rooms, ask: link.Slice, back: Back) -> None:
    """Tell where a slice is, and how it grows. Raises NotGiven."""
    try:
        await _give(rooms, ask, back)
    except SourceGone:
        raise NotGiven(502, _STATUS, "the source has changed at its upstream") from None
    except UpstreamFailed as failed:
        raise NotGiven(failed.status, CacheStatus(fwd=Forward.PARTIAL, detail=failed.detail), str(failed)) from None
    except NoRoom as full:
        raise NotGiven(503, CacheStatus(fwd=Forward.PARTIAL, detail=Detail.DISK_FULL), str(full)) from None
    except WaitedTooLong:
        raise NotGiven(504, _STATUS, "the slice was not ready in time") from None


async def _give(rooms: Rooms, ask: link.Slice, back: Back) -> None:
    site = rooms.sites.named(ask.site)
    if site is None:
        raise SourceGone
    stored = rooms.slices.stored(ask.source_id, ask.number)
    if stored is not None:
        back.done(stored)
        return
    flight = rooms.slices.join(site, ask.key, ask.source_id, ask.number)
    head = await flight.head(asyncio.get_running_loop().time() + ask.wait)
    if head is not None:
        back.opened(link.Growing(str(head.path), head.offset, head.length))
    told = 0
    while (length := await flight.beyond(told)) > told:
        told = length
        back.progress(told)
    back.done(flight.task.result())
