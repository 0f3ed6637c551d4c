"""AWS Signature Version 4 as S3 uses it: verifying a claim, signing a request, the signatures of a streamed body.

The rule of this file: the request is taken as it was sent. The path is signed once encoded and never normalised
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html, "S3"), the query is
canonicalised from its raw text, the host is the Host header that came. Times are seconds since 1970.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

from wire.canonical import Headers, canonical_query, header_block, joined_fields, split_query
from wire.claims import ALGORITHM, UNSIGNED_PAYLOAD, Claim, Scope, read_claim
from wire.refusals import Refusal

__all__ = [
    "EMPTY_SHA256",
    "UNSIGNED_PAYLOAD",
    "Claim",
    "Scope",
    "SignatureChain",
    "read_claim",
    "sign_headers",
    "signing_key",
    "verify",
]

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


@dataclass(slots=True)
class SignatureChain:
    """The chunk signatures that follow a verified seed signature.

    https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and …/sigv4-streaming-trailers.html
    """

    timestamp: str
    scope: Scope
    key: bytes = field(repr=False)
    previous: str

    def chunk(self, digest: str) -> str:
        """The signature of the next chunk, whose data has this SHA-256 (hex)."""
        return self._next(f"{ALGORITHM}-PAYLOAD", f"{EMPTY_SHA256}\n{digest}")

    def trailer(self, digest: str) -> str:
        """The signature of the trailer, whose canonical text has this SHA-256 (hex)."""
        return self._next(f"{ALGORITHM}-TRAILER", digest)

    def _next(self, kind: str, last: str) -> str:
        text = f"{kind}\n{self.timestamp}\n{self.scope}\n{self.previous}\n{last}"
        self.previous = _hmac(self.key, text).hex()
        return self.previous


def verify(claim: Claim, secret: str, *, now: float, skew: float = 900) -> SignatureChain:
    """Check the claim against the key's secret and the clock; the answer verifies the chunks of a signed stream.

    Raises Refusal: RequestTimeTooSkewed, AccessDenied (expired or not yet valid), SignatureDoesNotMatch.
    """
    _check_time(claim, now, skew)
    key = signing_key(secret, claim.scope)
    for path in claim.paths:
        expected = _hmac(key, _string_to_sign(claim.timestamp, claim.scope, claim.canonical_request(path))).hex()
        if hmac.compare_digest(expected.encode(), claim.signature.encode()):
            return SignatureChain(claim.timestamp, claim.scope, key, claim.signature)
    canonical = claim.canonical_request(claim.paths[0])
    raise Refusal(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method.",
        AWSAccessKeyId=claim.access_key,
        StringToSign=_string_to_sign(claim.timestamp, claim.scope, canonical),
        SignatureProvided=claim.signature,
        CanonicalRequest=canonical,
    )


def sign_headers(
    method: str,
    raw_path: str,
    raw_query: str,
    headers: Headers,
    *,
    access_key: str,
    secret: str,
    now: float,
    payload: str = EMPTY_SHA256,
    region: str = "us-east-1",
    service: str = "s3",
) -> list[tuple[str, str]]:
    """The headers to add to a request so that it is signed: Authorization, x-amz-date, x-amz-content-sha256.

    `headers` must hold Host; all of them are signed. `raw_path` and `raw_query` are exactly what will be sent.
    `payload` is the body's SHA-256 in hex or UNSIGNED-PAYLOAD.
    """
    timestamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = Scope(timestamp[:8], region, service)
    added = [("x-amz-date", timestamp), ("x-amz-content-sha256", payload)]
    fields = joined_fields([*headers, *added])
    names = sorted(fields)
    canonical = "\n".join(
        (
            method,
            raw_path,
            canonical_query(split_query(raw_query)),
            header_block(fields, names),
            ";".join(names),
            payload,
        )
    )
    signature = _hmac(signing_key(secret, scope), _string_to_sign(timestamp, scope, canonical)).hex()
    authorization = (
        f"{ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    return [*added, ("Authorization", authorization)]


@lru_cache(maxsize=4096)
def signing_key(secret: str, scope: Scope) -> bytes:
    """The key derived for a scope; cached, since every request of a client shares its day's key."""
    key = _hmac(f"AWS4{secret}".encode(), scope.date)
    for part in (scope.region, scope.service, "aws4_request"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode("utf-8", "surrogateescape"), "sha256")


def _string_to_sign(timestamp: str, scope: Scope, canonical: str) -> str:
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{ALGORITHM}\n{timestamp}\n{scope}\n{digest}"


def _check_time(claim: Claim, now: float, skew: float) -> None:
    if claim.expires is None:
        if abs(now - claim.time) > skew:
            raise Refusal(
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.",
                RequestTime=claim.timestamp,
                ServerTime=_written(now),
                MaxAllowedSkewMilliseconds=str(int(skew * 1000)),
            )
    elif claim.time - now > skew:
        raise Refusal("AccessDenied", "Request is not valid yet", ServerTime=_written(now))
    elif now > claim.time + claim.expires:
        ended = _written(claim.time + claim.expires)
        raise Refusal(
            "AccessDenied",
            "Request has expired",
            **{"X-Amz-Expires": str(claim.expires), "Expires": ended, "ServerTime": _written(now)},
        )


def _written(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
