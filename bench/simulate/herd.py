"""A herd over several edge nodes: how many requests reach the origin for one object that no node has.

The rule of this file: arrivals are spread evenly over a time, a fill takes a time, and a node that has begun to fill
answers everybody from that fill (*flights*); without flights everybody who arrives before the first fill is complete
asks the origin, too.
"""

from __future__ import annotations

import random
from typing import Literal

Collapse = Literal["none", "node", "home"]
"""`none`: no flights; `node`: flights, requests go to any node; `home`: flights, and a key has one home node."""


def origin_requests(
    clients: int, nodes: int, collapse: Collapse, *, over: float = 2.0, fill: float = 0.5, seed: int = 1
) -> int:
    """Requests at the origin for one object: `clients` arrive within `over` seconds, a fill takes `fill`."""
    chance = random.Random(seed)
    done: dict[int, float] = {}
    asked = 0
    for arrival in sorted(chance.random() * over for _ in range(clients)):
        node = 0 if collapse == "home" else chance.randrange(nodes)
        if node not in done:
            done[node] = arrival + fill
            asked += 1
        elif collapse == "none" and arrival < done[node]:
            asked += 1
    return asked
