"""How long answers live: at the edge, and at the client (RFC 9111 §4.2, §5).

The rule of this file: time is an argument, in seconds since 1970. The edge's lifetime and the client's are computed
apart, and a client gets exactly one Cache-Control line. Headers are mappings of lower-case names to combined values
(`wire.fields.combine`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from conf.schema import Edge
from edge.policy.directives import Control, Headers, control
from edge.policy.sites import Site
from wire.dates import parse_http_date
from wire.fields import delta_seconds, parse_cache_control, split_list

SHORT: Final = 5  # seconds a client keeps an answer that may be better next time
PROVISIONAL: Final = 60  # seconds a client keeps a rendering that may get smaller
LIVE: Final = {".m3u8": 1.0, ".mpd": 1.0}  # default lifetimes, in seconds, of playlists that change under one name

NEGATIVE: Final = frozenset({404, 410})
HEURISTIC: Final = frozenset({200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501})
"""The statuses whose answers live by a guess where nothing else is said (RFC 9110 §15.1)."""
_FRACTION: Final = 0.1  # of the time since Last-Modified (RFC 9111 §4.2.2)
_LONGEST_GUESS: Final = 7 * 86_400.0  # seconds


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """A site's settings of time, in seconds."""

    revalidate: float
    """The longest time without asking the upstream again, and the lifetime where the upstream gives none."""
    negative: float
    client_max_age: float
    stale: float
    """How long an answer may stand in for a failing upstream that does not say how long."""
    heuristic: bool = False
    """Without freshness from the upstream the lifetime is a guess; the others bound nothing."""

    @classmethod
    def of(cls, site: Site, edge: Edge) -> Self:
        """The lifetimes of a site."""
        if site.behaviour.heuristics:
            return cls(math.inf, math.inf, math.inf, edge.stale, heuristic=True)
        return cls(site.revalidate, edge.negative, edge.client_max_age, edge.stale)


def explicit_freshness(headers: Headers, response_time: float, said: Control | None = None) -> float | None:
    """The upstream's freshness lifetime in seconds (RFC 9111 §4.2.1): s-maxage, max-age or Expires; None without.

    What cannot be read counts as stale, as §4.2.1 asks for. `said` saves reading the directives again.
    """
    said = said or control(headers)
    for name in ("s-maxage", "max-age"):
        if (seconds := said.seconds(name)) is not None:
            return seconds
    return None if said.targeted else _expires_in(headers, response_time)


def _expires_in(headers: Headers, response_time: float) -> float | None:
    """Expires − Date (RFC 9111 §5.3); an unreadable Expires, such as 0, is in the past."""
    if "expires" not in headers:
        return None
    expires = parse_http_date(headers["expires"], response_time)
    return 0 if expires is None else max(0, expires - _date(headers, response_time))


def _date(headers: Headers, response_time: float) -> float:
    """The Date, or when the answer came where there is none (RFC 9110 §6.6.1)."""
    date = parse_http_date(headers.get("date", ""), response_time)
    return response_time if date is None else date


def initial_age(headers: Headers, request_time: float, response_time: float) -> float:
    """corrected_initial_age in seconds (RFC 9111 §4.2.3)."""
    first, *_ = split_list(headers.get("age", "")) or [""]  # §5.1: of several values the first
    apparent_age = max(0.0, response_time - _date(headers, response_time))
    corrected_age_value = (delta_seconds(first) or 0) + max(0.0, response_time - request_time)
    return max(apparent_age, corrected_age_value)


