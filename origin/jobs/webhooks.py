"""Posting to a webhook: one request out of the house, within bounds.

The rule of this file: nothing but what the settings name is ever asked. A host name that leads to an address that is
not public is refused unless the settings allow it, at the moment of connecting, so no later answer of a name server
changes that. Redirects are not followed, proxies of the environment not used, and answers not read.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import socket
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

from conf.destination import Destination

SIGNATURE = "X-Facet-Signature"


class NotDelivered(Exception):
    """The destination did not take it; the message says why, without the URL."""


class PublicResolver(AbstractResolver):
    """Resolves host names to addresses that are public."""

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The public addresses of a host. Raises OSError where it has none."""
        found = [one for one in await self._resolver.resolve(host, port, family) if is_public(one["host"])]
        if not found:
            raise OSError(None, "the host name leads to no public address")
        return found

    async def close(self) -> None:
        """Nothing is kept."""
        await self._resolver.close()


def is_public(address: str) -> bool:
    """Whether an address is reached through the public internet."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_global and not parsed.is_multicast


def session(destination: Destination, timeout: float) -> ClientSession:
    """A session for one destination; an answer may take `timeout` seconds."""
    resolver = None if destination.private else PublicResolver()
    return ClientSession(
        connector=TCPConnector(resolver=resolver, limit=1, family=socket.AF_UNSPEC),
        timeout=ClientTimeout(total=timeout),
        headers={"User-Agent": "Facet", "Content-Type": "application/json"},
        auto_decompress=False,
    )


async def post(client: ClientSession, destination: Destination, message: dict[str, Any], now: float) -> None:
    """Post a message, signed at `now`. Raises NotDelivered unless the answer is 2xx."""
    body = json.dumps(message, separators=(",", ":")).encode()
    headers = {}
    if destination.token is not None:
        headers["Authorization"] = destination.token
    if destination.secret is not None:
        headers[SIGNATURE] = signature(destination.secret, int(now), body)
    try:
        async with client.post(destination.url, data=body, headers=headers, allow_redirects=False) as answer:
            if not 200 <= answer.status < 300:
                raise NotDelivered(f"status {answer.status}")
    except TimeoutError as error:
        raise NotDelivered("no answer in time") from error
    except (ClientError, OSError, ValueError) as error:
        raise NotDelivered(f"{type(error).__name__}: {getattr(error, 'strerror', None) or 'no answer'}") from error


def signature(secret: str, now: int, body: bytes) -> str:
    """The signature header: t=TIME,v1=HMAC-SHA256 of TIME, a dot and the body, in hexadecimal."""
    mac = hmac.digest(secret.encode(), f"{now}.".encode() + body, "sha256").hex()
    return f"t={now},v1={mac}"
