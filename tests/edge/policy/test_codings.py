"""Content codings: who gets which, and of what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.policy.codings import CODINGS, coding_for, is_codable, is_text

CHROME = "gzip, deflate, br, zstd"


@pytest.mark.parametrize(
    ("field", "coding"),
    [
        (None, ""),
        ("", ""),
        (CHROME, "br"),
        ("gzip, deflate", "gzip"),
        ("gzip, zstd", "zstd"),
        ("deflate", ""),
        ("compress, x-unknown", ""),
        ("x-gzip", "gzip"),
        ("GZIP", "gzip"),
        ("br;q=0", ""),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0.1, gzip;q=0.9", "gzip"),
        ("br; q=0.5 , gzip; q=0.5", "br"),
        ("br;q=0.000, zstd;q=0.001", "zstd"),
        ("*", "br"),
        ("*;q=0", ""),
        ("gzip, *;q=0", "gzip"),
        ("br;q=0, *", "zstd"),
        ("identity", ""),
        ("identity;q=1, gzip;q=0.5", ""),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("identity;q=0", ""),
        ("gzip;q=1.5", ""),
        ("gzip;q=x, br", "br"),
        ("brr, gzipped", ""),
        (",,br,,", "br"),
    ],
)
def test_a_client_gets_what_it_weighs_most(field: str | None, coding: str) -> None:
    assert coding_for(field) == coding


@given(st.text())
def test_any_field_has_an_answer(field: str) -> None:
    assert coding_for(field) in ("", *CODINGS)


@pytest.mark.parametrize(
    ("content_type", "text"),
    [
        ("text/css", True),
        ("text/javascript; charset=utf-8", True),
        ("TEXT/HTML", True),
        ("application/json", True),
        ("image/svg+xml", True),
        ("application/wasm", True),
        ("image/png", False),
        ("font/woff2", False),
        ("video/mp4", False),
        ("application/zip", False),
        ("text/event-stream", False),
        ("application/octet-stream", False),
        (None, False),
    ],
)
def test_only_what_is_not_compressed_yet_is_coded(content_type: str | None, text: bool) -> None:
    assert is_text(content_type) is text


def test_only_a_plain_text_of_some_size_that_may_be_changed_is_coded() -> None:
    assert is_codable("text/css", 1000, {}, no_transform=False)
    assert not is_codable("text/css", 1000, {}, no_transform=True)
    assert not is_codable("text/css", 1000, {"content-encoding": "gzip"}, no_transform=False)
    assert not is_codable("text/css", 255, {}, no_transform=False)
    assert not is_codable("text/css", 100_000_000, {}, no_transform=False)
