"""Promises of wire/sigv4.py, with botocore as the oracle: what it signs verifies, and nothing else does."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from wire import sigv4
from wire.refusals import Refusal

ACCESS, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NOW = 1_790_000_000.0


def boto_signed(
    method: str, url: str, headers: dict[str, str], body: bytes = b"", region: str = "us-east-1"
) -> tuple[str, str, list[tuple[str, str]]]:
    """(raw path, raw query, headers) of a request that botocore signed now."""
    request = AWSRequest(method=method, url=url, data=body, headers=headers)
    S3SigV4Auth(Credentials(ACCESS, SECRET), "s3", region).add_auth(request)
    parts = urlsplit(url)
    sent = [(name, value) for name, value in request.headers.items()]
    if "Host" not in request.headers:
        sent.append(("Host", parts.netloc))
    return parts.path, parts.query, sent


def boto_presigned(
    method: str, url: str, expires: int = 600, region: str = "eu-west-1"
) -> tuple[str, str, list[tuple[str, str]]]:
    request = AWSRequest(method=method, url=url)
    S3SigV4QueryAuth(Credentials(ACCESS, SECRET), "s3", region, expires=expires).add_auth(request)
    parts = urlsplit(request.url)
    return parts.path, parts.query, [("Host", parts.netloc)]


def now() -> float:
    return datetime.now(UTC).timestamp()


def verified(
    method: str, path: str, query: str, headers: list[tuple[str, str]], *, at: float | None = None
) -> sigv4.Claim:
    claim = sigv4.read_claim(method, path, query, headers)
    assert claim is not None
    sigv4.verify(claim, SECRET, now=now() if at is None else at)
    return claim


def refused(method: str, path: str, query: str, headers: list[tuple[str, str]], *, at: float | None = None) -> str:
    with pytest.raises(Refusal) as caught:
        verified(method, path, query, headers, at=at)
    return caught.value.code


ODD_KEYS = [
    "a b",
    "ä/ö",
    "a+b",
    "a%b",
    "//x//",
    "../x",
    ".",
    "a~b",
    "a(b)",
    "'q'",
    "日本",
    "x=y&z",
    "a;b",
    "a:b",
    "a*b",
    "a!b",
]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_what_botocore_signs_is_accepted(key: str) -> None:
    url = f"http://127.0.0.1:9000/bucket/{quote(key, safe='/~')}?x-id=PutObject&prefix={quote(key, safe='~')}"
    path, query, headers = boto_signed("PUT", url, {"x-amz-acl": "private", "x-amz-meta-a": "  two   spaces "}, b"body")
    assert verified("PUT", path, query, headers).access_key == ACCESS


@pytest.mark.parametrize("region", ["us-east-1", "", "global", "fr-par"])
def test_any_region_name_is_accepted(region: str) -> None:
    path, query, headers = boto_signed("GET", "http://s3.example.com/b/k", {}, region=region)
    assert verified("GET", path, query, headers).scope.region == region


@pytest.mark.parametrize("key", ODD_KEYS)
def test_what_botocore_presigns_is_accepted(key: str) -> None:
    url = f"http://files.example.com:9000/bucket/{quote(key, safe='/~')}?response-content-type=text%2Fplain"
    path, query, headers = boto_presigned("GET", url)
    claim = verified("GET", path, query, headers)
    assert claim.presigned
    assert claim.payload == "UNSIGNED-PAYLOAD"


def test_a_signature_at_the_front_of_the_query_is_accepted() -> None:
    path, query, headers = boto_presigned("PUT", "http://h/b/k")
    pairs = query.split("&")
    pairs.sort(key=lambda pair: not pair.startswith("X-Amz-Signature"))
    verified("PUT", path, "&".join(pairs), headers)


def test_a_path_that_a_proxy_spelled_differently_is_the_same_path() -> None:
    _path, query, headers = boto_signed("GET", "http://h/b/a%28b%29%20c", {})
    assert verified("GET", "/b/a(b)%20c", query, headers)


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("method", lambda m, p, q, h: ("DELETE", p, q, h)),
        ("path", lambda m, p, q, h: (m, p + "x", q, h)),
        ("double slash", lambda m, p, q, h: (m, "/" + p, q, h)),
        ("query", lambda m, p, q, h: (m, p, q + "&acl", h)),
        ("host", lambda m, p, q, h: (m, p, q, [(n, "evil" if n == "Host" else v) for n, v in h])),
        ("header", lambda m, p, q, h: (m, p, q, [(n, "public-read" if n == "x-amz-acl" else v) for n, v in h])),
        ("body", lambda m, p, q, h: (m, p, q, [(n, "0" * 64 if n == "X-Amz-Content-SHA256" else v) for n, v in h])),
    ],
)
def test_a_request_changed_on_its_way_is_refused(part, change) -> None:
    path, query, headers = boto_signed("PUT", "http://h:1/b/k?a=1", {"x-amz-acl": "private"}, b"x")
    verified("PUT", path, query, headers)
    assert refused(*change("PUT", path, query, headers)) == "SignatureDoesNotMatch"


def test_an_unsigned_amz_header_is_refused() -> None:
    path, query, headers = boto_signed("PUT", "http://h/b/k", {})
    assert refused("PUT", path, query, [*headers, ("x-amz-acl", "public-read")]) == "AccessDenied"
    path, query, headers = boto_presigned("PUT", "http://h/b/k")
    assert refused("PUT", path, query, [*headers, ("x-amz-acl", "public-read")]) == "AccessDenied"


def test_a_wrong_secret_is_refused_with_what_was_signed() -> None:
    path, query, headers = boto_signed("GET", "http://h/b/k", {})
    claim = sigv4.read_claim("GET", path, query, headers)
    assert claim is not None
    with pytest.raises(Refusal) as caught:
        sigv4.verify(claim, "another secret", now=now())
    assert caught.value.code == "SignatureDoesNotMatch"
    assert caught.value.detail["CanonicalRequest"].startswith("GET\n/b/k\n")


@pytest.mark.parametrize("minutes", [-20, 20])
def test_a_clock_twenty_minutes_off_is_refused(minutes: int) -> None:
    path, query, headers = boto_signed("GET", "http://h/b/k", {})
    assert refused("GET", path, query, headers, at=now() + 60 * minutes) == "RequestTimeTooSkewed"
    verified("GET", path, query, headers, at=now() + 14 * 60)


def test_a_presigned_url_ends_when_it_says() -> None:
    path, query, headers = boto_presigned("GET", "http://h/b/k", expires=60)
    verified("GET", path, query, headers, at=now() + 50)
    with pytest.raises(Refusal, match="Request has expired") as caught:
        verified("GET", path, query, headers, at=now() + 70)
    assert caught.value.code == "AccessDenied"
    assert refused("GET", path, query, headers, at=now() - 1000) == "AccessDenied"


@pytest.mark.parametrize("expires", ["0x10", "-1", "604801", "99999999999", "", "1.5"])
def test_a_life_that_is_not_within_a_week_is_refused(expires: str) -> None:
    path, query, headers = boto_presigned("GET", "http://h/b/k", expires=60)
    changed = query.replace("X-Amz-Expires=60", f"X-Amz-Expires={expires}")
    assert refused("GET", path, changed, headers) == "AuthorizationQueryParametersError"


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("AWS AKID:signature", "InvalidRequest"),
        ("Basic dXNlcg==", "InvalidArgument"),
        ("", "AccessDenied"),
        ("AWS4-HMAC-SHA256", "AuthorizationHeaderMalformed"),
        ("AWS4-HMAC-SHA256 Credential=a/20260101/r/s3/aws4_request, Signature=x", "AuthorizationHeaderMalformed"),
        ("AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=x", "AuthorizationHeaderMalformed"),
        (
            "AWS4-HMAC-SHA256 Credential=a/20260921/r/ec2/aws4_request, SignedHeaders=host;x-amz-date, Signature=x",
            "AuthorizationHeaderMalformed",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/20000101/r/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=x",
            "AuthorizationHeaderMalformed",
        ),
    ],
)
def test_a_malformed_authorization_names_its_mistake(authorization: str, code: str) -> None:
    headers = [
        ("Host", "h"),
        ("x-amz-date", "20260921T000000Z"),
        ("x-amz-content-sha256", sigv4.EMPTY_SHA256),
        ("Authorization", authorization),
    ]
    assert refused("GET", "/", "", headers) == code


def test_two_kinds_of_authorization_at_once_are_refused() -> None:
    path, query, headers = boto_presigned("GET", "http://h/b/k")
    assert refused("GET", path, query, [*headers, ("Authorization", "x")]) == "InvalidArgument"


def test_a_request_without_signature_is_anonymous() -> None:
    assert sigv4.read_claim("GET", "/b/k", "x=1", [("Host", "h")]) is None


@given(
    key=st.text(max_size=40),
    value=st.text(max_size=20),
    meta=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20),
)
def test_what_we_sign_is_what_botocore_would_sign(key: str, value: str, meta: str) -> None:
    path = "/b/" + quote(key.encode("utf-8", "surrogatepass"), safe="/-_.~")
    query = "list-type=2&prefix=" + quote(value.encode("utf-8", "surrogatepass"), safe="-_.~")
    headers = [("Host", "h:9000"), ("x-amz-meta-a", meta)]
    ours = sigv4.sign_headers("GET", path, query, headers, access_key=ACCESS, secret=SECRET, now=NOW)
    signed = [*headers, *ours]
    verified("GET", path, query, signed, at=NOW)

    request = AWSRequest(method="GET", url=f"http://h:9000{path}?{query}", headers=dict([*headers, *ours[:2]]))
    request.context["timestamp"] = dict(ours)["x-amz-date"]
    auth = S3SigV4Auth(Credentials(ACCESS, SECRET), "s3", "us-east-1")
    canonical = auth.canonical_request(request)
    expected = auth.signature(auth.string_to_sign(request, canonical), request)
    assert dict(ours)["Authorization"].endswith(f"Signature={expected}")


def test_the_payload_that_is_signed_is_the_one_that_is_claimed() -> None:
    body = b"some bytes"
    path, query, headers = boto_signed("PUT", "http://h/b/k", {}, body)
    assert verified("PUT", path, query, headers).payload == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize(
    ("dates", "code"),
    [
        ([("Date", "Mon, 21 Sep 2026 14:13:20 GMT")], "SignatureDoesNotMatch"),
        ([("Date", "20260921T141320Z")], "SignatureDoesNotMatch"),
        ([("x-amz-date", "20260921T141320Z"), ("Date", "Thu, 01 Jan 1970 00:00:00 GMT")], "SignatureDoesNotMatch"),
        ([("x-amz-date", "yesterday")], "AccessDenied"),
        ([], "AccessDenied"),
    ],
)
def test_the_time_comes_from_amz_date_or_date(dates: list[tuple[str, str]], code: str) -> None:
    """A time that can be read and is now gets as far as the signature, which is wrong here."""
    names = ";".join(["host", "x-amz-content-sha256", *(name.lower() for name, _ in dates)])
    authorization = f"AWS4-HMAC-SHA256 Credential=a/20260921/r/s3/aws4_request, SignedHeaders={names}, Signature=x"
    headers = [("Host", "h"), ("x-amz-content-sha256", sigv4.EMPTY_SHA256), ("Authorization", authorization), *dates]
    assert refused("GET", "/", "", headers, at=NOW) == code
