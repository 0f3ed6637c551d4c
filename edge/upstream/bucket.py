"""Buckets as upstreams: those of our origin, and those of other S3 services.

The origin answers an edge key with the rights of anonymous readers and adds what identifies the content; a site with
access = "key" asks for the key's own rights. Another service is asked with the site's key, or unsigned.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes, urlsplit

import msgspec

from edge.policy.reasons import Detail
from edge.policy.sites import ForeignBucket
from edge.upstream.http import HttpClient, UpstreamAnswer, failure
from edge.upstream.source import own_headers
from wire.sigv4 import sign_headers

ACCESS_HEADER = "x-facet-access"
IDENTITY_HEADER = "x-facet-identity"


class EdgeKey(msgspec.Struct, frozen=True):
    """The key that the origin knows the edge by."""

    access_key: str
    secret_key: str


class KeyFile:
    """The edge key's file. The origin writes it at its first start, so it may come to be after the edge has started."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._key: EdgeKey | None = None

    def key(self) -> EdgeKey:
        """The key. Raises UpstreamFailed while there is none to read."""
        if self._key is None:
            try:
                self._key = msgspec.json.decode(self._path.read_bytes(), type=EdgeKey)
            except (OSError, msgspec.DecodeError) as error:
                raise failure(Detail.UPSTREAM_UNREACHABLE, error) from None
        return self._key

    def forget(self) -> None:
        """Read the file again next time: the origin has refused this key."""
        self._key = None


class BucketSource:
    """The origin's buckets under one kind of rights; a target begins with the bucket's name."""

    def __init__(
        self,
        client: HttpClient,
        origin: str,
        key_file: KeyFile,
        *,
        own_rights: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._key_file = key_file
        self._clock = clock
        parts = urlsplit(origin)
        self._base = f"{parts.scheme}://{parts.netloc}"
        self._headers = own_headers(parts.netloc) | ({ACCESS_HEADER: "key"} if own_rights else {})

    @asynccontextmanager
    async def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> AsyncIterator[UpstreamAnswer]:
        """See Source."""
        key = self._key_file.key()
        path, _, query = target.partition("?")
        named = {**self._headers, **headers}
        signature = sign_headers(
            method,
            path,
            query,
            list(named.items()),
            access_key=key.access_key,
            secret=key.secret_key,
            now=self._clock(),
        )
        async with self._client.request(method, self._base + target, {**named, **dict(signature)}, body) as answer:
            if answer.status == 403:
                self._key_file.forget()
            yield answer


class ForeignSource:
    """A bucket of another S3 service; a target begins with what the site's upstream URL has as its path."""

    def __init__(
        self, client: HttpClient, url: str, bucket: ForeignBucket, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._clock = clock
        parts = urlsplit(url)
        self._base = f"{parts.scheme}://{parts.netloc}"
        self._headers = own_headers(parts.netloc) | {"Accept-Encoding": "identity"}

    def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> AbstractAsyncContextManager[UpstreamAnswer]:
        """See Source."""
        path, _, query = target.partition("?")
        path = quote(unquote_to_bytes(path), safe="/~")  # as services spell it when they check a signature
        named = {**self._headers, **headers}
        access_key, secret = self._bucket.access_key, self._bucket.secret_key
        if access_key is not None and secret is not None:
            named |= dict(
                sign_headers(
                    method,
                    path,
                    query,
                    list(named.items()),
                    access_key=access_key,
                    secret=secret,
                    region=self._bucket.region,
                    now=self._clock(),
                )
            )
        spelt = f"{path}?{query}" if query else path
        return self._client.request(method, self._base + spelt, named, body)
