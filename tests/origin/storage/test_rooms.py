"""Buffers that are used again, and reads that come from the page cache."""

from __future__ import annotations

import os
from pathlib import Path

from origin.service.model import Caller, PutRequest
from origin.service.rooms import MOST, Rooms
from origin.service.service import Service
from origin.service.source import WARM
from tests.origin.storage.support import BUCKET, MIB, caller, settings, stream


def test_a_buffer_is_not_given_out_again_while_anybody_has_a_view_of_it() -> None:
    rooms = Rooms(1000)
    first = rooms.take()
    part = first[10:20]
    part[:] = b"0123456789"
    first.release()
    second = rooms.take()
    second[:] = bytes(1000)
    assert bytes(part) == b"0123456789"
    part.release()
    second.release()
    assert rooms.take().nbytes == 1000


def test_more_buffers_than_are_kept_can_be_out_at_once() -> None:
    rooms = Rooms(8)
    views = [rooms.take() for _ in range(2 * MOST)]
    for number, view in enumerate(views):
        view[:] = bytes([number]) * 8
    assert [bytes(view) for view in views] == [bytes([number]) * 8 for number in range(2 * MOST)]


async def _service(folder: Path) -> tuple[Service, Caller]:
    service = await Service.open(settings(folder))
    who = await caller(service)
    await service.buckets.create(who, BUCKET)
    return service, who


async def test_pieces_that_are_kept_stay_what_they_were(tmp_path: Path) -> None:
    service, who = await _service(tmp_path)
    data = os.urandom(17 * MIB + 12_345)
    await service.objects.put(who, PutRequest(bucket=BUCKET, key="k"), stream(data))
    for span in (None, f"bytes={WARM + 7}-{8 * MIB + 99}", "bytes=1-9000000", f"bytes={16 * MIB - 1}-"):
        async with await service.objects.open(who, BUCKET, "k", range=span) as reading:
            pieces = [piece async for piece in reading.chunks()]
            assert b"".join(pieces) == data[reading.start : reading.end], span
    await service.close()
