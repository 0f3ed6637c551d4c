"""A web server as upstream, such as Mastodon's for CDN_HOST."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from urllib.parse import urlsplit

from multidict import CIMultiDict

from edge.upstream.http import HttpClient, UpstreamAnswer
from edge.upstream.source import own_headers


class WebSource:
    """One web server, asked under its own name or the one that the site gives it.

    `proto` is what X-Forwarded-Proto says: an application that insists on https would else redirect for ever.
    """

    def __init__(self, client: HttpClient, url: str, host: str | None, proto: str) -> None:
        self._client = client
        parts = urlsplit(url)
        self._base = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        # One representation for all clients: codings are the edge's own business.
        asked = {"X-Forwarded-Proto": proto, "Accept-Encoding": "identity"}
        self._headers = own_headers(host or parts.netloc.rpartition("@")[2]) | asked

    def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> AbstractAsyncContextManager[UpstreamAnswer]:
        """See Source."""
        named = CIMultiDict(self._headers)
        named.update(headers)
        return self._client.request(method, self._base + target, named, body)
