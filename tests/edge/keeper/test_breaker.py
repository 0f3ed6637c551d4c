"""The breaker: a failing host is left alone but for one probe a second."""

from __future__ import annotations

from edge.keeper.breaker import PROBE_EVERY, THRESHOLD, Breakers
from edge.keeper.metrics import Metrics


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def broken(clock: Clock, metrics: Metrics | None = None) -> Breakers:
    breakers = Breakers(clock, metrics)
    for _ in range(THRESHOLD):
        assert breakers.allows("a:80")
        breakers.failed("a:80")
    return breakers


def test_consecutive_failures_open_it_and_other_hosts_are_not_touched() -> None:
    breakers = broken(Clock())
    assert not breakers.allows("a:80")
    assert breakers.allows("b:80")
    assert breakers.open_hosts() == ("a:80",)


def test_an_answer_in_between_starts_the_count_again() -> None:
    breakers = Breakers(Clock())
    for _ in range(3):
        for _ in range(THRESHOLD - 1):
            breakers.failed("a:80")
        breakers.succeeded("a:80")
    assert breakers.allows("a:80")
    assert breakers.open_hosts() == ()


def test_an_open_breaker_lets_one_probe_through_in_a_second() -> None:
    clock = Clock()
    breakers = broken(clock)
    for _ in range(5):
        clock.now += PROBE_EVERY
        assert breakers.allows("a:80")
        assert not any(breakers.allows("a:80") for _ in range(100))
        clock.now += PROBE_EVERY / 2
        assert not breakers.allows("a:80")


def test_a_failed_probe_keeps_it_open_and_a_good_one_closes_it() -> None:
    clock = Clock()
    metrics = Metrics()
    breakers = broken(clock, metrics)
    assert metrics.registry.get_sample_value("facet_edge_breaker_open", {"host": "a:80"}) == 1
    clock.now += PROBE_EVERY
    assert breakers.allows("a:80")
    breakers.failed("a:80")
    assert not breakers.allows("a:80")
    clock.now += PROBE_EVERY
    assert breakers.allows("a:80")
    breakers.succeeded("a:80")
    assert all(breakers.allows("a:80") for _ in range(10))
    assert metrics.registry.get_sample_value("facet_edge_breaker_open", {"host": "a:80"}) == 0
