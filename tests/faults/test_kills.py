"""Kill -9 at any step and any time under 32 writers loses nothing acknowledged and leaves nothing unexplained."""

from __future__ import annotations

import random
from pathlib import Path

from origin.service.steps import Step
from tests.faults.kills import Kill, Store

SEED = 11


async def test_no_kill_loses_what_was_acknowledged(scratch: Path) -> None:
    store = Store(scratch / "store", SEED)
    chance = random.Random(SEED)
    at_steps = [Kill(step, chance.randint(1, 40)) for step in Step]
    at_times = [Kill(None, after=chance.uniform(0.05, 0.5)) for _ in range(3)]
    for kill in (*at_steps, *at_times):
        await store.kill(kill)
        assert store.problems == [], kill
    assert store.acknowledged > 100