def edge_lifetime(
    path: str, status: int, headers: Headers, lifetimes: Lifetimes, request_time: float, response_time: float
) -> float:
    """How many seconds from response_time the edge may use a stored answer without asking again; from 0 on it may not.

    Negative for what came stale: the windows of stale answers begin where its freshness ended.

    The shortest of what is left of the upstream's freshness, the site's `revalidate` and, for 404 and 410, the
    negative lifetime. Without freshness from the upstream its part is the site's default, or a guess.
    """
    said = control(headers)
    if said.says("no-cache"):  # §5.2.2.4
        return 0
    bound = lifetimes.negative if status in NEGATIVE else lifetimes.revalidate
    freshness = explicit_freshness(headers, response_time, said)
    if freshness is None and not lifetimes.heuristic:
        return min(bound, _default_lifetime(path, lifetimes))
    if freshness is None:
        freshness = _guess(status, headers, said, response_time)
    return min(bound, freshness - initial_age(headers, request_time, response_time))


def _guess(status: int, headers: Headers, said: Control, response_time: float) -> float:
    """A tenth of the time since the last modification, for answers that may live by a guess (RFC 9111 §4.2.2)."""
    modified = parse_http_date(headers.get("last-modified", ""), response_time)
    if modified is None or not (status in HEURISTIC or said.says("public")):
        return 0
    return min(_LONGEST_GUESS, max(0.0, _date(headers, response_time) - modified) * _FRACTION)


def _default_lifetime(path: str, lifetimes: Lifetimes) -> float:
    name = path.partition("?")[0].lower()
    live = next((seconds for suffix, seconds in LIVE.items() if name.endswith(suffix)), lifetimes.revalidate)
    return min(live, lifetimes.revalidate)


def age(initial: float, response_time: float, now: float) -> int:
    """The Age to send for a stored answer, in whole seconds (RFC 9111 §4.2.3, §5.1).

    initial: corrected_initial_age when the answer came, at response_time.
    """
    return int(initial + max(0.0, now - response_time))


# Directives for clients that are passed on as they are (RFC 9111 §5.2.2, RFC 8246, RFC 5861).
_PASSED_ON: Final = ("immutable", "must-revalidate", "no-transform", "stale-while-revalidate", "stale-if-error")


def client_cache_control(
    path: str, status: int, headers: Headers, lifetimes: Lifetimes, *, bound: int | None = None, stored: bool = True
) -> str:
    """The one Cache-Control line for the client.

    bound: the most seconds, where the answer is degraded or given stale (SHORT) or PROVISIONAL. stored: False for an
    answer that is only relayed; a client then keeps it only where its upstream says so.
    """
    directives = parse_cache_control(headers.get("cache-control"))
    if status >= 400:
        return f"public, max-age={int(lifetimes.negative)}" if stored and status in NEGATIVE else "no-store"
    if "no-store" in directives or (not stored and not (directives.keys() & {"private", "public", "max-age"})):
        return "no-store"
    if "no-cache" in directives:
        return "no-cache, no-transform" if "no-transform" in directives else "no-cache"
    lifetime = _client_freshness(headers, directives)
    if lifetime is None:
        lifetime = _default_lifetime(path, lifetimes)
    passed_on = [name for name in _PASSED_ON if name in directives]
    if bound is not None:
        lifetime = min(lifetime, bound)
        passed_on = [name for name in passed_on if name == "no-transform"]
    return ", ".join(
        (
            "private" if "private" in directives else "public",
            f"max-age={int(min(lifetime, lifetimes.client_max_age))}",
            *(_directive(name, directives[name]) for name in passed_on),
        )
    )


def _client_freshness(headers: Headers, directives: Mapping[str, str | None]) -> float | None:
    """As explicit_freshness, for a cache that is not shared: without s-maxage."""
    if "max-age" in directives:
        return delta_seconds(directives["max-age"]) or 0
    return _expires_in(headers, 0) if "date" in headers else None


def _directive(name: str, argument: str | None) -> str:
    seconds = delta_seconds(argument)
    return name if seconds is None else f"{name}={seconds}"


def forbids_transform(headers: Headers) -> bool:
    """Whether Cache-Control says no-transform (RFC 9111 §5.2.2.6)."""
    return "no-transform" in parse_cache_control(headers.get("cache-control"))
