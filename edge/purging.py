"""Purges that come as requests: who may, and what they name.

The rule of this file: without the site's secret a request is an ordinary one. With it, a GET purges its own URL
(Mastodon's CACHE_BUSTER), and a PURGE what these fields say, or else its own URL:

    X-Facet-Purge-Scope: prefix | site      everything below the URL's folder; everything of the site
    X-Facet-Purge-Tags: a, b                everything with one of these tags
    X-Facet-Purge-Mode: soft                stale instead of gone
"""

from __future__ import annotations

import hmac

from edge.keeper.link import Order
from edge.message import Request
from edge.policy.sites import Site
from edge.policy.tags import named

SCOPE = "x-facet-purge-scope"
TAGS = "x-facet-purge-tags"
MODE = "x-facet-purge-mode"


class BadOrder(ValueError):
    """A purge that names what cannot be purged."""


def allowed(request: Request, site: Site, field: str) -> bool:
    """Whether a request carries the site's secret in `field`."""
    given = request.headers.get(field)
    if given is None or site.purge_secret is None or request.method not in ("GET", "PURGE"):
        return False
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), site.purge_secret.encode())


def order(request: Request, site: Site, raw_path: str) -> Order | None:
    """What a request with the secret purges; None for a path that can name nothing. Raises BadOrder."""
    fields = request.headers if request.method == "PURGE" else {}
    mode, scope = fields.get(MODE, "hard").lower(), fields.get(SCOPE, "url").lower()
    if mode not in ("hard", "soft"):
        raise BadOrder(f"{MODE} is soft or hard")
    soft = mode == "soft"
    if TAGS in fields:
        tags = named(fields[TAGS])
        if not tags:
            raise BadOrder(f"{TAGS} names no tag")
        return Order(tags=tags, soft=soft)
    match scope:
        case "url":
            path = site.source_path(raw_path, request.raw_query)
            return None if path is None else Order(url=path, soft=soft)
        case "prefix":
            if not raw_path.endswith("/"):
                raise BadOrder("a prefix ends with a slash")
            return Order(prefix=raw_path, soft=soft)
        case "site":
            return Order(soft=soft)
    raise BadOrder(f"{SCOPE} is url, prefix or site")
