"""Freshness against an independent implementation of RFC 9111: hishel.

Both are asked whether an answer that has just come is fresh. What hishel does not read (an Age field) and where it
guesses from another moment (§4.2.2 leaves that open) is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from hishel import Headers, Response
from hishel._core import _spec
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.schema import Settings
from edge.policy.freshness import Lifetimes, edge_lifetime, explicit_freshness
from tests.edge.policy.samples import PASSING
from wire.dates import http_date

NOW = 1_800_000_000
LIFETIMES = Lifetimes.of(PASSING, Settings().edge)
SECONDS = st.integers(0, 100_000)
OFFSET = st.integers(-200_000, 200_000)


@pytest.fixture(scope="module", autouse=True)
def _its_clock_stands_still() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_spec, "time", SimpleNamespace(time=lambda: NOW))
        yield


@st.composite
def explicit(draw: st.DrawFn) -> dict[str, str]:
    """Headers with any mixture of explicit lifetimes."""
    headers = {}
    directives = [f"{name}={draw(SECONDS)}" for name in ("max-age", "s-maxage") if draw(st.booleans())]
    directives += draw(st.lists(st.sampled_from(["public", "must-revalidate", "immutable", 'x="max-age=1"'])))
    if directives:
        headers["cache-control"] = ", ".join(draw(st.permutations(directives)))
    for name in ("date", "expires"):
        if draw(st.booleans()):
            headers[name] = http_date(NOW + draw(OFFSET))
    return headers


def theirs(headers: dict[str, str]) -> tuple[int | None, int]:
    response = Response(200, Headers(headers))
    return _spec.get_freshness_lifetime(response, is_cache_shared=True), _spec.get_age(response)


@settings(max_examples=500, deadline=None)
@given(explicit())
def test_explicit_lifetimes_are_the_same(headers: dict[str, str]) -> None:
    lifetime, _ = theirs(headers)
    assert explicit_freshness(headers, NOW) == (None if lifetime is None else max(0, lifetime))


@settings(max_examples=500, deadline=None)
@given(explicit())
def test_both_call_the_same_answers_fresh(headers: dict[str, str]) -> None:
    lifetime, age = theirs(headers)
    remaining = max(0, lifetime - age) if lifetime is not None else 0
    assert max(0, edge_lifetime("/a", 200, headers, LIFETIMES, NOW, NOW)) == remaining


@settings(deadline=None)
@given(st.integers(0, 10_000_000).map(lambda tens: tens * 10))
def test_guesses_are_the_same(since: int) -> None:
    headers = {"date": http_date(NOW), "last-modified": http_date(NOW - since)}
    lifetime, _ = theirs(headers)
    assert edge_lifetime("/a", 200, headers, LIFETIMES, NOW, NOW) == pytest.approx(lifetime)
