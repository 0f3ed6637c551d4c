"""How long an answer is given beyond its lifetime."""

from __future__ import annotations

import pytest

from conf.schema import Settings
from edge.policy.freshness import Lifetimes
from edge.policy.stale import windows
from tests.edge.policy.samples import PASSING, SITE

NOW = 1_800_000_000.0
CDN, RFC = (Lifetimes.of(site, Settings().edge) for site in (SITE, PASSING))
DEFAULT = CDN.stale


@pytest.mark.parametrize(
    ("line", "lifetimes", "refreshing", "failing", "away"),
    [
        ("max-age=60", CDN, 60, 60 + DEFAULT, 60 + DEFAULT),
        ("max-age=60", RFC, 60, 60, 60 + DEFAULT),
        ("max-age=60, stale-if-error=5", CDN, 60, 65, 65),
        ("max-age=60, stale-if-error=5", RFC, 60, 65, 65),
        ("max-age=60, stale-while-revalidate=7", RFC, 67, 60, 60 + DEFAULT),
        ("max-age=60, stale-while-revalidate=9999", CDN, 60 + CDN.revalidate, 60 + DEFAULT, 60 + DEFAULT),
        ("max-age=60, stale-if-error=5, stale-while-revalidate=7, must-revalidate", RFC, 60, 60, 60),
        ("max-age=60, stale-if-error=x", RFC, 60, 60, 60),
        ("", RFC, 60, 60, 60 + DEFAULT),
    ],
)
def test_windows_are_the_upstreams_or_the_sites(
    line: str, lifetimes: Lifetimes, refreshing: float, failing: float, away: float
) -> None:
    found = windows({"cache-control": line}, lifetimes, 0, NOW, NOW + 60)
    assert found == (NOW + refreshing, NOW + failing, NOW + away)


def test_what_is_fresh_by_its_upstreams_word_stands_in_whatever_it_forbids() -> None:
    found = windows({"cache-control": "max-age=900, must-revalidate"}, CDN, 100, NOW, NOW + 300)
    assert found == (NOW + 300, NOW + 800, NOW + 800)
