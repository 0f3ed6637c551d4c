"""Sites: hosts and prefixes, raw paths, and spellings that must not lead out of a bucket."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.schema import Settings, SiteKind
from edge.policy.sites import BEHAVIOURS, DEFAULT_SITE, Sites
from wire.targets import decode_path

SITES = Sites(
    Settings.model_validate(
        {
            "sites": [
                {"name": "media", "host": "media.example", "bucket": "pictures"},
                {"name": "cache", "host": "media.example", "prefix": "/cache", "bucket": "remote", "revalidate": 7},
                {"name": "deep", "host": "media.example", "prefix": "/cache/deep", "bucket": "deeper"},
                {
                    "name": "assets",
                    "host": "assets.example",
                    "kind": "assets",
                    "upstream": "http://127.0.0.1:3000/base",
                    "cors": "",
                },
                {"name": "only", "host": "only.example", "prefix": "/p", "bucket": "b-p"},
                {"name": "address", "host": "::1", "bucket": "sixth"},
            ]
        }
    )
)


def target(host: str, raw_path: str, raw_query: str = "") -> tuple[str, str | None] | None:
    """(site, upstream request target) of a request."""
    matched = SITES.match(host, raw_path)
    if matched is None:
        return None
    site, path = matched
    source = site.source_path(path, raw_query)
    return site.name, None if source is None else site.source_target(source)


@pytest.mark.parametrize(
    ("host", "raw_path", "found"),
    [
        ("media.example", "/a.jpg", ("media", "/pictures/a.jpg")),
        ("MEDIA.Example.:443", "/a.jpg", ("media", "/pictures/a.jpg")),
        ("media.example", "/cache/a.jpg", ("cache", "/remote/a.jpg")),
        ("media.example", "/cache/deep/a.jpg", ("deep", "/deeper/a.jpg")),
        ("media.example", "/cachet/a.jpg", ("media", "/pictures/cachet/a.jpg")),
        ("media.example", "/%63ache/a.jpg", ("media", "/pictures/%63ache/a.jpg")),
        ("media.example", "/cache", ("cache", None)),
        ("media.example", "/", ("media", None)),
        ("media.example", "/a//b%2Fc/ü", ("media", "/pictures/a//b%2Fc/%C3%BC")),
        ("assets.example", "/", ("assets", "/base/")),
        ("assets.example", "/packs/a.js", ("assets", "/base/packs/a.js")),
        ("only.example", "/p/k", ("only", "/b-p/k")),
        ("only.example", "/q/k", None),
        ("[::1]:8080", "/k", ("address", "/sixth/k")),
        ("127.0.0.1:8080", "/bucket/key", (DEFAULT_SITE, "/bucket/key")),
        ("", "/bucket/a/b", (DEFAULT_SITE, "/bucket/a/b")),
        ("other.example", "/bucket//k", (DEFAULT_SITE, "/bucket//k")),
    ],
)
def test_a_request_finds_its_site_and_its_source(host: str, raw_path: str, found: tuple[str, str] | None) -> None:
    assert target(host, raw_path) == found


@pytest.mark.parametrize(
    "raw_path",
    [
        "/",
        "//",
        "/bucket",
        "/bucket/",
        "/bucket/..",
        "/bucket/../other/key",
        "/bucket/%2e%2e/other/key",
        "/bucket/%2E./other/key",
        "/bucket/a%2F..%2F..%2Fother/key",
        "/bucket/..%5Cother",
        "/bucket/./key",
        "/../bucket/key",
        "/bucket%2Fother/key",
        "/%62ucket/key",
        "//bucket/key",
        "/-/feed",
        "/b/key",
        "/bucket/%00",
        "/bucket/a%",
        "/bucket/%zz",
    ],
)
def test_a_path_that_could_lead_elsewhere_names_nothing(raw_path: str) -> None:
    assert target("any.example", raw_path) == (DEFAULT_SITE, None)


@given(st.text(st.sampled_from("./%2eEfF5c\\ab"), max_size=12))
def test_no_spelling_leads_out_of_a_bucket(rest: str) -> None:
    for host, raw_path, bucket in (
        ("any.example", f"/bucket/{rest}", b"bucket"),
        ("media.example", f"/{rest}", b"pictures"),
        ("only.example", f"/p/{rest}", b"b-p"),
    ):
        found = target(host, raw_path)
        if found is not None and found[1] is not None:
            walked: list[bytes] = []
            for segment in decode_path(found[1]).replace(b"\\", b"/").split(b"/"):
                walked = walked[:-1] if segment == b".." else [*walked, segment]
            assert walked[:2] == [b"", bucket]


def test_only_kinds_with_the_query_in_the_key_send_it() -> None:
    assert target("assets.example", "/a.js", "v=1") == ("assets", "/base/a.js?v=1")
    assert target("assets.example", "/a.js", "") == ("assets", "/base/a.js")
    assert target("media.example", "/a.jpg", "w=100") == ("media", "/pictures/a.jpg")


def test_every_kind_has_a_row() -> None:
    assert set(BEHAVIOURS) == set(SiteKind)


def test_lifetimes_and_names_come_from_the_settings() -> None:
    revalidate: dict[str, Any] = {site.name: site.revalidate for site in SITES}
    assert revalidate["cache"] == 7
    assert revalidate["media"] == revalidate[DEFAULT_SITE] == Settings().edge.revalidate
    assert SITES.named("nobody") is None
    assert SITES.named(DEFAULT_SITE) is SITES.default
    assert SITES.default.at_bucket
