"""How long a stored answer may be given beyond its lifetime (RFC 9111 §4.2.4, RFC 5861).

The rule of this file: the windows are worked out once, when the answer is stored, as points in time; a lookup only
compares them with the clock.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from edge.policy.directives import Headers, control
from edge.policy.freshness import Lifetimes, explicit_freshness

_NEVER_STALE: Final = frozenset({"must-revalidate", "proxy-revalidate", "s-maxage"})
"""§5.2.2.2, §5.2.2.8 and §5.2.2.10, which includes the second."""


class Windows(NamedTuple):
    """Until when an answer may be used, in seconds since 1970; none begins before the answer is stale at the edge."""

    refreshing: float
    """While one request asks the upstream in the background (stale-while-revalidate)."""
    failing: float
    """Where the upstream answers with an error (stale-if-error)."""
    away: float
    """Where the upstream does not answer at all: §4.2.4 calls the cache disconnected."""


def may_be_stale(headers: Headers) -> bool:
    """Whether an answer may be given beyond its lifetime at all."""
    said = control(headers)
    return not (said.directives.keys() & _NEVER_STALE or said.says("no-cache"))


def windows(headers: Headers, lifetimes: Lifetimes, age: float, now: float, expires: float) -> Windows:
    """The windows of an answer that came `now`, at that `age`, and that the edge may use until `expires`.

    An answer that is still fresh by its upstream's word stands in for it whatever it forbids: only the site wanted
    to ask again. Directives that forbid stale answers forbid every window.
    """
    said = control(headers)
    freshness = explicit_freshness(headers, now, said)
    fresh_until = expires if freshness is None or said.says("no-cache") else max(expires, now + freshness - age)
    if not may_be_stale(headers):
        return Windows(expires, fresh_until, fresh_until)
    refresh, error = said.seconds("stale-while-revalidate"), said.seconds("stale-if-error")
    away = fresh_until + (lifetimes.stale if error is None else error)
    # By the letter of RFC 5861 §4 an error that is an answer is only hidden where the upstream asks for it.
    failing = fresh_until if error is None and lifetimes.heuristic else away
    return Windows(expires + min(refresh or 0, lifetimes.revalidate), failing, away)
