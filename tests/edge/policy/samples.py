"""Accept headers as real clients send them for pictures, and short ways to make sites and facts."""

from __future__ import annotations

from typing import Any

from conf.schema import Settings
from edge.policy.negotiate import OWN, AcceptClass, accept_class
from edge.policy.plan import AssetFacts, Plan, decide
from edge.policy.sites import Site, Sites
from edge.policy.variant import parse

CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
CHROME_PAGE = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)
FIREFOX = "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5"
FIREFOX_92 = "image/avif,image/webp,*/*"
FIREFOX_65 = "image/webp,*/*"
SAFARI = (
    "image/webp,image/avif,image/jxl,image/heic,image/heic-sequence,video/*;q=0.8,image/png,image/svg+xml,"
    "image/*;q=0.8,*/*;q=0.5"
)
SAFARI_14 = "image/webp,image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5"
SAFARI_9 = "image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5"
INTERNET_EXPLORER = "image/png, image/svg+xml, image/jxr, image/*;q=0.8, */*;q=0.5"
CURL = "*/*"
MASTODON = None  # sends no Accept for pictures
GO = None  # net/http neither

SETTINGS = Settings()
SITE = Sites(SETTINGS).default
_PASSING = {"name": "passing", "host": "p.test", "kind": "pass-through", "upstream": "http://127.0.0.1:1"}
PASSING = next(site for site in Sites(Settings.model_validate({"sites": [_PASSING]})) if site.name == "passing")


def jpeg(**changed: Any) -> AssetFacts:
    """A 1000 × 500 photograph, changed as given."""
    facts: dict[str, Any] = {
        "content_type": "image/jpeg",
        "size": 100_000,
        "format": "jpeg",
        "width": 1000,
        "height": 500,
    }
    return AssetFacts(**(facts | changed))


def picture(format: str, /, **changed: Any) -> AssetFacts:
    """As jpeg(), of another format."""
    content_type = "image/svg+xml" if format == "svg" else f"image/{format}"
    return jpeg(**({"content_type": content_type, "format": format} | changed))


def planned(
    asset: AssetFacts, query: str = "", accept: str | AcceptClass | None = OWN, site: Site = SITE, **render: Any
) -> Plan:
    """What is decided for a source, a query and an Accept field (or class)."""
    chosen = accept if isinstance(accept, AcceptClass) else accept_class(accept)
    settings = SETTINGS.render.model_copy(update=render)
    return decide(asset, parse(query, settings.max_side), chosen, site, settings)
