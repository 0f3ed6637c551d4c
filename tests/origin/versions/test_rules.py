"""Promises of lifecycle rules as pure functions: what is due, when, and what makes no sense."""

from __future__ import annotations

from typing import Any

import pytest

from origin.catalog.rows import UNLOCKED, Described, OwnerRow, VersionRow
from origin.service.mistakes import check_rules
from origin.service.model import ServiceError
from origin.service.rules import DAY, Expire, Filter, Move, Noncurrent, Past, Rule, is_due

MIDNIGHT = 20_000 * DAY
NOON = MIDNIGHT + DAY / 2
ABOUT = Described(content_type="", headers={}, metadata={}, acl="private", storage_class="STANDARD")


def version(created: float = NOON, **more: Any) -> VersionRow:
    known: dict[str, Any] = {
        "sequence": 1, "bucket": 1, "key": b"logs/k", "version_id": "", "latest": True, "marker": False,
        "owner": OwnerRow("0" * 64, "ada", "Ada"), "created": created, "described": ABOUT, "manifest": None,
        "identity": b"", "size": 10, "seal_id": b"", "digests": b"", "tags": {"a": "1", "b": "2"}, "lock": UNLOCKED,
    }  # fmt: skip
    return VersionRow(**(known | more))


def rule(**more: Any) -> Rule:
    known: dict[str, Any] = {"id": "r", "enabled": True, "filter": Filter(), "expiration": Expire(days=1)}
    return Rule(**(known | more))


@pytest.mark.parametrize(
    ("created", "days", "due"),
    [
        (NOON, 1, MIDNIGHT + 2 * DAY),
        (MIDNIGHT + 1, 1, MIDNIGHT + 2 * DAY),
        (MIDNIGHT, 1, MIDNIGHT + DAY),
        (MIDNIGHT + DAY - 1, 30, MIDNIGHT + 31 * DAY),
    ],
)
def test_days_end_at_the_midnight_after_them(created: float, days: int, due: float) -> None:
    rules = [rule(expiration=Expire(days=days))]
    assert not is_due(rules, version(created), None, due - 1, DAY)
    assert is_due(rules, version(created), None, due, DAY)


def test_a_day_may_last_seconds() -> None:
    assert is_due([rule()], version(100.0), None, 110.0, 10.0)
    assert not is_due([rule()], version(101.0), None, 119.0, 10.0)


def test_a_date_is_for_everything_from_then_on() -> None:
    rules = [rule(expiration=Expire(date=MIDNIGHT))]
    assert not is_due(rules, version(MIDNIGHT - 9 * DAY), None, MIDNIGHT - 1, DAY)
    assert is_due(rules, version(MIDNIGHT - 9 * DAY), None, MIDNIGHT, DAY)
    assert is_due(rules, version(MIDNIGHT + 1), None, MIDNIGHT + 2, DAY)


@pytest.mark.parametrize(
    ("chosen", "matches"),
    [
        (Filter(), True),
        (Filter(prefix="logs/"), True),
        (Filter(prefix="log/"), False),
        (Filter(tags={"a": "1"}), True),
        (Filter(tags={"a": "1", "b": "2"}), True),
        (Filter(tags={"a": "2"}), False),
        (Filter(tags={"c": ""}), False),
        (Filter(greater=9), True),
        (Filter(greater=10), False),
        (Filter(less=11), True),
        (Filter(less=10), False),
        (Filter(prefix="logs/", tags={"a": "1"}, greater=9, less=11, joined=True), True),
        (Filter(prefix="logs/", tags={"a": "1"}, greater=9, less=10, joined=True), False),
    ],
)
def test_a_rule_is_for_what_its_filter_picks(chosen: Filter, matches: bool) -> None:
    assert is_due([rule(filter=chosen)], version(), None, NOON + 9 * DAY, DAY) is matches


def test_a_prefix_may_stand_in_the_old_place() -> None:
    assert is_due([rule(filter=None, prefix="logs/")], version(), None, NOON + 9 * DAY, DAY)
    assert not is_due([rule(filter=None, prefix="x")], version(), None, NOON + 9 * DAY, DAY)


