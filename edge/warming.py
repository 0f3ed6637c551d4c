"""`facet warm`: asks an edge for URLs before readers do, and says what came of it.

The rule of this file: an edge is asked as a browser would ask it, and every body is read to its end and thrown away.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

ACCEPTS: Final[Mapping[str, str]] = MappingProxyType(
    {"avif": "image/avif,image/webp,*/*", "webp": "image/webp,*/*", "any": "*/*"}
)
"""The Accept of each class of clients that a picture is made for."""
_PATIENCE: Final = 120.0  # seconds for one answer
_LONGEST_LINE: Final = 64 * 1024  # bytes of a header
_BLOCK: Final = 256 * 1024


@dataclass
class Report:
    """What came of a warming."""

    asked: int = 0
    hits: int = 0
    bytes: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[tuple[str, str]] = field(default_factory=list)
    """URLs that could not be warmed, and why."""

    def lines(self) -> dict[str, object]:
        """As a mapping for JSON."""
        failures = [{"url": url, "reason": reason} for url, reason in self.failures]
        statuses = {str(status): count for status, count in sorted(self.statuses.items())}
        return {
            "asked": self.asked,
            "hits": self.hits,
            "bytes": self.bytes,
            "statuses": statuses,
            "failures": failures,
        }


@dataclass(frozen=True)
class Asked:
    """One request of a warming."""

    url: str
    accept: str


def requests(urls: Iterable[str], variants: Iterable[str], classes: Iterable[str]) -> Iterable[Asked]:
    """Every URL with every variant, for every class; empty lines and comments are none."""
    queries, accepts = tuple(variants) or ("",), tuple(classes) or ("any",)
    for line in urls:
        url = line.strip()
        if not url or url.startswith("#"):
            continue
        for query, name in product(queries, accepts):
            mark = "&" if "?" in url else "?"
            yield Asked(f"{url}{mark}{query}" if query else url, ACCEPTS[name])


async def warm(asked: Iterable[Asked], *, edge: str | None, at_once: int, told: Callable[[], None]) -> Report:
    """Ask for everything, at most `at_once` at the same time; `told` is called after each.

    edge: the address that is asked in place of each URL's own host, which stays the Host, such as 127.0.0.1:8080.
    """
    report = Report()
    waiting = iter(asked)
    connector = aiohttp.TCPConnector(limit=at_once)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=_PATIENCE)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, auto_decompress=False, max_line_size=_LONGEST_LINE
    ) as session:

        async def work() -> None:
            for one in waiting:
                await _ask(session, one, edge, report)
                told()

        await asyncio.gather(*(work() for _ in range(at_once)))
    return report


async def _ask(session: aiohttp.ClientSession, asked: Asked, edge: str | None, report: Report) -> None:
    report.asked += 1
    try:
        parts = urlsplit(asked.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("not a URL of http or https")
        target = asked.url if edge is None else parts._replace(scheme="http", netloc=edge).geturl()
        headers = {"Host": parts.netloc, "Accept": asked.accept, "User-Agent": "facet-warm"}
        async with session.get(URL(target, encoded=True), headers=headers, allow_redirects=False) as answer:
            while block := await answer.content.read(_BLOCK):
                report.bytes += len(block)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        report.failures.append((asked.url, str(error) or type(error).__name__))
        return
    report.statuses[answer.status] += 1
    report.hits += "hit" in [word.strip() for word in answer.headers.get("Cache-Status", "").split(";")]
    if answer.status >= 400:
        report.failures.append((asked.url, f"status {answer.status}"))
