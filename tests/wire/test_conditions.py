"""Preconditions: the order of RFC 9110 §13.2.2, case by case."""

from __future__ import annotations

from typing import Any

import pytest

from wire.conditions import Outcome, evaluate, if_range_holds
from wire.dates import http_date

NOW = 1_800_000_000
MODIFIED = NOW - 1000
BEFORE, SAME, AFTER = (http_date(MODIFIED + offset) for offset in (-1, 0, 1))
PROCEED, NOT_MODIFIED, FAILED = Outcome.PROCEED, Outcome.NOT_MODIFIED, Outcome.PRECONDITION_FAILED

CASES: list[tuple[str, dict[str, str], Outcome]] = [
    ("GET", {}, PROCEED),
    # step 1
    ("GET", {"if_match": '"a"'}, PROCEED),
    ("GET", {"if_match": "a"}, PROCEED),
    ("GET", {"if_match": '"b", "a"'}, PROCEED),
    ("GET", {"if_match": "*"}, PROCEED),
    ("GET", {"if_match": '"b"'}, FAILED),
    ("GET", {"if_match": 'W/"a"'}, FAILED),
    # step 2, and that step 1 takes its place
    ("GET", {"if_unmodified_since": SAME}, PROCEED),
    ("GET", {"if_unmodified_since": BEFORE}, FAILED),
    ("GET", {"if_unmodified_since": "yesterday"}, PROCEED),
    ("GET", {"if_match": '"a"', "if_unmodified_since": BEFORE}, PROCEED),
    # step 3
    ("GET", {"if_none_match": '"a"'}, NOT_MODIFIED),
    ("HEAD", {"if_none_match": 'W/"a"'}, NOT_MODIFIED),
    ("GET", {"if_none_match": "*"}, NOT_MODIFIED),
    ("PUT", {"if_none_match": "*"}, FAILED),
    ("GET", {"if_none_match": '"b"'}, PROCEED),
    # step 4, and that step 3 takes its place
    ("GET", {"if_modified_since": SAME}, NOT_MODIFIED),
    ("GET", {"if_modified_since": AFTER}, NOT_MODIFIED),
    ("GET", {"if_modified_since": BEFORE}, PROCEED),
    ("GET", {"if_modified_since": "0"}, PROCEED),
    ("PUT", {"if_modified_since": AFTER}, PROCEED),
    ("GET", {"if_none_match": '"b"', "if_modified_since": AFTER}, PROCEED),
    # steps 1 and 3 together
    ("GET", {"if_match": '"b"', "if_none_match": '"a"'}, FAILED),
    ("GET", {"if_match": '"a"', "if_none_match": '"a"'}, NOT_MODIFIED),
]


@pytest.mark.parametrize(("method", "fields", "outcome"), CASES)
def test_preconditions_come_to_what_the_rfc_says(method: str, fields: dict[str, Any], outcome: Outcome) -> None:
    assert evaluate(method, **fields, etag='"a"', last_modified=MODIFIED, now=NOW) is outcome


def test_where_there_is_nothing_only_a_wish_for_nothing_holds() -> None:
    nothing: dict[str, Any] = {"etag": None, "last_modified": None, "now": NOW}
    assert evaluate("PUT", if_none_match="*", **nothing) is PROCEED
    assert evaluate("PUT", if_match="*", **nothing) is FAILED
    assert evaluate("PUT", if_match='"a"', **nothing) is FAILED
    assert evaluate("GET", if_unmodified_since=BEFORE, if_modified_since=AFTER, **nothing) is PROCEED


@pytest.mark.parametrize(
    ("if_range", "holds"),
    [
        (None, True),
        ('"a"', True),
        ("a", True),
        ('W/"a"', False),
        ('"b"', False),
        (SAME, True),
        (AFTER, False),
        (BEFORE, False),
        ("", False),
    ],
)
def test_a_range_is_honoured_only_for_the_very_same_representation(if_range: str | None, holds: bool) -> None:
    assert if_range_holds(if_range, '"a"', MODIFIED) is holds


def test_a_weak_tag_never_carries_a_range() -> None:
    assert not if_range_holds('"a"', 'W/"a"', None)
    assert not if_range_holds('"a"', None, None)
