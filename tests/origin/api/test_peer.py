"""Promises about who the client is."""

from __future__ import annotations

import pytest

from origin.api.peer import Peer, TrustedProxies

PROXIES = TrustedProxies(["127.0.0.0/8", "::1/128", "10.0.0.0/24"])


@pytest.mark.parametrize(
    ("remote", "forwarded", "proto", "expected"),
    [
        ("203.0.113.9", None, None, Peer("203.0.113.9", False)),
        ("203.0.113.9", "1.1.1.1", "https", Peer("203.0.113.9", False)),
        ("127.0.0.1", "203.0.113.9", "https", Peer("203.0.113.9", True)),
        ("127.0.0.1", "9.9.9.9, 203.0.113.9", "http", Peer("203.0.113.9", False)),
        ("127.0.0.1", "203.0.113.9, 10.0.0.7", "https", Peer("203.0.113.9", True)),
        ("::ffff:127.0.0.1", "203.0.113.9", "https", Peer("203.0.113.9", True)),
        ("127.0.0.1", None, "http, https", Peer("127.0.0.1", True)),
    ],
)
def test_forwarding_headers_count_only_from_trusted_hops(remote, forwarded, proto, expected) -> None:
    assert PROXIES.peer(remote, forwarded, proto) == expected
