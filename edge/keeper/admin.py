"""The admin listener. (Signatures; being filled in.)

GET /metrics, /healthz, /readyz · POST /purge {"url": "https://media.example/a.jpg"} | {"site": "name"} | {"all": true}
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from edge.cache.subjects import Addressed
from edge.keeper.metrics import Metrics
from edge.keeper.purge import Purger

Match = Callable[[str, str], tuple[Addressed, str] | None]
"""Sites.match: (host, raw path) → (site, raw path within it)."""


def admin_app(*, metrics: Metrics, purger: Purger, match: Match, site: Callable[[str], Addressed | None],
              ready: Callable[[], str | None]) -> web.Application:
    """`ready` returns None, or the reason why not. Run with web.AppRunner on settings.edge.admin."""
