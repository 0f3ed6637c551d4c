"""AWS Signature Version 2 as S3 uses it: HMAC-SHA1 over a few lines of the request, in a header or in the query.

The rule of this file: version 2 covers no body and no plain header but Content-MD5, Content-Type and Date, so it says
who asks and little of what; clients still use it (boto3's presigned URLs without a region, s3cmd signurl, Nextcloud's
legacy mode). https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from wire.canonical import Headers, first_values, spellings, split_query
from wire.claims import UNSIGNED_PAYLOAD, basic_time
from wire.dates import http_date, parse_http_date
from wire.refusals import Refusal

SCHEME = "AWS"

# The parameters that are part of what is signed. Clients differ in the newer ones, so both readings are tried.
_DOCUMENTED = frozenset(
    {
        "acl", "delete", "lifecycle", "location", "logging", "notification", "partNumber", "policy", "requestPayment",
        "torrent", "uploadId", "uploads", "versionId", "versioning", "versions", "website", "response-content-type",
        "response-content-language", "response-expires", "response-cache-control", "response-content-disposition",
        "response-content-encoding",
    }
)  # fmt: skip
_LATER = _DOCUMENTED | {
    "accelerate", "analytics", "cors", "encryption", "inventory", "metrics", "object-lock", "replication", "restore",
    "select", "select-type", "storageClass", "tagging", "legal-hold", "retention", "publicAccessBlock",
}  # fmt: skip
_ZERO_OFFSET = re.compile(r" (?:[+-]0000|UTC)$")
_PLAIN = ("content-md5", "content-type")


@dataclass(frozen=True, slots=True)
class Claim:
    """What a version 2 request says about who signed it; believed by nobody yet.

    `texts` are the strings that the signature may stand for. `time` is the signed date, `expires` the end of a
    presigned URL, both in seconds since 1970; one of them is None.
    """

    access_key: str
    signature: str
    payload: str
    time: int | None
    expires: int | None
    texts: tuple[str, ...]

    @property
    def presigned(self) -> bool:
        """Whether the signature came in the query."""
        return self.expires is not None


def read_claim(method: str, raw_path: str, raw_query: str, headers: Headers, *, bucket: str | None) -> Claim | None:
    """The version 2 claim of a request, None where it makes none.

    `bucket` is the one the Host header names, None in path style. Raises Refusal for a claim that is malformed.
    """
    authorization = ",".join(value.strip() for name, value in headers if name.lower() == "authorization")
    if authorization.partition(" ")[0] == SCHEME:
        return _header_claim(authorization, method, raw_path, raw_query, _fields(headers), bucket)
    if not raw_query or authorization:
        return None
    names = {name for name, _ in split_query(raw_query)}
    if "Signature" in names and "X-Amz-Algorithm" not in names:
        return _presigned_claim(method, raw_path, raw_query, _fields(headers), bucket)
    return None


def _fields(headers: Headers) -> dict[str, str]:
    """Header values by lower-case name, repeated lines joined by commas; spaces inside stay as they are."""
    found: dict[str, str] = {}
    for name, value in headers:
        name = name.lower()
        found[name] = f"{found[name]},{value.strip()}" if name in found else value.strip()
    return found


def verify(claim: Claim, secret: str, *, now: float, skew: float = 900) -> None:
    """Check the claim against the key's secret and the clock.

    Raises Refusal: RequestTimeTooSkewed, AccessDenied (expired), SignatureDoesNotMatch.
    """
    if claim.time is not None and abs(now - claim.time) > skew:
        raise Refusal(
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
            RequestTime=http_date(claim.time),
            ServerTime=http_date(now),
            MaxAllowedSkewMilliseconds=str(int(skew * 1000)),
        )
    if claim.expires is not None and now > claim.expires:
        raise Refusal("AccessDenied", "Request has expired", Expires=str(claim.expires), ServerTime=http_date(now))
    if not any(hmac.compare_digest(sign(secret, text).encode(), claim.signature.encode()) for text in claim.texts):
        raise Refusal(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method.",
            AWSAccessKeyId=claim.access_key,
            StringToSign=claim.texts[0],
            SignatureProvided=claim.signature,
        )


def sign(secret: str, text: str) -> str:
    """The signature of a text: HMAC-SHA1, in base64."""
    digest = hmac.digest(secret.encode(), text.encode("utf-8", "surrogateescape"), hashlib.sha1)
    return base64.b64encode(digest).decode()


def _header_claim(
    authorization: str, method: str, raw_path: str, raw_query: str, fields: dict[str, str], bucket: str | None
) -> Claim:
    access_key, colon, signature = authorization.partition(" ")[2].strip().rpartition(":")
    if not colon or not access_key or not signature:
        raise Refusal(
            "InvalidArgument", "AWS authorization header is invalid. Expected AwsAccessKeyId:signature",
            ArgumentName="Authorization", ArgumentValue=authorization,
        )  # fmt: skip
    given = fields.get("x-amz-date") or fields.get("date", "")
    # RFC 5322 dates name the zone in numbers.
    time = parse_http_date(_ZERO_OFFSET.sub(" GMT", given)) or basic_time(given)
    if time is None or time < 0:
        raise Refusal("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
    date = "" if "x-amz-date" in fields else given
    texts = _texts(method, date, raw_path, raw_query, fields, bucket)
    payload = fields.get("x-amz-content-sha256", UNSIGNED_PAYLOAD)
    return Claim(access_key, signature, payload, time, None, texts)


def _presigned_claim(method: str, raw_path: str, raw_query: str, fields: dict[str, str], bucket: str | None) -> Claim:
    query = first_values(raw_query)
    access_key, expires = query.get("AWSAccessKeyId", ""), query.get("Expires", "")
    if not access_key or not (expires.isascii() and expires.isdigit() and len(expires) <= 12):
        raise Refusal(
            "AccessDenied",
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters",
        )
    hoisted = {
        name.lower(): value
        for name, value in query.items()
        if name.lower().startswith("x-amz-") or name.lower() in _PLAIN
    }
    texts = _texts(method, expires, raw_path, raw_query, {**fields, **hoisted}, bucket)
    # An unescaped "+" of the base64 was read as a space.
    signature = query["Signature"].replace(" ", "+")
    return Claim(access_key, signature, UNSIGNED_PAYLOAD, None, int(expires), texts)


def _texts(
    method: str, date: str, raw_path: str, raw_query: str, fields: Mapping[str, str], bucket: str | None
) -> tuple[str, ...]:
    """The strings to sign: for each spelling of the path, with each list of parameters."""
    plain = "\n".join(fields.get(name, "") for name in _PLAIN)
    own = "".join(f"{name}:{fields[name]}\n" for name in sorted(fields) if name.startswith("x-amz-"))
    head = f"{method}\n{plain}\n{date}\n{own}" + ("" if bucket is None else f"/{bucket}")
    found = [
        f"{head}{path}{_parameters(raw_query, names)}" for path in _paths(raw_path) for names in (_LATER, _DOCUMENTED)
    ]
    return tuple(dict.fromkeys(found))


def _paths(raw_path: str) -> tuple[str, ...]:
    """The spellings of the path; boto3 signs a bucket's with a slash at its end, which it does not send."""
    found = spellings(raw_path)
    return found if "/" in raw_path[1:] else (*found, *(f"{path}/" for path in found))


def _parameters(raw_query: str, names: frozenset[str]) -> str:
    """The signed parameters, by name, with decoded values; an "=" is there where it was sent."""
    pieces = [piece.partition("=") for piece in raw_query.split("&")]
    signed = sorted((name, equals, unquote(value)) for name, equals, value in pieces if name in names)
    return "?" + "&".join(map("".join, signed)) if signed else ""
