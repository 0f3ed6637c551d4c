"""Every spelling of a path is one subject, and the feed names the same one."""

from __future__ import annotations

import pytest

from edge.cache.subjects import (
    asset_key,
    bucket_group,
    bucket_path,
    purge_subject,
    site_assets,
    site_group,
    subject_of,
)
from tests.edge.cache.samples import ASSETS, DEFAULT, PHOTOS, PlainSite


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        ("/photos/a.jpg", "a.jpg"),
        ("/photos/%61.jpg", "a.jpg"),
        ("/photos/caf%C3%A9", "café"),
        ("/photos/caf%c3%a9", "café"),
        ("/photos/café", "café"),
        ("/photos/a%2Fb", "a/b"),
        ("/photos//b", "/b"),
        ("/photos/a+b", "a+b"),
        ("/photos/a%20b?w=10", "a b"),
        ("/photos/", ""),
    ],
)
def test_every_spelling_of_a_key_is_the_subject_the_feed_names(raw: str, key: str) -> None:
    subject = purge_subject(DEFAULT, raw)
    assert subject.path == bucket_path("photos", key)
    assert subject.group == bucket_group("photos")
    on_named_site = purge_subject(PHOTOS, raw.removeprefix("/photos"))
    assert on_named_site.path == subject.path
    assert on_named_site.site != subject.site


def test_other_upstreams_keep_the_spelling_they_were_asked_with() -> None:
    assert purge_subject(ASSETS, "/a").path != purge_subject(ASSETS, "/%61").path
    assert purge_subject(ASSETS, "/a").path != purge_subject(PlainSite("other", upstream="http://x"), "/a").path


def test_a_query_makes_another_record_of_the_same_subject() -> None:
    assert asset_key(ASSETS, "/a?1") != asset_key(ASSETS, "/a?2")
    assert purge_subject(ASSETS, "/a?1") == purge_subject(ASSETS, "/a?2")


def test_sites_on_one_bucket_have_records_of_their_own() -> None:
    assert asset_key(DEFAULT, "/photos/a") != asset_key(PHOTOS, "/a")


@pytest.mark.parametrize(
    ("site", "path"), [(DEFAULT, "/photos/a%00b"), (PHOTOS, "/x/y"), (ASSETS, "/a?b"), (ASSETS, "/")]
)
def test_a_record_leads_back_to_its_subject(site: PlainSite, path: str) -> None:
    key = asset_key(site, path)
    assert subject_of(key, site.name) == purge_subject(site, path)
    assert key.startswith(site_assets(site))
    assert purge_subject(site, path).site == site_group(site)


def test_a_path_that_is_no_utf8_has_a_subject() -> None:
    assert purge_subject(DEFAULT, "/photos/\udcff").path == bucket_group("photos") + b"\xff"
