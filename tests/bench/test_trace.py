"""The trace has the shares that it claims, and is the same every time."""

from __future__ import annotations

import random
import statistics
from collections import Counter

import pytest

from bench.trace import SHARES, SIZES, Zipf, library, requests

MEDIA = library(20_000)
ASKED = list(requests(MEDIA, 40_000))


def test_one_seed_is_one_trace() -> None:
    assert library(100, 7) == library(100, 7) != library(100, 8)
    assert list(requests(MEDIA, 50, 3)) == list(requests(MEDIA, 50, 3)) != list(requests(MEDIA, 50, 4))


@pytest.mark.parametrize("kind", SHARES)
def test_kinds_come_in_their_shares_and_sizes(kind: str) -> None:
    sizes = [media.size for media in MEDIA if media.kind == kind]
    assert len(sizes) / len(MEDIA) == pytest.approx(SHARES[kind] / 100, rel=0.15)
    median, high, most = SIZES[kind]
    assert statistics.median(sizes) == pytest.approx(median, rel=0.2)
    assert statistics.quantiles(sizes, n=20)[18] == pytest.approx(high, rel=0.35)
    assert max(sizes) <= most


def test_clients_come_in_their_shares() -> None:
    clients = Counter(asked.client for asked in ASKED)
    assert clients["browser"] / len(ASKED) == pytest.approx(0.70, abs=0.01)
    assert clients["server"] / len(ASKED) == pytest.approx(0.25, abs=0.01)


def test_players_ask_for_parts_that_there_are_and_nobody_else_does() -> None:
    for asked in ASKED:
        assert (asked.part is not None) == (asked.client == "player")
        if asked.part is not None:
            assert asked.media.kind == "video"
            assert 0 <= asked.part[0] <= asked.part[1] < asked.media.size


def test_nine_in_ten_go_to_the_newest() -> None:
    stills = [asked for asked in ASKED if asked.client != "player"]
    newest = sum(asked.media.number < len(MEDIA) // 20 for asked in stills)
    assert newest / len(stills) == pytest.approx(0.905, abs=0.01)


def test_ranks_follow_zipf() -> None:
    chance, law = random.Random(1), Zipf(1000, 0.9)
    found = Counter(law.rank(chance) for _ in range(50_000))
    assert found[0] / found[9] == pytest.approx(10**0.9, rel=0.2)
    assert max(found) <= 999


def test_a_library_without_videos_has_no_players() -> None:
    stills = [media for media in library(200) if media.kind != "video"]
    assert all(asked.part is None for asked in requests(stills, 500))


def test_a_law_of_no_ranks_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a rank"):
        Zipf(0, 1)
