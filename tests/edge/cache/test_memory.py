"""The memory tier: bounded, exact, and kind to what is hot."""

from __future__ import annotations

import bisect
import itertools
import random
from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from edge.cache.memory import MemoryTier
from edge.cache.s3fifo import MOST_HITS, SMALL_SHARE, S3Fifo

KEYS = st.sampled_from([bytes([n]) for n in range(12)])
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, st.integers(0, 60)),
        st.tuples(st.just("get"), KEYS, st.just(0)),
        st.tuples(st.just("discard"), KEYS, st.just(0)),
    ),
    max_size=120,
)


@given(OPERATIONS)
def test_it_never_holds_more_than_its_limit_nor_what_was_not_put_last(
    operations: list[tuple[str, bytes, int]],
) -> None:
    tier: MemoryTier[int] = MemoryTier(100)
    last: dict[bytes, tuple[int, int]] = {}
    for number, (what, key, size) in enumerate(operations):
        if what == "put":
            assert tier.put(key, number, size)
            last[key] = (number, size)
            assert tier.get(key) == number, "what was just put is there"
        elif what == "get":
            assert tier.get(key) in (None, last.get(key, (None, 0))[0])
        else:
            tier.discard(key)
            last.pop(key, None)
            assert tier.get(key) is None
        held = {key: size for key, (_, size) in last.items() if key in set(tier._entries)}
        assert tier.used == sum(held.values()) <= 100
        assert len(tier) == len(held)


def test_nothing_goes_while_there_is_room() -> None:
    tier: MemoryTier[int] = MemoryTier(1000)
    for number in range(100):
        tier.put(bytes([number]), number, 10)
    assert [tier.get(bytes([number])) for number in range(100)] == list(range(100))


def test_what_is_larger_than_the_tier_is_not_kept_and_displaces_nothing_but_its_predecessor() -> None:
    tier: MemoryTier[str] = MemoryTier(100)
    tier.put(b"a", "a", 50)
    tier.put(b"b", "b", 50)
    assert not tier.put(b"b", "b2", 101)
    assert tier.get(b"b") is None
    assert tier.get(b"a") == "a"


def test_one_hit_wonders_do_not_push_out_the_hot_set() -> None:
    tier: MemoryTier[int] = MemoryTier(1000)
    hot = [b"hot%d" % number for number in range(50)]
    for key in hot:
        tier.put(key, 1, 10)
        tier.get(key)
    for number in range(10_000):
        tier.put(b"once%d" % number, 1, 10)
        if number % 20 == 0:
            for key in hot:
                tier.get(key)
    assert all(tier.get(key) is not None for key in hot)


def test_what_comes_back_soon_after_eviction_is_kept_longer_than_what_does_not() -> None:
    order: S3Fifo[int, None] = S3Fifo(100)
    for number in range(11):
        if order.bytes == 100:
            order.evict()
        order.add(number, 10, None)
    order.evict()
    order.add(0, 10, None)
    assert order.proven(0)
    assert not order.proven(10)


class Model:
    """S3-FIFO as the paper tells it, with lists and no regard for speed."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.small: list[int] = []
        self.main: list[int] = []
        self.ghost: OrderedDict[int, int] = OrderedDict()
        self.size: dict[int, int] = {}
        self.hits: dict[int, int] = {}

    def evict(self) -> int:
        while True:
            if self.small and (
                sum(map(self.size.__getitem__, self.small)) > self.limit // SMALL_SHARE or not self.main
            ):
                key = self.small.pop(0)
                if self.hits[key]:
                    self.hits[key] = 0
                    self.main.append(key)
                    continue
                self.ghost[key] = self.size[key]
                while sum(self.ghost.values()) > self.limit or len(self.ghost) > len(self.small + self.main) + 1:
                    self.ghost.popitem(last=False)
                return key
            key = self.main.pop(0)
            if not self.hits[key]:
                return key
            self.hits[key] -= 1
            self.main.append(key)

    def request(self, key: int, size: int) -> bool:
        if key in self.small or key in self.main:
            self.hits[key] = min(MOST_HITS, self.hits[key] + 1)
            return True
        while sum(self.size[key] for key in self.small + self.main) + size > self.limit:
            self.evict()
        (self.main if self.ghost.pop(key, None) is not None else self.small).append(key)
        self.size[key], self.hits[key] = size, 0
        return False


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(1, 30)), max_size=200))
def test_it_evicts_as_the_plain_model_does(requests: list[tuple[int, int]]) -> None:
    model = Model(100)
    tier: MemoryTier[bool] = MemoryTier(100)
    for key, size in requests:
        name = bytes([key])
        hit = tier.get(name) is not None
        if not hit:
            tier.put(name, True, size)
        assert hit == model.request(key, size)
        assert list(tier._entries) == [bytes([key]) for key in model.main + model.small]


def test_it_hits_more_often_than_lru_on_what_a_cdn_sees() -> None:
    """Popularity by Zipf 0.8, one request in five for something never asked for again, a tier of 5 %."""
    draw = random.Random(5)
    objects = 5000
    popularity = list(itertools.accumulate((rank + 1) ** -0.8 for rank in range(objects)))
    sizes = [max(200, int(draw.lognormvariate(9, 1.2))) for _ in range(objects)]
    limit = sum(sizes) // 20
    tier: MemoryTier[bool] = MemoryTier(limit)
    recent: OrderedDict[bytes, int] = OrderedDict()
    hits = recent_hits = used = 0
    for number in range(30_000):
        rank = bisect.bisect(popularity, draw.random() * popularity[-1])
        key = b"once%d" % number if draw.random() < 0.2 else b"%d" % rank
        if tier.get(key):
            hits += 1
        else:
            tier.put(key, True, sizes[rank])
        if key in recent:
            recent_hits += 1
            recent.move_to_end(key)
        else:
            recent[key] = sizes[rank]
            used += sizes[rank]
            while used > limit:
                used -= recent.popitem(last=False)[1]
    assert hits > 1.25 * recent_hits
