"""What may be stored (RFC 9111 §3), and which of its fields (§3.1).

The rule of this file: every refusal has a word of `edge.policy.reasons`, and the statuses of each kind are one row of
a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from edge.policy.directives import Headers, control
from edge.policy.freshness import HEURISTIC, NEGATIVE, explicit_freshness
from edge.policy.reasons import Detail
from edge.policy.sites import Behaviour
from wire.fields import connection_options, split_list

UNCACHEABLE_HEADER: Final = "x-facet-uncacheable"
"""The origin's mark on an answer that depended on who asked from where (a policy condition)."""

_FINAL: Final = frozenset(range(200, 600))
_PARTIAL: Final = frozenset({206, 304})
"""They are no answers of their own: §3.3 and §4.3.4 say what becomes of them."""
_TO_THIS_REQUEST: Final = frozenset({407, 412, 416, 417})
"""They are about fields of one request that no key has (RFC 9110 §15.5): nothing to tell another."""


class Statuses(NamedTuple):
    """One row of the table: which statuses are stored."""

    without_freshness: frozenset[int]
    """Also where the upstream says nothing about their lifetime."""
    with_freshness: frozenset[int]
    """Only where it says how long, or that they are public."""


# By Behaviour.transparent. A CDN keeps errors for nobody but those that say what is not there: one bad minute of an
# upstream must not be remembered. A transparent cache does as it is told.
STATUSES: Final[Mapping[bool, Statuses]] = MappingProxyType(
    {
        False: Statuses(frozenset({200, 203, 204, 300, 301, 308}) | NEGATIVE, frozenset({302, 303, 307})),
        True: Statuses(HEURISTIC - _PARTIAL, _FINAL - _PARTIAL - _TO_THIS_REQUEST),
    }
)

_UNDERSTOOD: Final = frozenset(
    {200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 410, 414, 500, 501, 502, 503, 504}
)
"""The statuses whose caching rules are those of RFC 9110, for must-understand (§5.2.2.3)."""


def not_storable(status: int, headers: Headers, behaviour: Behaviour, *, authorized: bool = False) -> Detail | None:
    """Why an upstream answer to a GET must not be stored (RFC 9111 §3); None where it may.

    authorized: credentials of the client's own went upstream with the request. Set-Cookie is no reason: it is not
    stored, and the rest is (§7.3 leaves it to us).
    """
    said = control(headers)
    statuses = STATUSES[behaviour.transparent]
    if UNCACHEABLE_HEADER in headers:
        return Detail.UNCACHEABLE
    understood = said.says("must-understand") and status in _UNDERSTOOD  # §5.2.2.3: then no-store is to be ignored
    if said.says("no-store") and not understood:  # §5.2.2.5
        return Detail.NO_STORE
    if said.says("must-understand") and not understood:
        return Detail.UNCACHEABLE
    if said.says("private") or (said.fields("private") and not behaviour.transparent):  # §5.2.2.7
        return Detail.PRIVATE
    if authorized and not said.directives.keys() & {"public", "s-maxage", "must-revalidate"}:  # §3.5
        return Detail.AUTHORIZED
    if "*" in split_list(headers.get("vary", "")):  # §4.1: never matches a later request
        return Detail.UNCACHEABLE
    if status in statuses.without_freshness:
        return None
    told = said.says("public") or explicit_freshness(headers, 0, said) is not None
    return None if told and status in statuses.with_freshness else Detail.UNCACHEABLE


def kept_back(headers: Headers) -> frozenset[str]:
    """The fields that only the client gets whose request it was, because they are not stored (RFC 9111 §3.1).

    Those of the connection (§3.1, RFC 9110 §7.6.1) reach nobody and are not among them.
    """
    said = control(headers)
    return frozenset({"set-cookie", "set-cookie2"}) | said.fields("no-cache") | said.fields("private")


def of_connection(headers: Headers) -> frozenset[str]:
    """The fields that the Connection field takes with it (RFC 9110 §7.6.1)."""
    return connection_options(headers.get("connection"))
