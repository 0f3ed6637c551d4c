"""Stale answers: while the upstream is asked, and where it fails (RFC 5861, RFC 9111 §4.2.4), on every kind of site."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tests.edge.dialogue.stage import until
from tests.edge.rfc9111.conftest import ASSETS, PASSING, House
from tests.edge.rfc9111.script import DROP, line

Script = Callable[..., str]
KINDS = pytest.mark.parametrize("host", [PASSING, ASSETS])


@KINDS
def test_stale_while_revalidate_answers_at_once_and_asks_once(house: House, script: Script, host: str) -> None:
    gate = threading.Event()
    stale = line(200, "old", cache_control="max-age=0, stale-while-revalidate=60")
    path = script(stale, line(200, "new", gate=gate, cache_control="max-age=3600"))
    house.ask(path, host=host)
    for _ in range(3):
        answer = house.ask(path, host=host)
        assert (answer.body, "detail=refreshing" in answer.cache) == (b"old", True)
    until(lambda: house.upstream.count(path) == 2, "the upstream was not asked")
    gate.set()
    until(lambda: house.ask(path, host=host).body == b"new", "the new answer never came")
    assert house.upstream.count(path) == 2


@KINDS
def test_stale_if_error_hides_an_error_and_a_dead_upstream(house: House, script: Script, host: str) -> None:
    path = script(line(200, "old", cache_control="max-age=0, stale-if-error=60"), line(503, "no"), DROP)
    house.ask(path, host=host)
    for _ in range(2):
        answer = house.ask(path, host=host)
        assert (answer.status, answer.body, "detail=stale" in answer.cache) == (200, b"old", True)


@KINDS
def test_a_window_that_is_over_hides_nothing(house: House, script: Script, host: str) -> None:
    path = script(line(200, "old", cache_control="max-age=0, stale-if-error=0"), line(503, "no"), DROP)
    house.ask(path, host=host)
    assert house.ask(path, host=host).status == 503
    assert house.ask(path, host=host).status == 502


@KINDS
@pytest.mark.parametrize("forbidding", ["must-revalidate", "proxy-revalidate", "no-cache", "s-maxage=0"])
def test_what_forbids_stale_answers_gets_none(house: House, script: Script, host: str, forbidding: str) -> None:
    path = script(line(200, "old", cache_control=f"max-age=0, stale-if-error=60, {forbidding}"), DROP)
    house.ask(path, host=host)
    assert house.ask(path, host=host).status == 502


def test_by_the_letter_an_error_that_was_not_asked_to_be_hidden_is_shown(house: House, script: Script) -> None:
    path = script(line(200, "old", cache_control="max-age=0"), line(503, "no"), DROP)
    house.ask(path)
    assert house.ask(path).status == 503
    assert house.ask(path).body == b"old"  # §4.2.4: disconnected


def test_a_client_may_ask_for_something_stale(house: House, script: Script) -> None:
    path = script(line(200, "old", cache_control="max-age=0"), line(200, "new"))
    house.ask(path)
    assert house.ask(path, Cache_Control="max-stale=60").body == b"old"
    assert house.ask(path).body == b"new"
