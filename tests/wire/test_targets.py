"""Raw targets: nothing is normalised away, and what leads elsewhere is seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.targets import decode_path, dot_segments, is_well_escaped, request_target


@pytest.mark.parametrize("raw", ["/a//b", "/a%2Fb", "/a%2fb", "/%41", "/a+b", "/a;b=c", "/~", "/!$&'()*,:@"])
def test_every_spelling_stays_as_it_was_sent(raw: str) -> None:
    assert request_target(raw) == raw


def test_octets_that_no_target_may_hold_become_escapes() -> None:
    assert request_target("/ü #\r\n") == "/%C3%BC%20%23%0D%0A"
    assert request_target(b"/\xff".decode("utf-8", "surrogateescape")) == "/%FF"


@given(st.text())
def test_a_target_decodes_to_the_octets_of_the_path(path: str) -> None:
    raw = path.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
    assert decode_path(request_target(raw)) == decode_path(raw)
    assert request_target(raw).isascii()


@pytest.mark.parametrize(("raw", "well"), [("/%41%2f", True), ("/%", False), ("/%4", False), ("/%zz", False)])
def test_a_broken_escape_is_seen(raw: str, well: bool) -> None:
    assert is_well_escaped(raw) is well


@pytest.mark.parametrize(
    ("raw", "walks"),
    [
        ("/a/../b", True),
        ("/a/./b", True),
        ("/..", True),
        ("/%2e%2E/b", True),
        ("/a%2F..%2Fb", True),
        ("/a/..\\b", True),
        ("/a/..b/c..", False),
        ("/.well-known/x", False),
        ("/a/.../b", False),
        ("/%252e%252e/b", False),
    ],
)
def test_dot_segments_are_seen_however_they_are_spelled(raw: str, walks: bool) -> None:
    assert dot_segments(raw) is walks