@pytest.mark.parametrize(
    ("newer", "kept", "due"), [(0, None, True), (0, 1, False), (1, 1, True), (1, 2, False), (5, 2, True)]
)
def test_the_newest_past_versions_stay(newer: int, kept: int | None, due: bool) -> None:
    rules = [rule(expiration=None, noncurrent=Noncurrent(days=1, newer=kept))]
    past = Past(since=NOON, newer=newer)
    assert is_due(rules, version(latest=False), past, NOON + 2 * DAY, DAY) is due


def test_a_past_version_ages_from_when_it_was_replaced() -> None:
    rules = [rule(noncurrent=Noncurrent(days=3))]
    old = version(NOON - 99 * DAY, latest=False)
    assert not is_due(rules, old, Past(since=NOON, newer=0), NOON + 3 * DAY, DAY)
    assert is_due(rules, old, Past(since=NOON, newer=0), NOON + 4 * DAY, DAY)


@pytest.mark.parametrize(
    ("expire", "now", "due"),
    [
        (Expire(markers=True), NOON, True),
        (Expire(markers=False), NOON + 99 * DAY, False),
        (Expire(days=1), NOON, False),
        (Expire(days=1), NOON + 2 * DAY, True),
    ],
)
def test_a_lone_marker_goes_at_once_or_with_its_days(expire: Expire, now: float, due: bool) -> None:
    marker = version(marker=True, size=0, tags={})
    assert is_due([rule(expiration=expire)], marker, None, now, DAY) is due


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"id": "x" * 256}, "InvalidArgument"),
        ({"expiration": None}, "InvalidRequest"),
        ({"expiration": Expire(days=0)}, "InvalidArgument"),
        ({"expiration": Expire(date=NOON)}, "InvalidArgument"),
        ({"noncurrent": Noncurrent(days=0)}, "InvalidArgument"),
        ({"noncurrent": Noncurrent(days=1, newer=0)}, "InvalidArgument"),
        ({"noncurrent": Noncurrent(days=1, newer=101)}, "InvalidArgument"),
        ({"abort_days": 0}, "InvalidArgument"),
        ({"moves": (Move(to="GLACIER", date=NOON),), "expiration": None}, "InvalidArgument"),
        ({"moves": (Move(to="GLACIER", days=-1),)}, "InvalidArgument"),
        ({"moves": (Move(to="STANDARD_IA", days=29),), "expiration": None}, "InvalidArgument"),
        ({"noncurrent_moves": (Move(to="ONEZONE_IA", days=29),)}, "InvalidArgument"),
        ({"noncurrent_moves": (Move(to="GLACIER", days=1, newer=101),)}, "InvalidArgument"),
        ({"moves": (Move(to="GLACIER", days=1), Move(to="GLACIER", days=2)), "expiration": None}, "InvalidRequest"),
        ({"moves": (Move(to="GLACIER", days=7),), "expiration": Expire(days=7)}, "InvalidArgument"),
        ({"moves": (Move(to="GLACIER", days=7),), "expiration": Expire(date=0.0)}, "InvalidRequest"),
        ({"noncurrent_moves": (Move(to="GLACIER", days=7),), "noncurrent": Noncurrent(days=7)}, "InvalidArgument"),
        ({"filter": Filter(greater=-1)}, "InvalidArgument"),
        ({"filter": Filter(greater=5, less=5, joined=True)}, "InvalidRequest"),
        ({"abort_days": 1, "filter": Filter(tags={"a": "1"})}, "InvalidRequest"),
        ({"expiration": Expire(markers=True), "filter": Filter(tags={"a": "1"})}, "InvalidRequest"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(wrong: dict[str, Any], code: str) -> None:
    with pytest.raises(ServiceError) as refused:
        check_rules((rule(id="good"), rule(**({"id": "bad"} | wrong))), DAY)
    assert refused.value.code == code


def test_ids_of_rules_differ_and_rules_are_a_thousand_at_most() -> None:
    check_rules(tuple(rule(id=str(number)) for number in range(1000)), DAY)
    with pytest.raises(ServiceError, match="InvalidRequest"):
        check_rules(tuple(rule(id=str(number)) for number in range(1001)), DAY)
    with pytest.raises(ServiceError, match="InvalidArgument"):
        check_rules((rule(), rule()), DAY)
