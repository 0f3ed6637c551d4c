"""Requests that mean the same select the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.policy.vary import selecting_fields, selection

MEMBER = st.tuples(st.sampled_from(["de", "en", "fr", "*"]), st.sampled_from(["", ";q=0.5", ";q=1", ";q=0"]))


def test_fields_are_named_once_in_any_order_and_case() -> None:
    assert selecting_fields({"vary": "Foo, bar,foo ,, Accept"}) == ("accept", "bar", "foo")
    assert selecting_fields({}) == ()


@pytest.mark.parametrize(
    ("name", "one", "other", "same"),
    [
        ("foo", "1,2", "1, 2", True),
        ("foo", "1,2", "2,1", False),
        ("foo", "A", "a", False),
        ("foo", '"1,2"', '"1, 2"', False),
        ("accept-language", "en, de", "DE,en", True),
        ("accept-language", "en, de;q=0.5", "de;q=0.50, en;q=1.0", True),
        ("accept-language", "en, de;q=0.5", "de, en;q=0.5", False),
        ("accept", "text/html;level=1", "text/html", False),
        ("accept-encoding", "gzip;q=junk", "gzip", True),
    ],
)
def test_only_what_means_the_same_is_the_same(name: str, one: str, other: str, same: bool) -> None:
    assert (selection((name,), {name: one}) == selection((name,), {name: other})) is same


def test_an_absent_field_is_not_an_empty_one() -> None:
    assert selection(("foo",), {}) != selection(("foo",), {"foo": ""})


@given(st.lists(MEMBER, unique_by=lambda member: member[0]), st.randoms(use_true_random=False))
def test_the_order_of_weighed_members_never_matters(members: list[tuple[str, str]], random: object) -> None:
    shuffled = sorted(members, key=lambda _: random.random())  # type: ignore[attr-defined]
    one, other = (", ".join(map("".join, order)) for order in (members, shuffled))
    assert selection(("accept",), {"accept": one}) == selection(("accept",), {"accept": other})
