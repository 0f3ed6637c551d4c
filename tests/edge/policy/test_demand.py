"""What requests demand of stored answers, and of whom."""

from __future__ import annotations

import math

import pytest

from edge.policy.demand import NONE, Demand, demand
from tests.edge.policy.samples import PASSING, SITE


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({}, NONE),
        ({"cache-control": "max-age=5, min-fresh=3"}, Demand(max_age=5, min_fresh=3)),
        ({"cache-control": "max-stale"}, Demand(max_stale=math.inf)),
        ({"cache-control": "max-stale=9"}, Demand(max_stale=9)),
        ({"cache-control": "no-store"}, Demand(store=False)),
        ({"cache-control": "only-if-cached, max-age=x"}, Demand(only_if_cached=True)),
        ({"cache-control": "max-age=5", "pragma": "no-cache"}, Demand(max_age=5)),
        ({"cache-control": "unknown"}, NONE),
    ],
)
def test_directives_are_read(headers: dict[str, str], wanted: Demand) -> None:
    assert demand(PASSING.behaviour, headers) == wanted


@pytest.mark.parametrize("headers", [{"cache-control": "no-cache"}, {"pragma": "no-cache"}])
def test_no_cache_accepts_nothing_but_only_of_a_transparent_site(headers: dict[str, str]) -> None:
    assert not demand(PASSING.behaviour, headers).accepts(0, 100, 100)
    assert demand(SITE.behaviour, headers) is NONE


@pytest.mark.parametrize(
    ("wanted", "age", "left", "stale_left", "accepted"),
    [
        (NONE, 10, 1, 0, True),
        (NONE, 10, 0, 100, False),
        (Demand(max_age=9), 10, 1, 0, False),
        (Demand(max_age=10), 10, 1, 0, True),
        (Demand(min_fresh=2), 10, 1, 0, False),
        (Demand(max_stale=5), 10, -4, 100, True),
        (Demand(max_stale=5), 10, -5, 100, False),
        (Demand(max_stale=math.inf), 10, -5, 0, False),
    ],
)
def test_a_stored_answer_will_do_or_not(
    wanted: Demand, age: float, left: float, stale_left: float, accepted: bool
) -> None:
    assert wanted.accepts(age, left, stale_left) is accepted
