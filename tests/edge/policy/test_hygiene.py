"""Headers: what is kept, what is added, types by extension, names that match their type."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.schema import Settings
from edge.policy.hygiene import (
    STORED,
    disposition,
    effective_type,
    site_headers,
    stored_headers,
    upstream_request_headers,
)
from edge.policy.sites import BEHAVIOURS, Sites
from edge.policy.storing import UNCACHEABLE_HEADER
from tests.edge.policy.samples import SITE
from wire.fields import HOP_BY_HOP, split_parameters

_ASSETS = Sites(
    Settings.model_validate(
        {"sites": [{"name": "a", "host": "a.example", "kind": "assets", "upstream": "http://127.0.0.1:3000"}]}
    )
).named("a")
assert _ASSETS is not None
ASSETS = _ASSETS

NOISE = {
    "x-amz-id-2": "1",
    "x-amz-request-id": "2",
    "x-amz-meta-owner": "me",
    "x-facet-identity": "ff",
    "set-cookie": "a=b",
    "server": "nginx",
    "x-powered-by": "php",
    "vary": "Cookie",
    "connection": "x-mine",
    "x-mine": "1",
    "transfer-encoding": "chunked",
    "access-control-allow-origin": "https://elsewhere.example",
    "www-authenticate": "Basic",
}
KEPT = {"cache-control": "max-age=1", "content-disposition": "inline", "content-encoding": "gzip"}


def test_only_what_clients_may_know_is_stored() -> None:
    for site in (SITE, ASSETS):
        assert stored_headers(site, NOISE | KEPT) == KEPT


def test_assets_keep_what_makes_scripts_work() -> None:
    scripts = {"service-worker-allowed": "/", "sourcemap": "a.map", "link": "<a>; rel=preload", "location": "/x"}
    assert stored_headers(ASSETS, scripts) == scripts
    assert stored_headers(SITE, scripts) == {}
    allowed = {"access-control-allow-origin": "https://elsewhere.example"}
    assert stored_headers(replace(ASSETS, cors=""), allowed) == allowed


def test_what_the_origin_marks_is_no_store_for_clients_too() -> None:
    assert stored_headers(SITE, KEPT | {UNCACHEABLE_HEADER: "1"})["cache-control"] == "no-store"


def test_every_kind_that_is_not_transparent_has_a_list_and_none_holds_a_header_of_one_connection() -> None:
    assert set(STORED) == {kind for kind, behaviour in BEHAVIOURS.items() if not behaviour.transparent}
    for names in STORED.values():
        assert not names & (HOP_BY_HOP | {"set-cookie", "vary"})
    assert not {"authorization", "cookie"} & upstream_request_headers().keys()


@pytest.mark.parametrize(
    ("content_type", "path", "effective"),
    [
        ("image/png", "/a.jpg", "image/png"),
        ("text/html; charset=utf-8", "/a.jpg", "text/html; charset=utf-8"),
        ("application/octet-stream", "/v/a.m3u8", "application/vnd.apple.mpegurl"),
        ("binary/octet-stream", "/a.MP4", "video/mp4"),
        ("Application/Octet-Stream; x=1", "/a.JPG?v=1", "image/jpeg"),
        (None, "/a.m4s", "video/iso.segment"),
        ("", "/a%2Ejpg", "image/jpeg"),
        (None, "/jpg", "application/octet-stream"),
        (None, "/a.html", "application/octet-stream"),
        ("binary/octet-stream", "/a", "binary/octet-stream"),
    ],
)
def test_a_type_is_guessed_only_where_the_source_says_nothing(
    content_type: str | None, path: str, effective: str
) -> None:
    assert effective_type(content_type, path) == effective


@pytest.mark.parametrize(
    ("path", "content_type", "stored", "value"),
    [
        ("/a/b.jpg", "image/webp", None, 'inline; filename="b.webp"'),
        ("/a/b.jpg?w=1", "image/jpeg", None, 'inline; filename="b.jpg"'),
        ("/a/b.jpeg", "image/jpeg", None, 'inline; filename="b.jpeg"'),
        ("/a/b", "image/avif", None, 'inline; filename="b.avif"'),
        ("/a/", "image/avif", None, 'inline; filename="image.avif"'),
        ("/.jpg", "image/avif", None, 'inline; filename="image.avif"'),
        ("/x", "image/webp", 'attachment; filename="My Cat.png"', 'attachment; filename="My Cat.webp"'),
        ("/x", "image/webp", "inline; filename=a.png; filename*=UTF-8''b.png", 'inline; filename="b.webp"'),
        ("/x", "image/webp", 'inline; filename="../../etc/a.png"', 'inline; filename=".._.._etc_a.webp"'),
        (
            "/K%C3%A4tzchen.png",
            "image/webp",
            None,
            "inline; filename=\"K_tzchen.webp\"; filename*=UTF-8''K%C3%A4tzchen.webp",
        ),
    ],
)
def test_a_converted_pictures_name_matches_its_type(
    path: str, content_type: str, stored: str | None, value: str
) -> None:
    assert disposition(path, content_type, stored, converted=True) == value


def test_an_unconverted_picture_keeps_its_disposition() -> None:
    assert disposition("/a.jpg", "image/jpeg", None, converted=False) is None
    assert disposition("/a.jpg", "image/jpeg", "attachment", converted=False) == "attachment"


@given(st.text(), st.text())
def test_no_name_can_break_out_of_its_header(path: str, stored: str) -> None:
    value = disposition(path, "image/webp", stored, converted=True)
    assert value is not None
    assert value.isascii()
    assert value.isprintable()
    kind, parameters = split_parameters(value)
    assert kind in ("inline", "attachment")
    assert dict(parameters)["filename"].endswith(".webp")


def test_media_answers_disarm_documents_and_still_show_pictures() -> None:
    headers = site_headers(SITE, "image/svg+xml")
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Vary"] == "Accept"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert policy.endswith("sandbox")
    assert "sandbox" not in site_headers(SITE, "application/pdf")["Content-Security-Policy"]
    assert site_headers(SITE, None).keys() == headers.keys()


def test_assets_get_cors_and_nothing_that_could_bind_a_script() -> None:
    headers = site_headers(ASSETS, "text/javascript")
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "Content-Security-Policy" not in headers
    assert headers["Vary"] == "Accept-Encoding"
    assert "Vary" not in site_headers(ASSETS, "image/png")
    assert not site_headers(replace(ASSETS, cors=""), "image/png")
