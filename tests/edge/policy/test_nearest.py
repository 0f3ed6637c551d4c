"""Which stored rendering stands in for one that cannot be had."""

from __future__ import annotations

from edge.policy.nearest import nearest
from edge.policy.plan import Rendering, RenderPlan
from tests.edge.policy.samples import CHROME, FIREFOX_65, jpeg, planned


def plan(query: str, accept: str | None = CHROME) -> RenderPlan:
    decided = planned(jpeg(width=4000, height=3000), query, accept)
    assert isinstance(decided, Rendering)
    return decided.plan


def chosen(wanted: str, *stored: str) -> str | None:
    plans = {plan(query).canonical(): query for query in stored}
    found = nearest(plan(wanted), plans)
    return None if found is None else plans[found]


def test_the_next_larger_size_and_else_the_largest() -> None:
    assert chosen("w=500", "w=320", "w=640", "w=1280") == "w=640"
    assert chosen("w=500", "w=200", "w=320") == "w=320"
    assert chosen("w=500", "w=100") is None
    assert chosen("w=500") is None


def test_another_quality_will_do() -> None:
    assert chosen("w=500", "w=500&quality=40", "w=900") == "w=500&quality=40"


def test_only_the_size_may_differ() -> None:
    for other in (
        "w=500&h=500&fit=cover",
        "w=500&blur=4",
        "w=500&h=500&fit=pad",
        "w=500&format=webp",
        "w=500&h=100&fit=fill",
    ):
        assert chosen("w=500", other) is None
    square = "w=200&h=200&fit=cover"
    assert chosen(square, "w=300&h=300&fit=cover") == "w=300&h=300&fit=cover"
    assert chosen(square, "w=300&h=300&fit=cover&gravity=n", "w=300") is None


def test_a_client_never_gets_a_format_that_it_does_not_name() -> None:
    assert nearest(plan("w=500", FIREFOX_65), [plan("w=600").canonical()]) is None


def test_what_is_no_plan_or_of_another_pipeline_is_passed_over() -> None:
    text = plan("w=600").canonical()
    assert RenderPlan.parsed(text) == plan("w=600")
    assert nearest(plan("w=500"), ["stripped", "", "0" + text[1:], text[:-1]]) is None
