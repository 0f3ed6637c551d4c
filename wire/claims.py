"""What a request says about who signed it: reading AWS Signature Version 4 from a header or a presigned query.

The rule of this file: a claim is well formed and believed by nobody yet; what is malformed is refused with the
words AWS uses. https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from wire.canonical import Headers, Pairs, canonical_query, header_block, joined_fields, spellings, split_query
from wire.dates import parse_http_date
from wire.refusals import Refusal

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
MAX_EXPIRES = 604_800

_PRESIGNED = tuple(
    f"X-Amz-{name}" for name in ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")
)
_SIGNS = frozenset({"X-Amz-Algorithm", "X-Amz-Signature", "Signature"})
_SHA256 = re.compile(r"[0-9a-f]{64}")
_BASIC_TIME = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z")
_HEADER_FIELDS = re.compile(r"\s*(Credential|SignedHeaders|Signature)\s*=\s*([^,\s]*)\s*")


@dataclass(frozen=True, slots=True)
class Scope:
    """The scope of a credential: AWS's `date/region/service/aws4_request`."""

    date: str
    region: str
    service: str

    def __str__(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


class Claim(msgspec.Struct, frozen=True):
    """What a request says about who signed it, well formed but not yet verified.

    `payload` is the value that stands for the body: a SHA-256 in hex, UNSIGNED-PAYLOAD or a STREAMING-… word.
    `expires` is the life of a presigned URL in seconds, None for a signed header.
    `paths` are the spellings of the path that the signature may stand for, the one sent first.
    """

    access_key: str
    scope: Scope
    timestamp: str
    time: int
    signature: str
    payload: str
    expires: int | None
    method: str
    paths: tuple[str, ...]
    query: str
    header_block: str
    signed_headers: str

    @property
    def presigned(self) -> bool:
        """Whether the signature came in the query."""
        return self.expires is not None

    def canonical_request(self, path: str) -> str:
        """The canonical request for one spelling of the path."""
        return "\n".join((self.method, path, self.query, self.header_block, self.signed_headers, self.payload))


def read_claim(method: str, raw_path: str, raw_query: str, headers: Headers) -> Claim | None:
    """The claim of a request, or None if it is anonymous.

    `raw_path` and `raw_query` are the target's two halves as sent, `headers` every header line in order.
    Raises Refusal for a claim that is malformed or is not version 4.
    """
    fields = joined_fields(headers)
    query = split_query(raw_query)
    authorization = fields.get("authorization")
    in_query = not _SIGNS.isdisjoint([name for name, _ in query])
    if authorization is not None and in_query:
        raise Refusal(
            "InvalidArgument",
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
            "parameter or the Authorization header should be specified",
        )
    if authorization is not None:
        return _header_claim(authorization, method, raw_path, query, fields)
    if in_query:
        return _presigned_claim(method, raw_path, query, fields)
    return None


def _header_claim(authorization: str, method: str, raw_path: str, query: Pairs, fields: dict[str, str]) -> Claim:
    scheme, _, rest = authorization.partition(" ")
    if scheme != ALGORITHM:
        raise unsupported(scheme)
    matches = [_HEADER_FIELDS.fullmatch(piece) for piece in rest.split(",")]
    given = {match[1]: match[2] for match in matches if match}
    for name in ("Credential", "SignedHeaders", "Signature"):
        if not given.get(name):
            raise _malformed(
                f"the authorization header requires Credential, SignedHeaders, and Signature; {name} is missing."
            )
    payload = fields.get("x-amz-content-sha256")
    if payload is None:
        raise Refusal("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
    _check_payload(payload)
    timestamp, time = _header_time(fields)
    access_key, scope = credential(given["Credential"], timestamp, _malformed)
    names = _signed_names(given["SignedHeaders"], fields, exempt=())
    return Claim(
        access_key, scope, timestamp, time, given["Signature"], payload, None, method, spellings(raw_path),
        canonical_query(query), header_block(fields, names), ";".join(names),
    )  # fmt: skip


def _presigned_claim(method: str, raw_path: str, query: Pairs, fields: dict[str, str]) -> Claim:
    given = dict(query)
    if "X-Amz-Algorithm" not in given and "Signature" in given:
        raise unsupported("AWS")
    if any(not given.get(name) for name in _PRESIGNED):
        raise _bad_query(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
            "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
        )
    if given["X-Amz-Algorithm"] != ALGORITHM:
        raise _bad_query(f'X-Amz-Algorithm only supports "{ALGORITHM}"')
    expires = given["X-Amz-Expires"]
    if not (expires.isascii() and expires.isdigit()):
        raise _bad_query("X-Amz-Expires should be a non-negative number")
    if len(expires) > 9 or int(expires) > MAX_EXPIRES:
        raise _bad_query(f"X-Amz-Expires must be less than a week (in seconds) that is {MAX_EXPIRES}")
    timestamp = given["X-Amz-Date"]
    time = basic_time(timestamp)
    if time is None:
        raise _bad_query("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    access_key, scope = credential(given["X-Amz-Credential"], timestamp, _bad_query)
    payload = given.get("X-Amz-Content-Sha256") or fields.get("x-amz-content-sha256") or UNSIGNED_PAYLOAD
    _check_payload(payload)
    names = _signed_names(given["X-Amz-SignedHeaders"], fields, exempt=("x-amz-content-sha256",))
    return Claim(
        access_key, scope, timestamp, time, given["X-Amz-Signature"], payload, int(expires), method,
        spellings(raw_path), canonical_query(query), header_block(fields, names), ";".join(names),
    )  # fmt: skip


def credential(value: str, timestamp: str, refuse: Callable[[str], Refusal]) -> tuple[str, Scope]:
    """The access key and scope of a credential; an access key may itself hold slashes, the region may be empty."""
    parts = value.rsplit("/", 4)
    if len(parts) != 5 or not parts[0]:
        raise refuse('the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".')
    access_key, date, region, service, terminator = parts
    if terminator != "aws4_request":
        raise refuse(f'incorrect terminal "{terminator}". This endpoint uses "aws4_request".')
    if service != "s3":
        raise refuse(f'incorrect service "{service}". This endpoint belongs to "s3".')
    if date != timestamp[:8]:
        raise refuse(f'Invalid credential date "{date}". This date is not the same as X-Amz-Date: "{timestamp[:8]}".')
    return access_key, Scope(date, region, service)


def _signed_names(value: str, fields: dict[str, str], exempt: tuple[str, ...]) -> list[str]:
    """The names of the signed headers; every one must be there, and Host and all x-amz-* must be among them."""
    names = value.lower().split(";")
    signed = set(names)
    missing = [name for name in names if name not in fields]
    if missing:
        raise Refusal(
            "AccessDenied", "There were signed headers that are not in the request", HeadersMissing=", ".join(missing)
        )
    unsigned = [
        name
        for name in fields
        if name not in signed and (name == "host" or name.startswith("x-amz-")) and name not in exempt
    ]
    if unsigned or "host" not in signed:
        raise Refusal(
            "AccessDenied",
            "There were headers present in the request which were not signed",
            HeadersNotSigned=", ".join(unsigned or ["host"]),
        )
    return names


def _check_payload(payload: str) -> None:
    if payload != UNSIGNED_PAYLOAD and not payload.startswith("STREAMING-") and not _SHA256.fullmatch(payload):
        raise Refusal(
            "InvalidArgument",
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, "
            "or a valid sha256 value.",
            ArgumentName="x-amz-content-sha256",
            ArgumentValue=payload,
        )


def _header_time(fields: dict[str, str]) -> tuple[str, int]:
    """The request's time from x-amz-date, else Date, as (basic ISO 8601, seconds)."""
    given = fields.get("x-amz-date") or fields.get("date", "")
    time = basic_time(given)
    if time is not None and time >= 0:
        return given, time
    time = parse_http_date(given) if given else None
    if time is None or time < 0:
        raise Refusal("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")
    return datetime.fromtimestamp(time, UTC).strftime("%Y%m%dT%H%M%SZ"), time


def basic_time(value: str) -> int | None:
    """Seconds since 1970 of a time such as 20261120T100000Z, None for any other text."""
    found = _BASIC_TIME.fullmatch(value)
    if found is None:
        return None
    try:
        return int(datetime(*(int(digits) for digits in found.groups()), tzinfo=UTC).timestamp())  # type: ignore[misc,arg-type]
    except ValueError:
        return None


def _malformed(message: str) -> Refusal:
    return Refusal("AuthorizationHeaderMalformed", f"The authorization header is malformed; {message}")


def _bad_query(message: str) -> Refusal:
    return Refusal("AuthorizationQueryParametersError", message)


def unsupported(scheme: str) -> Refusal:
    """The refusal of another way of signing."""
    if scheme == "AWS":
        return Refusal(
            "InvalidRequest",
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
        )
    if not scheme:
        return Refusal("AccessDenied", "The Authorization header is empty")
    return Refusal("InvalidArgument", "Unsupported Authorization Type", ArgumentName="Authorization")
