"""What an upstream's answer becomes: names of bytes, validators, and what may still be given when it is old."""

from __future__ import annotations

import msgspec
import pytest

from conf.schema import Settings
from conf.schema import Site as SiteSettings
from edge.cache.entry import AssetRecord
from edge.keeper.record import conditions, drafted, freshened
from edge.policy.freshness import Lifetimes
from edge.policy.plan import AssetFacts
from edge.policy.reasons import Detail
from edge.policy.sites import Sites

NOW = 1_795_000_000.0
SETTINGS = Settings(
    sites=(SiteSettings(name="web", host="web.test", kind="assets", upstream="http://192.0.2.1"),)  # type: ignore[arg-type]
)
SITES = Sites(SETTINGS)


def draft(site: str = "default", status: int = 200, path: str = "/media/a.jpg", **headers: str) -> AssetRecord:
    compiled = SITES.named(site)
    assert compiled is not None
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    lifetimes = Lifetimes.of(compiled, SETTINGS.edge)
    return drafted(compiled, lifetimes, path, b"key", 7, status, fields, asked=NOW, answered=NOW)


def test_the_origins_identity_names_bytes_everywhere_and_a_validator_only_here() -> None:
    def other(**headers: str) -> str:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        lifetimes = Lifetimes.of(SITES.default, SETTINGS.edge)
        site = SITES.default
        return drafted(site, lifetimes, "/x/y", b"other", 7, 200, fields, asked=NOW, answered=NOW).source_id

    assert draft(x_facet_identity="ab", etag='"1"').source_id == other(x_facet_identity="ab", etag='"2"')
    assert draft(etag='"1"').source_id != other(etag='"1"')
    assert draft(etag='"1"').source_id != draft(etag='"2"').source_id
    assert draft(etag='W/"1"').source_id == draft().source_id == ""


def test_a_strong_tag_is_ours_and_distinct_from_the_upstreams() -> None:
    record = draft(etag='"upstream"')
    assert record.etag
    assert record.etag != "upstream"
    assert record.upstream_etag == '"upstream"'
    assert draft(etag='W/"weak"').etag is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_every_refusal_of_a_bucket_is_a_404_kept_briefly(status: int) -> None:
    record = draft(status=status, cache_control="max-age=99999")
    assert record.status == 404
    assert record.edge_expires - NOW <= SETTINGS.edge.negative
    assert draft("web", status=410, path="/gone").status == 410


def test_a_purged_record_is_confirmed_by_a_strong_validator_only() -> None:
    strong, weak = draft(etag='"s"'), draft(etag='W/"w"')
    dated = draft(last_modified="Fri, 13 Nov 2026 10:00:00 GMT")
    assert conditions(strong, current=True) == conditions(strong, current=False) == {"if-none-match": '"s"'}
    assert conditions(weak, current=True) == {"if-none-match": 'W/"w"'}
    assert conditions(dated, current=True) == {"if-modified-since": "Fri, 13 Nov 2026 10:00:00 GMT"}
    assert conditions(weak, current=False) == conditions(dated, current=False) == conditions(None, current=True) == {}


@pytest.mark.parametrize(
    ("control", "age", "allowed"),
    [
        (None, 10_000, True),
        ("max-age=60", 10_000, True),
        ("max-age=60, must-revalidate", 10, True),
        ("max-age=60, must-revalidate", 61, False),
        ("max-age=60, proxy-revalidate", 61, False),
        ("s-maxage=60", 61, False),
        ("no-cache", 1, False),
    ],
)
def test_when_an_old_answer_may_stand_in(control: str | None, age: float, allowed: bool) -> None:
    record = draft() if control is None else draft(cache_control=control)
    assert (record.failing > NOW + age) is (record.away > NOW + age) is allowed


def test_a_304_renews_the_record_and_keeps_what_the_bytes_are() -> None:
    facts = AssetFacts(content_type="image/jpeg", size=1, format="jpeg", width=1, height=1)
    old = msgspec.structs.replace(
        draft(etag='"1"', content_type="image/jpeg", content_language="de"), facts=msgspec.to_builtins(facts)
    )
    fields = {"cache-control": "max-age=20, no-transform", "content-type": "text/html"}
    lifetimes = Lifetimes.of(SITES.default, SETTINGS.edge)
    new = freshened(old, SITES.default, lifetimes, 8, fields, asked=NOW + 400, answered=NOW + 401)
    assert (new.epoch, new.stored_at, new.edge_expires) == (8, NOW + 401, pytest.approx(NOW + 420))
    assert new.headers["cache-control"] == "max-age=20, no-transform"
    assert new.headers["content-language"] == "de"
    assert new.no_transform
    assert (new.content_type, new.source_id, new.facts) == ("image/jpeg", old.source_id, old.facts)


@pytest.mark.parametrize(
    ("problem", "kept"), [(Detail.CRASHED, False), (Detail.TIMED_OUT, False), (Detail.DAMAGED, True)]
)
def test_an_accident_of_a_renderer_is_forgotten_at_the_next_revalidation(problem: Detail, kept: bool) -> None:
    facts = AssetFacts(content_type="image/jpeg", size=1, problem=problem)
    old = msgspec.structs.replace(draft(etag='"1"'), facts=msgspec.to_builtins(facts))
    lifetimes = Lifetimes.of(SITES.default, SETTINGS.edge)
    new = freshened(old, SITES.default, lifetimes, 7, {}, asked=NOW, answered=NOW)
    assert (new.facts is not None) is kept
