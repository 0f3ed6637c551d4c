"""References stay exact while everything changes at once and the collector never rests."""

from __future__ import annotations

from pathlib import Path

from tests.faults.sharing import share

SEED, CHANGES = 3, 3000


async def test_nothing_shared_is_lost_and_nothing_unused_stays(scratch: Path) -> None:
    seen, problems = await share(scratch / "data", SEED, CHANGES)
    assert problems == []
    assert seen > 0
