"""What a request may ask of a site: hotlinks, signed URLs, presets.

The rule of this file: who is turned away here has cost nobody anything yet. The decisions are edge.policy's.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qsl

from edge import reply
from edge.errand import NoAnswer
from edge.message import Request
from edge.policy.reasons import Detail
from edge.policy.referers import is_hotlink
from edge.policy.signing import BadSignature, is_signed
from edge.policy.sites import Site
from edge.policy.variant import BadParameter, Variant


class Asked(NamedTuple):
    """The variant that a URL asks for."""

    variant: Variant
    fixed: bool
    """Signed or a preset: made exactly so, however many there are."""


def check_referer(request: Request, site: Site) -> None:
    """Refuse a hotlink, where the site does. Raises NoAnswer."""
    if site.referers and request.method != "OPTIONS" and is_hotlink(request.headers, site.host, site.referers):
        raise NoAnswer(reply.refusal(site, Detail.HOTLINK))


def is_checked(site: Site, raw_query: str) -> bool:
    """Whether every request for this URL must be looked at here, so that no reply may be prepared for it."""
    return bool(site.referers) or (bool(site.sign_keys) and "sig=" in raw_query)


def admitted(request: Request, site: Site, variant: Variant, now: float) -> Asked:
    """What the URL, whose own words are `variant`, may ask for. Raises NoAnswer, BadParameter."""
    query = request.raw_query
    if site.dialect:
        fixed = bool(site.dialect_key) and not site.dialect_unsigned
    elif not query:
        fixed = False
    else:
        fixed = _is_signed(request, site, now)
        name = dict(parse_qsl(query)).get("preset") if site.presets else None
        if name is not None and not fixed:
            if name not in site.presets:
                raise BadParameter("preset", name, "one of " + ", ".join(site.presets))
            return Asked(site.presets[name], True)
    if variant.changes and site.named_only and not fixed:
        raise NoAnswer(reply.refusal(site, Detail.NOT_NAMED))
    return Asked(variant, fixed)


def _is_signed(request: Request, site: Site, now: float) -> bool:
    try:
        return bool(site.sign_keys) and is_signed(site.sign_keys, request.raw_path, request.raw_query, now)
    except BadSignature as bad:
        detail = Detail.BAD_SIGNATURE
        raise NoAnswer(reply.refusal(site, detail, said=str(bad))) from None
