"""Cache-Status: RFC 9211's form, and a documented row for every word."""

from __future__ import annotations

import pytest

from edge.policy.reasons import DETAILS, CacheStatus, Detail, Forward, table_markdown
from wire.structured import Item, Token, parse_list


@pytest.mark.parametrize(
    ("status", "header"),
    [
        (CacheStatus(hit=True, ttl=299), "facet; hit; ttl=299"),
        (CacheStatus(fwd=Forward.URI_MISS, stored=True), "facet; fwd=uri-miss; stored"),
        (
            CacheStatus(fwd=Forward.STALE, fwd_status=304, ttl=0, collapsed=True),
            "facet; fwd=stale; fwd-status=304; ttl=0; collapsed",
        ),
        (CacheStatus(fwd=Forward.VARY_MISS, detail=Detail.NOT_SMALLER), "facet; fwd=vary-miss; detail=not-smaller"),
        (CacheStatus(hit=True, ttl=-5, detail=Detail.STALE), "facet; hit; ttl=-5; detail=stale"),
    ],
)
def test_the_header_says_how_an_answer_came_about(status: CacheStatus, header: str) -> None:
    assert status.header() == header
    (member,) = parse_list(status.header())
    assert isinstance(member, Item)
    assert member.value == Token("facet")


@pytest.mark.parametrize("detail", Detail)
def test_every_word_is_explained(detail: Detail) -> None:
    assert DETAILS[detail].meaning
    assert f"`{detail}`" in table_markdown()
    assert DETAILS[detail].status is not None or not detail.startswith("pass-")
