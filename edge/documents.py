"""What a website answers beside its objects: redirects, and the error document.

The rule of this file: a reader is only ever sent to where the origin says, or to the same path with a slash at its end.
"""

from __future__ import annotations

from dataclasses import replace

from edge.keeper.answer import Answer
from edge.message import Reply, Request
from edge.policy.freshness import Lifetimes, client_cache_control
from edge.policy.hygiene import WEBSITE_REDIRECT, site_headers
from edge.policy.reasons import CacheStatus
from edge.policy.sites import Site

_OF_ONE_DOCUMENT = frozenset({"accept-ranges", "cache-control", "etag", "last-modified"})
_ELSEWHERE = ("//", "/\\")  # what browsers read as another host


def moved(site: Site, answer: Answer) -> str | None:
    """Where an object of a website sends its readers, by its own metadata; None where nowhere."""
    target = answer.asset.headers.get(WEBSITE_REDIRECT) if site.documents is not None else None
    if target is None or target.startswith(_ELSEWHERE):
        return None
    if target.startswith("/"):
        return site.prefix + target
    return target if target.startswith(("http://", "https://")) else None


def folder(site: Site, request: Request) -> str | None:
    """The path of the folder that a request may have meant; None for what names a folder already."""
    if site.documents is None or request.raw_path.endswith("/") or request.raw_path.startswith(_ELSEWHERE):
        return None
    query = f"?{request.raw_query}" if request.raw_query else ""
    return f"{request.raw_path}/{query}"


def redirect(
    site: Site, status: int, target: str, outcome: CacheStatus, lifetimes: Lifetimes, path: str, *, stored: bool
) -> Reply:
    """Send a reader elsewhere, for as long as the object that says so lives."""
    headers = (
        ("Location", target),
        ("Cache-Control", client_cache_control(path, status, {}, lifetimes, stored=stored)),
        ("Cache-Status", outcome.header()),
        ("Content-Length", "0"),
        *site_headers(site, None).items(),
    )
    return Reply(status, headers, site=site.name, outcome=outcome)


def not_here(page: Reply, outcome: CacheStatus, lifetimes: Lifetimes, path: str) -> Reply:
    """The error document, as what a path without an object shows: kept as shortly as any 404."""
    kept = tuple(line for line in page.headers if line[0].lower() not in _OF_ONE_DOCUMENT | {"cache-status"})
    about = (
        ("Cache-Control", client_cache_control(path, 404, {}, lifetimes)),
        ("Cache-Status", outcome.header()),
    )
    return replace(page, status=404, headers=(*about, *kept), outcome=outcome)


def asks_plainly(request: Request) -> Request:
    """The request without conditions and ranges, which are about the object that is not there."""
    return replace(request, headers={}) if request.headers else request
