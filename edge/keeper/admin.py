"""The admin listener: metrics, health and purging, for operators and their programs alone.

The rule of this file: it translates HTTP into calls of other rooms and decides nothing. It asks for no secret, so
it must never be exposed (settings.edge.admin); a purge must come as JSON, which no web page can send here without
the browser asking first.

    GET  /metrics   Prometheus text; names in metrics.py
    GET  /healthz   200 while the keeper runs
    GET  /readyz    200 when requests can be served, else 503 with the reason
    POST /purge     {"url": "https://media.example/a.jpg"} or {"site": "assets"} or {"all": true}; 204 once durable
"""

from __future__ import annotations

from collections.abc import Callable
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
Named: TypeAlias = Callable[[str], Addressed | None]
"""A site by its name."""
Ready: TypeAlias = Callable[[], str | None]
"""None when requests can be served, else the reason why not."""


class _Order(msgspec.Struct, forbid_unknown_fields=True):
    """The body of POST /purge: exactly one of these."""

    url: str | None = None
    site: str | None = None
    all: bool = False


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
        if (order.url is not None) + (order.site is not None) + order.all != 1:
            return _problem(HTTPStatus.BAD_REQUEST, 'one of {"url": …}, {"site": …} and {"all": true} is needed')
        if order.url is not None:
            return await _purge_url(purger, match, order.url)
        if order.site is not None:
            site = named(order.site)
            if site is None:
                return _problem(HTTPStatus.NOT_FOUND, f"no site is named {order.site}")
            await purger.purge_site(site)
        else:
            await purger.purge_all()
        return web.Response(status=204)

    app = web.Application(client_max_size=MAX_BODY)
    app.router.add_get("/metrics", show_metrics)
    app.router.add_get("/healthz", show_health)
    app.router.add_get("/readyz", show_readiness)
    app.router.add_post("/purge", purge)
    return app


async def _purge_url(purger: Purger, match: Match, url: str) -> web.Response:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        return _problem(HTTPStatus.BAD_REQUEST, f"{url} is not a URL: {error}")
    if not host:
        return _problem(HTTPStatus.BAD_REQUEST, f"{url} names no host")
    found = match(host, parts.path or "/")
    if found is None:
        return _problem(HTTPStatus.NOT_FOUND, f"no site serves {url}")
    await purger.purge_url(*found)
    return web.Response(status=204)


def _problem(status: HTTPStatus, detail: str) -> web.Response:
    """An error as RFC 9457 has it."""
    body = msgspec.json.encode({"title": status.phrase, "status": int(status), "detail": detail})
    return web.Response(status=status, body=body, content_type="application/problem+json")
