"""How long answers live: at the edge, and at the client (RFC 9111).

The rule of this file: time is an argument, in seconds since 1970. The edge's lifetime and the client's are computed
apart, and a client gets exactly one Cache-Control line. Headers are mappings of lower-case names to combined values
(`wire.fields.combine`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from conf.schema import Edge
from edge.policy.reasons import Detail
from edge.policy.sites import Site

Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """A site's settings of time, in seconds."""

    revalidate: float
    negative: float
    client_max_age: float

    @classmethod
    def of(cls, site: Site, edge: Edge) -> Lifetimes:
        """The lifetimes of a site."""
        raise NotImplementedError


def not_storable(status: int, headers: Headers, *, authorized: bool = False) -> Detail | None:
    """Why an upstream answer to a GET must not be stored (RFC 9111 §3); None where it may.

    authorized: the client's own Authorization went upstream with the request.
    """
    raise NotImplementedError


def explicit_freshness(headers: Headers, response_time: float) -> float | None:
    """The upstream's freshness lifetime in seconds (RFC 9111 §4.2.1): s-maxage, max-age or Expires; None without."""
    raise NotImplementedError


def initial_age(headers: Headers, request_time: float, response_time: float) -> float:
    """corrected_initial_age in seconds (RFC 9111 §4.2.3)."""
    raise NotImplementedError


def edge_lifetime(
    path: str, status: int, headers: Headers, lifetimes: Lifetimes, request_time: float, response_time: float
) -> float:
    """How many seconds from response_time the edge may use a stored answer without asking again; 0 is at once."""
    raise NotImplementedError


def age(initial: float, response_time: float, now: float) -> int:
    """The Age to send for a stored answer, in whole seconds (RFC 9111 §4.2.3, §5.1)."""
    raise NotImplementedError


def client_cache_control(
    path: str, status: int, headers: Headers, lifetimes: Lifetimes, *, short: bool = False, stored: bool = True
) -> str:
    """The one Cache-Control line for the client.

    short: a degraded or provisional answer. stored: False for an answer that was not storable.
    """
    raise NotImplementedError


def forbids_transform(headers: Headers) -> bool:
    """Whether Cache-Control says no-transform (RFC 9111 §5.2.2.6)."""
    raise NotImplementedError


def freshened(stored: Headers, validation: Headers) -> dict[str, str]:
    """The headers of a stored answer after a 304 (RFC 9111 §3.2, §4.3.4)."""
    raise NotImplementedError
