"""Which headers pass, in each direction, and what a media answer always carries.

The rule of this file: allow-lists for what is stored, deny-lists nowhere that a client could make use of.
Headers are mappings of lower-case names to combined values (`wire.fields.combine`).
"""

from __future__ import annotations

from collections.abc import Mapping

from edge.policy.sites import Site


def stored_headers(site: Site, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of an upstream answer that are stored and given to clients."""
    raise NotImplementedError


def upstream_request_headers(site: Site, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of a client's request that go upstream. Host, validators, Range and Authorization of our own are
    the fill's business."""
    raise NotImplementedError


def effective_type(content_type: str | None, path: str) -> str:
    """The content type to work with and to serve: the upstream's, or one by extension where it says nothing."""
    raise NotImplementedError


def disposition(path: str, content_type: str, stored: str | None, converted: bool) -> str | None:
    """The Content-Disposition of an answer: a filename that matches its type where a format was changed."""
    raise NotImplementedError


def site_headers(site: Site, content_type: str | None) -> dict[str, str]:
    """The headers that every answer of a site carries, errors and 206 included: CORS, nosniff, CSP, Vary."""
    raise NotImplementedError
