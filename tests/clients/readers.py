"""Readers at nginx: browsers with an Accept of theirs, and a crowd of servers that send none.

The rule of this file: every server of the crowd has an address of its own, as in the world; 127.0.0.0/8 is full of
them.
"""

from __future__ import annotations

import asyncio
import http.client
import ssl
from collections.abc import Iterable

import aiohttp

from tests.nginx.running import MEDIA, Front

CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
SERVER = {"User-Agent": "Mastodon/4.5 (http.rb/5.3; +https://other.example/)", "Accept-Encoding": "gzip"}


class _Connection(http.client.HTTPConnection):
    """HTTP/1.1 over TLS with the media host in the handshake."""

    def __init__(self, front: Front) -> None:
        super().__init__(MEDIA)
        self._front = front

    def connect(self) -> None:
        self.sock = self._front.connect(MEDIA)
        self.sock.settimeout(60)


class Reader:
    """A connection to the media host that is kept."""

    def __init__(self, front: Front) -> None:
        self._connection = _Connection(front)

    def get(self, key: str, accept: str | None = CHROME, **fields: str) -> tuple[int, dict[str, str], bytes]:
        """Status, fields (lower case) and body."""
        headers = {"Host": MEDIA} | ({"Accept": accept} if accept else {})
        headers |= {name.replace("_", "-"): value for name, value in fields.items()}
        self._connection.request("GET", f"/{key}", headers=headers)
        answer = self._connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    def status(self, key: str) -> int:
        return self.get(key)[0]


def crowd(front: Front, keys: Iterable[str], servers: int) -> list[tuple[str, int, bytes]]:
    """Every server asks for every key, all at once: (key, status, body) of each answer."""
    return asyncio.run(_crowd(front, list(keys), servers))


async def _crowd(front: Front, keys: list[str], servers: int) -> list[tuple[str, int, bytes]]:
    trust = ssl.create_default_context(cafile=str(front.authority))

    async def server(number: int) -> list[tuple[str, int, bytes]]:
        own = f"127.1.{number // 200}.{number % 200 + 1}"
        connector = aiohttp.TCPConnector(local_addr=(own, 0), ssl=trust, limit=4)
        patience = aiohttp.ClientTimeout(total=90)
        async with aiohttp.ClientSession(connector=connector, timeout=patience, auto_decompress=False) as session:
            return list(await asyncio.gather(*(one(session, key) for key in keys)))

    async def one(session: aiohttp.ClientSession, key: str) -> tuple[str, int, bytes]:
        url, fields = f"https://127.0.0.1:{front.https}/{key}", SERVER | {"Host": MEDIA}
        async with session.get(url, headers=fields, server_hostname=MEDIA, skip_auto_headers=["Accept"]) as answer:
            return key, answer.status, await answer.read()

    return [answer for answers in await asyncio.gather(*map(server, range(servers))) for answer in answers]
