"""The model of caches does what its policies say, and what the real edge does."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.simulate.__main__ import small_trace
from bench.simulate.against import compare
from bench.simulate.growth import Instance, grow
from bench.simulate.herd import origin_requests
from bench.simulate.model import POLICIES, SLICE, UNIT, FifoCache, LruCache, S3FifoCache, simulate
from bench.trace import Asked, Media, library, requests


def test_the_model_agrees_with_the_real_edge(tmp_path: Path) -> None:
    """Within one request in twenty, on a trace that the cache holds a fifth of.

    The real ledger hears once a second what was read, and this trace lasts two.
    """
    found = compare(tmp_path, small_trace(300, 400), 8 * 2**20)
    assert found.real == pytest.approx(found.model["S3-FIFO"], abs=0.05)
    assert 0.2 < found.real < 0.9


@pytest.mark.parametrize("policy", POLICIES)
def test_what_fits_is_asked_for_once(policy: str) -> None:
    media = [Media(number, "card", 10_000) for number in range(50)]
    trace = [Asked(one, "server") for one in media] * 3
    found = simulate(trace, policy, 50 * 12_288)
    assert (found.hits, found.origin_requests) == (100, 50)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_body_larger_than_the_cache_is_never_kept(policy: str) -> None:
    cache = POLICIES[policy](10 * UNIT)
    cache.ask("small", UNIT)
    assert not cache.ask("large", 11 * UNIT)
    assert not cache.ask("large", 11 * UNIT)
    assert cache.ask("small", UNIT)


def test_lru_keeps_what_is_used_and_fifo_does_not() -> None:
    hits = {}
    for kind in (LruCache, FifoCache):
        cache = kind(2)
        for key in ("a", "b", "a", "c"):
            cache.ask(key, 1)
        hits[kind] = cache.ask("a", 1)
    assert hits == {LruCache: True, FifoCache: False}


def test_s3_fifo_lets_a_scan_pass() -> None:
    s3, lru = S3FifoCache(100), LruCache(100)
    for cache in (s3, lru):
        for _ in range(3):
            for key in range(50):
                cache.ask(key, 1)
        for key in range(1000, 1200):
            cache.ask(key, 1)
    assert sum(s3.ask(key, 1) for key in range(50)) > sum(lru.ask(key, 1) for key in range(50)) == 0


def test_a_browsers_miss_finds_the_source_that_a_server_asked_for() -> None:
    one = Media(1, "card", 10_000)
    found = simulate([Asked(one, "server"), Asked(one, "browser"), Asked(one, "browser")], "S3-FIFO", 10**6)
    assert (found.hits, found.origin_requests) == (1, 1)


def test_a_home_for_each_key_keeps_the_ratio_that_any_node_loses() -> None:
    media = [one for one in library(3000) if one.size < 500_000]
    trace = list(requests(media, 20_000))
    limit = sum(one.size for one in media) // 10
    one = simulate(trace, "S3-FIFO", limit).hit_ratio
    homes = simulate(trace, "S3-FIFO", limit // 8, 8).hit_ratio
    spread = simulate(trace, "S3-FIFO", limit // 8, 8, "any").hit_ratio
    assert spread < homes <= one + 0.02


def test_a_film_is_kept_slice_by_slice() -> None:
    film = Media(1, "video", 3 * SLICE)
    trace = [Asked(film, "player", part) for part in ((0, 1), (5, 9), (SLICE - 1, SLICE))]
    found = simulate(trace, "S3-FIFO", 10 * SLICE)
    assert (found.hits, found.origin_requests, found.origin_bytes) == (1, 2, 2 * SLICE)


def test_requests_that_fill_are_not_counted() -> None:
    trace = [Asked(Media(1, "card", 10_000), "server")] * 4
    found = simulate(trace, "LRU", 10**6, skip=1)
    assert (found.requests, found.hits, found.origin_share) == (3, 3, 0)


def test_a_herd_costs_one_request_for_each_node_that_fills() -> None:
    assert origin_requests(1000, 8, "home") == 1
    assert origin_requests(1000, 8, "node") == 8
    assert origin_requests(1000, 8, "none") > 100
    assert origin_requests(1, 8, "none") == 1


def test_a_store_grows_by_what_is_kept() -> None:
    days = list(grow(Instance(1000, retention=7), 30, duplicate=0.5))
    assert days[29].logical - days[28].logical == pytest.approx(Instance(1000).own)
    assert days[0].logical == pytest.approx(Instance(1000).own + Instance(1000).foreign)
    assert days[9].stored == pytest.approx(days[9].logical / 2, rel=0.01)
