"""Who asks: from a request's signature to a Caller.

The rule of this file: nobody is believed before their signature is verified. A request without a signature is
anonymous; a request with a wrong one is refused, never treated as anonymous.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

import msgspec
from msgspec.structs import replace

from origin.service.keys import Keys
from origin.service.model import Caller, Key, Permission
from wire import sigv2, sigv4
from wire.checksums import for_header
from wire.refusals import Refusal

ACCESS_HEADER = "x-facet-access"
"""With the value "key", an edge key is answered with its own rights instead of anonymous ones."""

_HOISTED = re.compile(
    r"x-amz-(?!(?:algorithm|credential|date|expires|signedheaders|signature|content-sha256|security-token)$)"
    r"[a-z0-9-]+|content-type|content-length|content-md5"
)


class Identity(msgspec.Struct, frozen=True):
    """A verified request: who sent it, what stands for its body, and what verifies the chunks of a signed stream."""

    caller: Caller
    payload: str
    signed: bool = False
    presigned: bool = False
    made: float | None = None
    """When it was signed, in seconds since 1970, where the signature says."""
    chain: sigv4.SignatureChain | None = None


Claim = sigv4.Claim | sigv2.Claim


async def authenticate(
    claim: Claim | None,
    headers: Mapping[str, str],
    stranger: Caller,
    keys: Keys,
    *,
    now: float,
    skew: float,
) -> Identity:
    """Verify a claim (None is anonymous) with the key it names. `stranger` is the caller before that.

    Raises Refusal: InvalidAccessKeyId, and all that `sigv4.verify` and `sigv2.verify` raise.
    """
    if claim is None:
        payload = headers.get("x-amz-content-sha256", sigv4.UNSIGNED_PAYLOAD)
        return Identity(stranger, payload)
    key, secret = await known_key(keys, claim.access_key)
    chain = None
    if isinstance(claim, sigv4.Claim):
        chain = sigv4.verify(claim, secret, now=now, skew=skew)
    else:
        sigv2.verify(claim, secret, now=now, skew=skew)
    anonymous_view = Permission.EDGE in key.permissions and headers.get(ACCESS_HEADER) != "key"
    caller = replace(stranger, key=key, anonymous_view=anonymous_view)
    return Identity(caller, claim.payload, True, claim.presigned, claim.time, chain)


async def known_key(keys: Keys, access_key: str) -> tuple[Key, str]:
    """The key and its secret. Raises Refusal (InvalidAccessKeyId)."""
    found = await keys.secret(access_key)
    if found is None:
        raise Refusal(
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
            AWSAccessKeyId=access_key,
        )
    return found


def hoisted(query: Mapping[str, str]) -> dict[str, str]:
    """The headers that a presigned URL carries in its query, by lower-case name.

    SDKs hoist x-amz-* headers there, ejabberd Content-Type and Content-Length too; the signature covers the query.
    A checksum of nothing is left out: the JS SDK computes it before there is a body.
    """
    found: dict[str, str] = {}
    for name, value in query.items():
        lower = _hoisted_name(name)
        if lower is not None and not _is_empty_checksum(lower, value):
            found[lower] = value
    return found


@lru_cache(maxsize=256)
def _hoisted_name(name: str) -> str | None:
    lower = name.lower()
    return lower if _HOISTED.fullmatch(lower) else None


def _is_empty_checksum(name: str, value: str) -> bool:
    algorithm = for_header(name)
    return algorithm is not None and value == algorithm.of(b"")
