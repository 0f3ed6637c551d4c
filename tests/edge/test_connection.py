"""What the edge takes from aiohttp beside its public names, pinned: an upgrade that moves it fails here first."""

from __future__ import annotations

import pytest
from aiohttp import HttpVersion, web
from aiohttp.test_utils import make_mocked_request

from edge.connection import _escaped_target, speak_http11


def test_the_private_names_of_aiohttp_are_where_we_use_them() -> None:
    slots = {name for kind in web.RequestHandler.__mro__ for name in getattr(kind, "__slots__", ())}
    assert {"_current_request", "_messages", "_loop", "transport"} <= slots


def test_a_request_is_answered_in_our_own_version() -> None:
    request = make_mocked_request("GET", "/", version=HttpVersion(2, 0))
    assert request.version == (2, 0)
    speak_http11(request)
    assert request.version == (1, 1)


@pytest.mark.parametrize(
    ("head", "fed"),
    [
        (b"GET /na\xc3\xafve HTTP/1.1\r\nX: \xc3\r\n\r\n", b"GET /na%C3%AFve HTTP/1.1\r\nX: \xc3\r\n\r\n"),
        (b"GET /\xff HTTP/1.1\r\n", b"GET /%FF HTTP/1.1\r\n"),
        (b"GET /plain HTTP/1.1\r\nX: \xc3\r\n\r\n", b"GET /plain HTTP/1.1\r\nX: \xc3\r\n\r\n"),
        (b"GET /half", b"GET /half"),
    ],
)
def test_only_the_request_line_is_escaped(head: bytes, fed: bytes) -> None:
    assert _escaped_target(head) == fed
