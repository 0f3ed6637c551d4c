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
    `transparent`: what else a request says is its client's own.
    """

    def __init__(
        self, client: HttpClient, url: str, host: str | None, proto: str, *, transparent: bool = False
    ) -> None:
        self._client = client
        parts = urlsplit(url)
        self._base = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        name = host or parts.netloc.rpartition("@")[2]
        # One representation for all clients: codings are the edge's own business.
        ours = {"Host": name} if transparent else own_headers(name) | {"Accept-Encoding": "identity"}
        self._headers = {**ours, "X-Forwarded-Proto": proto}

    def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> AbstractAsyncContextManager[UpstreamAnswer]:
        """See Source."""
        named = CIMultiDict(self._headers)
        named.update(headers)
        return self._client.request(method, self._base + target, named, body)
