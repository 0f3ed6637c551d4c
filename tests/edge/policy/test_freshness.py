"""Lifetimes: RFC 9111's arithmetic, the site's bounds, and one line for the client."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.schema import Settings
from edge.policy.freshness import (
    SHORT,
    Lifetimes,
    age,
    client_cache_control,
    edge_lifetime,
    explicit_freshness,
    forbids_transform,
    initial_age,
)
from tests.edge.policy.samples import PASSING, SITE
from wire.dates import http_date

NOW = 1_800_000_000.0
LIFETIMES = Lifetimes(revalidate=300, negative=5, client_max_age=31_536_000, stale=86_400)
BY_THE_RFC = Lifetimes.of(PASSING, Settings().edge)
MASTODON = "public, max-age=315576000, immutable"


def cc(value: str) -> dict[str, str]:
    return {"cache-control": value}


DATE = http_date(NOW - 10)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        (cc("public"), None),
        (cc("max-age=60"), 60),
        (cc("max-age=60, s-maxage=5"), 5),
        (cc("max-age=60, max-age=9"), 60),
        (cc("max-age=-1"), 0),
        (cc("max-age=1h"), 0),
        (cc("max-age"), 0),
        (cc("s-maxage=x, max-age=60"), 0),
        ({"expires": http_date(NOW + 50), "date": DATE}, 60),
        ({"expires": http_date(NOW + 50)}, 50),
        ({"expires": http_date(NOW - 50), "date": DATE}, 0),
        ({"expires": "0"}, 0),
        ({"expires": http_date(NOW + 50), "date": DATE} | cc("max-age=7"), 7),
    ],
)
def test_explicit_freshness_is_read_in_the_order_of_the_rfc(headers: dict[str, str], seconds: float | None) -> None:
    assert explicit_freshness(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("headers", "took", "expected"),
    [
        ({}, 0, 0),
        ({}, 3, 3),
        ({"age": "20"}, 3, 23),
        ({"age": "20, 90"}, 0, 20),
        ({"age": "-5"}, 0, 0),
        ({"age": "old"}, 0, 0),
        ({"date": http_date(NOW - 100)}, 3, 100),
        ({"date": http_date(NOW - 100), "age": "200"}, 3, 203),
        ({"date": http_date(NOW + 100)}, 0, 0),
    ],
)
def test_the_age_at_arrival_is_the_greater_of_both_estimates(
    headers: dict[str, str], took: float, expected: float
) -> None:
    assert initial_age(headers, NOW - took, NOW) == expected


@pytest.mark.parametrize(
    ("path", "status", "headers", "seconds"),
    [
        ("/a.jpg", 200, {}, 300),
        ("/a.jpg", 200, cc(MASTODON), 300),
        ("/a.jpg", 200, cc("max-age=60"), 60),
        ("/a.jpg", 200, cc("max-age=60") | {"age": "50"}, 10),
        ("/a.jpg", 200, cc("max-age=60") | {"age": "70"}, -10),
        ("/a.jpg", 200, cc("no-cache, max-age=60"), 0),
        ("/a.jpg", 404, {}, 5),
        ("/a.jpg", 404, cc("max-age=2"), 2),
        ("/a.jpg", 410, cc("max-age=600"), 5),
        ("/live.m3u8", 200, {}, 1),
        ("/LIVE.M3U8?x=1", 200, {}, 1),
        ("/live.m3u8", 200, cc("max-age=60"), 60),
    ],
)
def test_the_edge_keeps_an_answer_for_the_shortest_of_its_bounds(
    path: str, status: int, headers: dict[str, str], seconds: float
) -> None:
    assert edge_lifetime(path, status, headers, LIFETIMES, NOW, NOW) == seconds


@pytest.mark.parametrize(
    ("status", "headers", "flags", "line"),
    [
        (200, {}, {}, "public, max-age=300"),
        (200, cc(MASTODON), {}, "public, max-age=31536000, immutable"),
        (200, cc("max-age=60, s-maxage=5"), {}, "public, max-age=60"),
        (200, cc("max-age=60, must-revalidate, no-transform"), {}, "public, max-age=60, must-revalidate, no-transform"),
        (200, cc("max-age=60, stale-if-error=9"), {}, "public, max-age=60, stale-if-error=9"),
        (200, cc("no-cache"), {}, "no-cache"),
        (200, {"expires": http_date(NOW + 50), "date": DATE}, {}, "public, max-age=60"),
        (200, {"expires": http_date(NOW + 50)}, {}, "public, max-age=300"),
        (200, cc(MASTODON), {"bound": SHORT}, f"public, max-age={SHORT}"),
        (200, cc("max-age=2"), {"bound": SHORT}, "public, max-age=2"),
        (404, cc(MASTODON), {}, "public, max-age=5"),
        (403, cc(MASTODON), {}, "no-store"),
        (502, {}, {}, "no-store"),
        (200, {}, {"stored": False}, "no-store"),
        (200, cc("private, max-age=60"), {"stored": False}, "private, max-age=60"),
        (200, cc("no-store, max-age=60"), {"stored": False}, "no-store"),
        (200, cc("public, max-age=60"), {"stored": False}, "public, max-age=60"),
        (404, {}, {"stored": False}, "no-store"),
    ],
)
def test_a_client_gets_one_line_with_a_cap(
    status: int, headers: dict[str, str], flags: dict[str, Any], line: str
) -> None:
    assert client_cache_control("/a.jpg", status, headers, LIFETIMES, **flags) == line


@given(st.text(), st.text(), st.text())
def test_no_header_makes_a_lifetime_longer_than_the_site_allows(
    cache_control: str, expires: str, sent_age: str
) -> None:
    headers = {"cache-control": cache_control, "expires": expires, "age": sent_age, "date": sent_age}
    assert edge_lifetime("/a", 200, headers, LIFETIMES, NOW, NOW) <= LIFETIMES.revalidate
    assert "\n" not in client_cache_control("/a", 200, headers, LIFETIMES)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"cdn-cache-control": "max-age=9"} | cc("max-age=60"), 9),
        ({"cdn-cache-control": "max-age=9"} | cc("no-store"), 9),
        ({"cdn-cache-control": "max-age=9;note=1, other=(a b)"} | cc("max-age=60"), 9),
        ({"cdn-cache-control": "public", "expires": http_date(NOW + 50)} | cc("max-age=60"), None),
        ({"cdn-cache-control": "max-age = 9"} | cc("max-age=60"), 60),
        ({"cdn-cache-control": "Max-Age=9"} | cc("max-age=60"), 60),
        ({"cdn-cache-control": ""} | cc("max-age=60"), 60),
        ({"cdn-cache-control": "max-age=1.5"} | cc("max-age=60"), 60),
        ({"cdn-cache-control": 'max-age="9"'} | cc("max-age=60"), 60),
        ({"cdn-cache-control": "max-age=9, public=1"} | cc("max-age=60"), 60),
        ({"cdn-cache-control": "max-age=9, max-age"} | cc("max-age=60"), 60),
        ({"cdn-cache-control": "max-age=9, other=a"} | cc("max-age=60"), 9),
        ({"cdn-cache-control": "max-age=9, no-store=?0"} | cc("max-age=60"), 9),
    ],
)
def test_the_targeted_field_goes_before_all_others(headers: dict[str, str], seconds: float | None) -> None:
    assert explicit_freshness(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (200, {}, 0),
        (200, {"last-modified": http_date(NOW - 1000)}, 100),
        (200, {"last-modified": http_date(NOW - 1000), "date": http_date(NOW - 100)}, -10),
        (200, {"last-modified": http_date(NOW - 86_400 * 365)}, 7 * 86_400),
        (201, {"last-modified": http_date(NOW - 1000)}, 0),
        (599, {"last-modified": http_date(NOW - 1000)} | cc("public"), 100),
        (200, {"last-modified": http_date(NOW - 1000)} | cc("max-age=3"), 3),
        (200, {"last-modified": http_date(NOW + 1000)}, 0),
        (404, cc("max-age=3600"), 3600),
        (200, cc('no-cache="a", max-age=3600'), 3600),
        (200, cc("no-cache, max-age=3600"), 0),
    ],
)
def test_by_the_rfc_a_lifetime_is_the_upstreams_or_a_guess(
    status: int, headers: dict[str, str], seconds: float
) -> None:
    assert edge_lifetime("/a", status, headers, BY_THE_RFC, NOW, NOW) == pytest.approx(seconds)


def test_age_grows_with_time_and_never_shrinks_below_its_start() -> None:
    assert age(2.5, NOW, NOW + 7) == 9
    assert age(2.5, NOW, NOW - 100) == 2  # a clock that was set back


def test_a_site_has_the_settings_lifetimes() -> None:
    assert Lifetimes.of(SITE, Settings().edge) == LIFETIMES
    assert forbids_transform(cc("public, No-Transform"))
