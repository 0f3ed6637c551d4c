"""Who a request comes from: the address and the scheme of the client.

The rule of this file: forwarding headers are believed only hop by hop, from the nearest peer outwards, and only as
long as the hop that wrote them is a configured trusted proxy.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

import msgspec

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LOOPBACK = "127.0.0.1"
KNOWN = 1024
"""The most addresses whose answer is remembered."""


class Peer(msgspec.Struct, frozen=True):
    """The client behind the trusted proxies."""

    address: str
    secure: bool


class TrustedProxies:
    """The proxies whose X-Forwarded-For and X-Forwarded-Proto are believed."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks: tuple[Network, ...] = tuple(ipaddress.ip_network(text, strict=False) for text in networks)
        self._trusts = lru_cache(maxsize=KNOWN)(self._is_trusted)

    def peer(self, remote: str, forwarded_for: str | None, forwarded_proto: str | None) -> Peer:
        """The client, given the peer of the connection and the two headers (repeated lines joined by commas)."""
        address = remote
        hops = [hop.strip() for hop in (forwarded_for or "").split(",") if hop.strip()]
        trusted = self._trusts(address)
        while hops and self._trusts(address):
            address = hops.pop()
        proto = (forwarded_proto or "").split(",")[-1].strip().lower()
        return Peer(address, secure=trusted and proto == "https")

    def _is_trusted(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None)
        return any((mapped or parsed) in network for network in self._networks)
