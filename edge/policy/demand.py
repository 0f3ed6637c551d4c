"""What a client demands of a stored answer (RFC 9111 §5.2.1, §5.4).

The rule of this file: a demand counts only where the site is transparent. Anywhere else `no-cache` of one visitor
would be everybody's cost (§5.2.1 calls these directives advisory), so the demand is then NONE.

| directive | media, assets | pass-through |
|---|---|---|
| no-cache, Pragma: no-cache, max-age, min-fresh | ignored | the upstream is asked |
| max-stale | ignored | answered beyond the lifetime, unless the answer forbids it |
| no-store | ignored | what is fetched is not stored |
| only-if-cached | ignored | 504 where nothing stored will do |
| stale-if-error | ignored | how long beyond its lifetime an answer may stand in for a failing upstream (RFC 5861 §4) |
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from edge.policy.directives import Headers
from edge.policy.sites import Behaviour
from wire.fields import delta_seconds, parse_cache_control


@dataclass(frozen=True, slots=True)
class Demand:
    """The directives of one request; times in seconds."""

    max_age: float = math.inf
    min_fresh: float = 0
    max_stale: float = 0
    store: bool = True
    only_if_cached: bool = False
    stale_if_error: float = 0

    def accepts(self, age: float, left: float, stale_left: float) -> bool:
        """Whether a stored answer of this age will do.

        left: its remaining lifetime, negative beyond it; stale_left: how long it may be given at all.
        """
        if age > self.max_age:  # §5.2.1.1
            return False
        if left > 0:
            return left >= self.min_fresh  # §5.2.1.3
        return stale_left > 0 and -left < self.max_stale  # §5.2.1.2


NONE: Final = Demand()
_REVALIDATE: Final = -1.0  # an age that no answer has


def demand(behaviour: Behaviour, headers: Headers) -> Demand:
    """What the request's headers demand."""
    field = headers.get("cache-control")
    if not behaviour.transparent or (field is None and "pragma" not in headers):
        return NONE
    directives = parse_cache_control(headers["pragma"] if field is None else field)  # §5.4
    if "no-cache" in directives:  # §5.2.1.4
        max_age: float | None = _REVALIDATE
    else:
        max_age = delta_seconds(directives.get("max-age"))
    stale = directives.get("max-stale", "0")
    return Demand(
        max_age=math.inf if max_age is None else max_age,
        min_fresh=delta_seconds(directives.get("min-fresh")) or 0,
        max_stale=math.inf if stale is None else delta_seconds(stale) or 0,  # without an argument: any staleness
        store="no-store" not in directives,  # §5.2.1.5
        only_if_cached="only-if-cached" in directives,  # §5.2.1.7
        stale_if_error=delta_seconds(directives.get("stale-if-error")) or 0,
    )
