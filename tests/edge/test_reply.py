"""How answers are said: one table of requests against one answer, without a socket."""

from __future__ import annotations

import json

import pytest

from conf.schema import Settings
from edge import reply
from edge.cache.entry import AssetRecord, BodyRef, Representation
from edge.keeper.answer import Answer
from edge.message import Held, Reply, Request
from edge.policy.freshness import Lifetimes
from edge.policy.reasons import CacheStatus, Detail, Forward
from edge.policy.sites import Sites
from edge.policy.variant import BadParameter
from wire.dates import http_date

NOW = 1_795_000_000.0
BODY = b"0123456789"
SITE = Sites(Settings()).default
LIFETIMES = Lifetimes.of(SITE, Settings().edge)
ASSET = AssetRecord(
    key=b"k",
    site="default",
    path="/media/a.jpg",
    status=200,
    epoch=1,
    stored_at=NOW - 30,
    edge_expires=NOW + 270,
    source_id="s",
    source=BodyRef("a" * 64, 10, "d" * 64),
    etag="source",
    last_modified=int(NOW) - 5000,
    content_type="image/jpeg",
    headers={"cache-control": "max-age=600", "content-language": "de", "content-encoding": "x", "etag": '"theirs"'},
    upstream_date=NOW - 31,
    upstream_age=1.0,
)
RENDERING = Representation(
    source_id="s",
    plan="p",
    body=BodyRef("b" * 64, 10, "e" * 64),
    content_type="image/webp",
    etag="rendering",
    width=1,
    height=1,
    made_at=NOW,
)


class NoBody:
    """The body of a request that has none."""

    async def read(self, limit: int) -> bytes:
        return b""


def give(method: str = "GET", answer: Answer | None = None, *, stored: bool = True, **fields: str) -> Reply:
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    request = Request(method, "x", "/media/a.jpg", "", headers, NoBody())
    outcome = CacheStatus(hit=True, ttl=270)
    return reply.of_answer(
        request, SITE, LIFETIMES, answer or Answer(ASSET), outcome, Held(BODY), stored=stored, once=(), now=NOW
    )


def values(given: Reply, name: str) -> list[str]:
    return [value for field, value in given.headers if field.lower() == name.lower()]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 200),
        ({"if_none_match": '"source"'}, 304),
        ({"if_none_match": '"theirs"'}, 200),
        ({"if_match": '"other"'}, 412),
        ({"range": "bytes=0-0"}, 206),
        ({"range": "bytes=10-"}, 416),
        ({"range": "bytes=0-0", "if_none_match": '"source"'}, 304),
        ({"range": "bytes=0-0", "if_match": '"other"'}, 412),
        ({"range": "bytes=0-0", "if_range": '"other"'}, 200),
    ],
)
def test_conditions_come_before_ranges_and_every_reply_is_dressed(fields: dict[str, str], status: int) -> None:
    given = give(**fields)
    assert given.status == status
    for name in ("Cache-Control", "Access-Control-Allow-Origin", "X-Content-Type-Options", "Vary", "Cache-Status"):
        assert len(values(given, name)) == 1, name
    names = [name.lower() for name, _ in given.headers]
    assert len(names) == len(set(names))


def test_age_and_date_are_those_of_the_answer_and_not_of_the_reply() -> None:
    given = give()
    assert values(given, "Age") == ["31"]
    assert values(given, "Date") == [http_date(NOW - 31)]
    assert values(given, "Cache-Control") == ["public, max-age=600"]


def test_a_rendering_has_its_own_tag_and_nothing_that_describes_the_stored_bytes() -> None:
    given = give(answer=Answer(ASSET, RENDERING))
    assert values(given, "ETag") == ['"rendering"']
    assert values(given, "Content-Type") == ["image/webp"]
    assert values(given, "Content-Disposition") == ['inline; filename="a.webp"']
    assert values(given, "Content-Language") == ["de"]
    assert not values(given, "Content-Encoding")
    assert values(give(), "Content-Encoding") == ["x"]


def test_head_has_no_ranges() -> None:
    given = give("HEAD", range="bytes=0-0")
    assert (given.status, values(given, "Content-Length")) == (200, ["10"])


def test_what_is_only_relayed_has_no_parts() -> None:
    given = give(stored=False, range="bytes=0-0")
    assert given.status == 200
    assert not values(given, "Accept-Ranges")


@pytest.mark.parametrize(
    "answer", [Answer(ASSET, reason=Detail.DAMAGED, degraded=True), Answer(ASSET, RENDERING, degraded=True)]
)
def test_a_degraded_answer_is_kept_briefly(answer: Answer) -> None:
    (control,) = values(give(answer=answer), "Cache-Control")
    assert int(control.rpartition("=")[2]) <= 5


def test_an_error_names_the_parameter_and_what_is_allowed() -> None:
    given = reply.bad_parameter(SITE, BadParameter("w", "-1", "1 to 8192"))
    assert isinstance(given.body, Held)
    said = json.loads(given.body.data)
    assert said.items() >= {"status": 400, "parameter": "w", "value": "-1", "allowed": "1 to 8192"}.items()
    assert values(given, "Content-Length") == [str(len(given.body.data))]


def test_a_refusal_has_a_word_a_sentence_and_a_time_to_come_again() -> None:
    given = reply.refusal(SITE, Detail.KEEPER_AWAY, retry_after=1)
    assert given.status == 503
    assert values(given, "Retry-After") == ["1"]
    assert values(given, "Cache-Status") == [CacheStatus(detail=Detail.KEEPER_AWAY).header()]
    assert Forward.URI_MISS not in values(given, "Cache-Status")[0]
