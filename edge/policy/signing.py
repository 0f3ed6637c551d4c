"""Signed variant URLs: who has a site's key may ask for any variant, for as long as he says.

    sig = the first 32 hex digits of HMAC-SHA256(key, PATH?QUERY)

The rule of this file: PATH is as in the URL, raw, and QUERY all that stands before `&sig=`, which comes last; `exp=`,
in seconds since 1970, is a part of it. Any of a site's keys will do, so that keys can be changed one after another.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Final

DIGITS: Final = 32
_EXPIRY: Final = re.compile(r"(?:^|&)exp=([0-9]{1,12})(?:&|$)")


class BadSignature(ValueError):
    """A signature that is not one of the site's keys, or is over."""


def signature(key: str, raw_path: str, raw_query: str) -> str:
    """The `sig` of a path and the query before it."""
    text = f"{raw_path}?{raw_query}".encode("utf-8", "surrogateescape")
    return hmac.new(key.encode(), text, hashlib.sha256).hexdigest()[:DIGITS]


def is_signed(keys: Iterable[str], raw_path: str, raw_query: str, now: float) -> bool:
    """Whether a URL has a signature; False where it has none. Raises BadSignature for one that does not hold."""
    signed, mark, given = raw_query.rpartition("sig=")
    if not mark or (signed and not signed.endswith("&")):
        return False
    query = signed.removesuffix("&")
    said = given.encode("utf-8", "surrogateescape")
    if not any(hmac.compare_digest(signature(key, raw_path, query).encode(), said) for key in keys):
        raise BadSignature("the signature is not of one of the site's keys, or the URL was changed")
    expiry = _EXPIRY.search(query)
    if expiry is not None and int(expiry[1]) < now:
        raise BadSignature("the signed URL is over (exp)")
    return True
