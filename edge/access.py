"""The access log of a server process: one line for each request, whichever way it was answered.

The rule of this file: a line's fields are named here and nowhere else. A client's address is believed from a header
only where a trusted proxy says it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import lru_cache

from conf.logs import AccessLog, safe_target
from conf.schema import Settings


class Access:
    """Where the server process and its lane write what they have answered."""

    def __init__(self, settings: Settings, process: str, *, later: Callable[[Callable[[], None]], object]) -> None:
        self._log = AccessLog(settings.log, process, later=later)
        self.on = settings.log.access
        """Whether lines are written at all: who asks first saves gathering the fields."""
        trusted = tuple(ipaddress.ip_network(network) for network in settings.edge.trusted_proxies)
        self.client = lru_cache(maxsize=1024)(lambda peer, forwarded: _client(peer, forwarded, trusted))
        """The client's address, of the connection's and X-Forwarded-For."""
        self.counted = lru_cache(maxsize=1024)(lambda peer, forwarded: _counted(peer, forwarded, trusted))
        """What a client counts as in limits: an IPv4 address, or the /64 that an IPv6 address is in.

        Empty, which is never limited, where it is a trusted proxy that speaks for nobody else.
        """

    def write(
        self,
        *,
        peer: str,
        forwarded: str,
        method: str,
        host: str,
        target: str,
        status: int,
        sent: int,
        seconds: float,
        site: str | None,
        cache: str | None,
        agent: str,
    ) -> None:
        """Write a line. peer, forwarded: the connection's address and X-Forwarded-For. sent: bytes of body."""
        self._log.write(
            client=self.client(peer, forwarded),
            method=method,
            host=host,
            target=safe_target(target),
            status=status,
            bytes=sent,
            ms=round(seconds * 1000, 2),
            site=site,
            cache=cache,
            agent=agent,
        )

    def flush(self) -> None:
        """Write what is held back."""
        self._log.flush()


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _counted(peer: str, forwarded: str, trusted: tuple[Network, ...]) -> str:
    address = _client(peer, forwarded, trusted)
    if _is_trusted(address, trusted):
        return ""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        mapped = ip.ipv4_mapped
        return str(ipaddress.ip_network((ip, 64), strict=False)) if mapped is None else str(mapped)
    return address


def _is_trusted(address: str, trusted: tuple[Network, ...]) -> bool:
    try:
        return any(ipaddress.ip_address(address) in network for network in trusted)
    except ValueError:
        return False


def _client(peer: str, forwarded: str, trusted: tuple[Network, ...]) -> str:
    """The client's address; X-Forwarded-For counts where a trusted proxy says it, from the right."""
    address = peer
    for hop in reversed(forwarded.split(",")):
        try:
            if not any(ipaddress.ip_address(address) in network for network in trusted):
                break
            address = str(ipaddress.ip_address(hop.strip()))
        except ValueError:
            break
    return address
