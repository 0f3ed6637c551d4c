"""The admin listener: metrics, health and purging, for operators and their programs alone.

The rule of this file: it translates HTTP into calls of other rooms and decides nothing. It asks for no secret, so
it must never be exposed (settings.edge.admin); a purge must come as JSON, which no web page can send here without
the browser asking first.

    GET  /metrics   Prometheus text; names in metrics.py
    GET  /healthz   200 while the keeper runs
    GET  /readyz    200 when requests can be served, else 503 with the reason
    POST /purge     one of {"url": "https://media.example/a.jpg"}, {"prefix": "https://media.example/2024/"},
                    {"tag": "post-17"} (with a "site", or on all of them), {"site": "assets"} and {"all": true};
                    with "soft": true what is named becomes stale instead of gone; 204 once in force and durable
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TypeAlias
from urllib.parse import urlsplit

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from edge.cache.subjects import Addressed
from edge.keeper.metrics import Metrics
from edge.keeper.purge import Purger

MAX_BODY = 64 * 1024

Match: TypeAlias = Callable[[str, str], tuple[Addressed, str] | None]
"""Sites.match: (host, raw path) → (site, raw path within it)."""
Named: TypeAlias = Mapping[str, Addressed]
"""The sites by their names."""
Ready: TypeAlias = Callable[[], str | None]
"""None when requests can be served, else the reason why not."""


class _Order(msgspec.Struct, forbid_unknown_fields=True):
    """The body of POST /purge: what to purge, and how."""

    url: str | None = None
    prefix: str | None = None
    tag: str | None = None
    site: str | None = None
    all: bool = False
    soft: bool = False


def admin_app(*, metrics: Metrics, purger: Purger, match: Match, named: Named, ready: Ready) -> web.Application:
    """The application; run it with web.AppRunner on settings.edge.admin."""

    async def show_metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def show_health(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def show_readiness(_: web.Request) -> web.Response:
        reason = ready()
        return web.Response(text=f"{reason or 'ok'}\n", status=503 if reason else 200)

    async def purge(request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            return _problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body must be application/json")
        try:
            order = msgspec.json.decode(await request.read(), type=_Order)
        except ValueError as error:
            return _problem(HTTPStatus.BAD_REQUEST, str(error))
        try:
            await _carry_out(purger, match, named, order)
        except _Refused as refused:
            return _problem(refused.status, str(refused))
        return web.Response(status=204)

    app = web.Application(client_max_size=MAX_BODY)
    app.router.add_get("/metrics", show_metrics)
    app.router.add_get("/healthz", show_health)
    app.router.add_get("/readyz", show_readiness)
    app.router.add_post("/purge", purge)
    return app


class _Refused(Exception):
    """An order that cannot be carried out."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


async def _carry_out(purger: Purger, match: Match, named: Named, order: _Order) -> None:
    """Purge. Raises _Refused."""
    things = (order.url, order.prefix, order.tag, order.site if order.tag is None else None, order.all or None)
    if sum(thing is not None for thing in things) != 1:
        raise _Refused(HTTPStatus.BAD_REQUEST, "one of url, prefix, tag, site and all is needed")
    if order.url is not None:
        await purger.purge_url(*_placed(match, order.url), soft=order.soft)
    elif order.prefix is not None:
        site, path = _placed(match, order.prefix)
        if not path.partition("?")[0].endswith("/"):
            raise _Refused(HTTPStatus.BAD_REQUEST, "a prefix ends with a slash")
        await purger.purge_prefix(site, path, soft=order.soft)
    elif order.tag is not None:
        sites = [_named(named, order.site)] if order.site is not None else list(named.values())
        for site in sites:
            await purger.purge_groups(site, (order.tag,), soft=order.soft, by="request")
    elif order.site is not None:
        await purger.purge_site(_named(named, order.site), soft=order.soft)
    else:
        await purger.purge_all(soft=order.soft)


def _named(named: Named, name: str) -> Addressed:
    site = named.get(name)
    if site is None:
        raise _Refused(HTTPStatus.NOT_FOUND, f"no site is named {name}")
    return site


def _placed(match: Match, url: str) -> tuple[Addressed, str]:
    """The site of a URL, and the path within it."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        raise _Refused(HTTPStatus.BAD_REQUEST, f"{url} is not a URL: {error}") from None
    if not host:
        raise _Refused(HTTPStatus.BAD_REQUEST, f"{url} names no host")
    found = match(host, parts.path or "/")
    if found is None:
        raise _Refused(HTTPStatus.NOT_FOUND, f"no site serves {url}")
    return found


def _problem(status: HTTPStatus, detail: str) -> web.Response:
    """An error as RFC 9457 has it."""
    body = msgspec.json.encode({"title": status.phrase, "status": int(status), "detail": detail})
    return web.Response(status=status, body=body, content_type="application/problem+json")
