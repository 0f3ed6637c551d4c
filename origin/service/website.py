"""Website configurations of buckets, as pure functions: which document or redirect a path comes to.

The rule of this file: no store and no protocol. A route without an error condition is asked before anything is read,
one with a condition once reading has failed; the first that fits decides.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteHosting.html
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import quote

import msgspec

MOVED = 301
_LEFT_ALONE = "/#!?&=:%+~@,;$*'()"
"""Characters of a configured replacement that stay as they are, so that it may hold a query or a fragment."""


class Redirect(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request is sent; what is None stays as the request has it. `key` replaces all of the key, `prefix`
    the part that the route's condition names."""

    host: str | None = None
    protocol: str | None = None
    key: str | None = None
    prefix: str | None = None
    status: int | None = None
    """Without one it is 301."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One routing rule: keys with that prefix, answers with that error; None is every one."""

    redirect: Redirect
    prefix: str | None = None
    error: int | None = None


class Website(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket's website: a redirect for everything, or an index document with what belongs to it."""

    everything: Redirect | None = None
    index: str = ""
    error: str | None = None
    routes: tuple[Route, ...] = ()

    def document(self, key: str) -> str:
        """The key of the object that a path names: its index document where it names a folder."""
        return key + self.index if not key or key.endswith("/") else key

    def redirect(self, key: str, error: int | None = None) -> Route | None:
        """The first route for a key, before it is read or after the status `error`."""
        return next(
            (route for route in self.routes if route.error == error and key.startswith(route.prefix or "")), None
        )


@lru_cache(maxsize=256)
def decoded(document: str) -> Website:
    """The configuration as a bucket keeps it."""
    return msgspec.json.decode(document, type=Website)


def location(route: Route, key: str, *, host: str, secure: bool) -> str:
    """The URL that a route sends a request for `key` to; `host` is the request's own."""
    redirect = route.redirect
    if redirect.key is not None:
        path = quote(redirect.key, safe=_LEFT_ALONE)
    elif redirect.prefix is not None:
        path = quote(redirect.prefix, safe=_LEFT_ALONE) + quote(key.removeprefix(route.prefix or ""), safe="/~")
    else:
        path = quote(key, safe="/~")
    scheme = redirect.protocol or ("https" if secure else "http")
    return f"{scheme}://{redirect.host or host}/{path}"
