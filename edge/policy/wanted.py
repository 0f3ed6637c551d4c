"""What a URL and its request's fields name at a site: a source and a variant of it, in our grammar or in a dialect.

The rule of this file: it is the one door through which a URL's words become a variant.
"""

from __future__ import annotations

from functools import lru_cache

from edge.policy.dialects import imgproxy, pict_rs, thumbor
from edge.policy.dialects.reading import Reading, Rules
from edge.policy.sites import Site
from edge.policy.variant import Variant, parse

_parsed = lru_cache(maxsize=4096)(parse)  # queries repeat; a bad one is not kept, and costs its sender the most


def read(site: Site, raw_path: str, raw_query: str, max_side: int) -> tuple[str, Variant] | None:
    """The source's name within the site and the variant of it; None where there can be no such object.

    raw_path: as Sites.match gave it. Raises BadParameter, BadSignature.
    """
    reading = _by_dialect(site, raw_path, raw_query, max_side) if site.dialect else None
    if reading is None and site.dialect:
        return None
    if reading is not None:
        path = site.source_path(reading.path)
        return None if path is None else (path, reading.variant)
    path = site.source_path(raw_path, raw_query)
    if path is None:
        return None
    return path, _parsed(raw_query, max_side) if site.behaviour.renders else Variant()


def _by_dialect(site: Site, raw_path: str, raw_query: str, max_side: int) -> Reading | None:
    match site.dialect:
        case "imgproxy":
            return imgproxy.read(raw_path, rules(site), max_side)
        case "thumbor":
            return thumbor.read(raw_path, rules(site), max_side)
        case _:
            return pict_rs.read(raw_path, raw_query, rules(site), max_side)


@lru_cache(maxsize=256)
def rules(site: Site) -> Rules:
    """What the dialect of a site goes by."""
    key, salt = site.dialect_key or "", site.dialect_salt or ""
    in_hex = site.dialect == "imgproxy"
    return Rules(
        key=bytes.fromhex(key) if in_hex else key.encode(),
        salt=bytes.fromhex(salt) if in_hex else b"",
        signature_size=site.dialect_signature,
        unsigned=site.dialect_unsigned,
        host=site.host,
        prefix=site.prefix,
        bucket=site.bucket,
        upstream=site.upstream,
    )
