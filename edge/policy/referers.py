"""Hotlinks: pages of other sites that show what a site has.

The rule of this file: a request is refused only where it says that it comes from a page of somebody else. What says
nothing (fediverse servers, applications, private browsing) and what a person opens directly passes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import urlsplit

VARIES: Final = ("Referer", "Sec-Fetch-Site", "Sec-Fetch-Mode")
"""What the decision depends on, for Vary."""
_OWN: Final = frozenset({"same-origin", "same-site", "none"})


def is_hotlink(headers: Mapping[str, str], host: str, allowed: Collection[str]) -> bool:
    """Whether a page that is neither `host`'s nor one of the allowed hosts' (or below them) asks.

    headers: by lower-case names. Sec-Fetch-Site, which a page cannot forge, goes before Referer.
    """
    site = headers.get("sec-fetch-site")
    if site in _OWN or headers.get("sec-fetch-mode") == "navigate":
        return False
    referer = headers.get("referer")
    if referer is None:
        return site == "cross-site"
    try:
        page = (urlsplit(referer).hostname or "").lower().rstrip(".")
    except ValueError:
        return True
    return not any(page == name or page.endswith(f".{name}") for name in (host, *allowed) if name)
