"""A website: a bucket's folders show their index document, and what is not there shows the error document."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.edge.dialogue.client import Answer
from tests.edge.dialogue.stage import Stage, stage, until

HOST = "www.test"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    sites = [
        {"name": "www", "host": HOST, "kind": "website", "bucket": "site", "error": "404.html"},
        {"name": "bare", "host": "bare.test", "prefix": "/docs", "kind": "website", "bucket": "bare"},
    ]
    with stage(tmp_path_factory.mktemp("site"), {"sites": sites, "edge": {"negative": 1}}) as playing:
        for key, body in (("index.html", b"home"), ("guide/index.html", b"guide"), ("404.html", b"lost?")):
            playing.origin.on(f"/site/{key}", body, "text/html", etag=f'"{key}"')
        yield playing


def get(site: Stage, target: str, host: str = HOST, **fields: str) -> Answer:
    return site.get(target, host=host, **fields)


def test_a_folder_shows_its_index_document(site: Stage) -> None:
    for target, body in (("/", b"home"), ("/guide/", b"guide"), ("/guide/index.html", b"guide")):
        answer = get(site, target)
        assert (answer.status, answer.body, answer["Content-Type"]) == (200, body, "text/html")
    assert get(site, "/").hit
    assert get(site, "/guide/", range="bytes=0-1").body == b"gu"


def test_a_path_without_an_object_shows_the_error_document_as_404(site: Stage) -> None:
    for _ in range(2):
        answer = get(site, "/nothing.html", if_none_match="*", range="bytes=0-1")
        assert (answer.status, answer.body, answer["Content-Type"]) == (404, b"lost?", "text/html")
        assert answer["Cache-Control"] == "public, max-age=1"
        assert not answer.has("ETag")
    assert site.head("/nothing.html", host=HOST).status == 404
    assert get(site, "/nothing/").body == b"lost?"


def test_a_folder_without_its_slash_is_redirected(site: Stage) -> None:
    answer = get(site, "/guide?q=1")
    assert (answer.status, answer["Location"]) == (302, "/guide/?q=1")


@pytest.mark.parametrize("target", ["//guide", "/\\guide", "//evil.example", "/..//guide"])
def test_no_redirect_leads_to_another_host(site: Stage, target: str) -> None:
    site.origin.on(f"/site{target}/index.html", b"trap", "text/html")
    answer = get(site, target)
    assert answer.status == 404
    assert not answer.has("Location")


def test_an_object_may_send_its_readers_elsewhere(site: Stage) -> None:
    for key, target in (("old", "/guide/"), ("away", "https://example.org/x")):
        site.origin.on(f"/site/{key}", b"", headers={"x-amz-website-redirect-location": target})
        for _ in range(2):
            answer = get(site, f"/{key}")
            assert (answer.status, answer["Location"]) == (301, target)
            assert not answer.has("x-amz-website-redirect-location")
    site.origin.on("/site/odd", b"odd", headers={"x-amz-website-redirect-location": "javascript:alert(1)"})
    assert get(site, "/odd").status == 200


def test_without_an_error_document_the_404_is_ours(site: Stage) -> None:
    answer = get(site, "/docs/nothing", host="bare.test")
    assert answer.problem["status"] == 404
    site.origin.on("/bare/there", b"", headers={"x-amz-website-redirect-location": "/new"})
    assert get(site, "/docs/there", host="bare.test")["Location"] == "/docs/new"
    assert get(site, "/docs", host="bare.test").status == 404


def test_the_bucket_itself_is_never_asked_for(site: Stage) -> None:
    get(site, "/")
    get(site, "/docs/", host="bare.test")
    assert not [asked for asked in site.origin.asked if asked.target.strip("/") in ("site", "bare")]


def test_a_changed_page_shows_at_once(site: Stage) -> None:
    site.origin.on("/site/news/index.html", b"old", "text/html", etag='"1"')
    assert get(site, "/news/").body == b"old"
    site.origin.on("/site/news/index.html", b"new", "text/html", etag='"2"')
    site.origin.publish("site", "news/index.html")
    until(lambda: get(site, "/news/").body == b"new", "the change never showed", 1)
