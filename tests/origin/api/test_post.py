"""Promises about form uploads: what the policy says is what happens."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.origin.api.conftest import ACCESS, SECRET, Origin, Reply
from tests.wire.test_forms import BOUNDARY, form
from wire import sigv2, sigv4

TYPE = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY.decode()}"}


def policy(bucket: str, *conditions: Any, seconds: int = 600, **changes: Any) -> dict[str, Any]:
    ends = datetime.now(UTC) + timedelta(seconds=seconds)
    return {
        "expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "conditions": [{"bucket": bucket}, ["starts-with", "$key", "k"], *conditions],
        **changes,
    }


def signed(document: Any, version: int = 4, secret: str = SECRET) -> dict[str, str]:
    text = base64.b64encode(document if isinstance(document, bytes) else json.dumps(document).encode()).decode()
    if version == 2:
        return {"AWSAccessKeyId": ACCESS, "policy": text, "signature": sigv2.sign(secret, text)}
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = sigv4.Scope(stamp[:8], "us-east-1", "s3")
    if isinstance(document, dict) and isinstance(document.get("conditions"), list):
        extra = [["starts-with", f"$x-amz-{name}", ""] for name in ("algorithm", "credential", "date")]
        document = {**document, "conditions": document["conditions"] + extra}
        text = base64.b64encode(json.dumps(document).encode()).decode()
    return {
        "policy": text,
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": f"{ACCESS}/{scope}",
        "x-amz-date": stamp,
        "x-amz-signature": sigv4._hmac(sigv4.signing_key(secret, scope), text).hex(),
    }


def post(origin: Origin, bucket: str, fields: dict[str, str], file: bytes = b"the file", name: str = "a.txt") -> Reply:
    return origin.ask("POST", f"/{bucket}", TYPE, form(fields, file, name), signed=False)


@pytest.mark.parametrize("version", [2, 4])
def test_a_signed_form_stores_its_file(origin: Origin, s3: Any, bucket: str, version: int) -> None:
    document = policy(
        bucket, {"acl": "public-read"}, ["starts-with", "$Content-Type", "text/"], ["eq", "$x-amz-meta-a", "1"]
    )
    fields = {"key": "k/${filename}", "acl": "public-read", "Content-Type": "text/x", "x-amz-meta-a": "1"}
    reply = post(origin, bucket, {**fields, **signed(document, version)})
    assert (reply.status, reply.body) == (204, b"")
    assert reply.headers["location"] == f"{origin.url}/{bucket}/k/a.txt"
    got = s3.get_object(Bucket=bucket, Key="k/a.txt")
    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (b"the file", "text/x", {"a": "1"})
    assert origin.ask("GET", f"/{bucket}/k/a.txt", signed=False).status == 200


def test_boto3_makes_forms_that_work(origin: Origin, s3: Any, bucket: str) -> None:
    made = s3.generate_presigned_post(bucket, "k", Conditions=[["content-length-range", 1, 100]])
    assert urlsplit(made["url"]).path == f"/{bucket}"
    assert post(origin, bucket, made["fields"]).status == 204
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"the file"


@pytest.mark.parametrize(
    ("document", "status", "code"),
    [
        (lambda b: policy(b, seconds=-10), 403, "AccessDenied"),
        (lambda b: policy("other"), 403, "AccessDenied"),
        (lambda b: policy(b, {"acl": "private"}), 403, "AccessDenied"),
        (lambda b: policy(b, ["eq", "$x-amz-meta-a", "1"]), 403, "AccessDenied"),
        (lambda b: policy(b, ["content-length-range", 0, 3]), 400, "EntityTooLarge"),
        (lambda b: policy(b, ["content-length-range", 100, 200]), 400, "EntityTooSmall"),
        (lambda b: policy(b, ["content-length-range", -1, 200]), 400, "InvalidPolicyDocument"),
        (lambda b: policy(b, ["content-length-range", 1]), 400, "InvalidPolicyDocument"),
        (lambda b: policy(b, {}), 400, "InvalidPolicyDocument"),
        (lambda b: policy(b, ["like", "$key", "k"]), 400, "InvalidPolicyDocument"),
        (lambda b: policy(b, expiration="tomorrow"), 400, "InvalidPolicyDocument"),
        (lambda b: {"CONDITIONS": [], "expiration": "2100-01-01T00:00:00Z"}, 400, "InvalidPolicyDocument"),
        (lambda b: {"conditions": []}, 400, "InvalidPolicyDocument"),
        (lambda b: b"no json", 400, "InvalidPolicyDocument"),
    ],
)
def test_a_form_against_its_policy_stores_nothing(
    origin: Origin, s3: Any, bucket: str, document: Any, status: int, code: str
) -> None:
    reply = post(origin, bucket, {"key": "k", **signed(document(bucket))})
    assert (reply.status, reply.code) == (status, code)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"key": "k", "extra": "1"}, 403, "AccessDenied"),
        ({"key": "other"}, 403, "AccessDenied"),
        ({}, 400, "InvalidArgument"),
    ],
)
def test_fields_no_condition_allows_are_refused(
    origin: Origin, bucket: str, fields: dict[str, str], status: int, code: str
) -> None:
    reply = post(origin, bucket, {**fields, **signed(policy(bucket))})
    assert (reply.status, reply.code) == (status, code)


def test_names_have_no_case_and_ignored_fields_are(origin: Origin, bucket: str) -> None:
    document = policy(bucket, conditions=[{"bUcKeT": bucket}, ["StArTs-WiTh", "$KeY", "k"], {"AcL": "private"}])
    assert post(origin, bucket, {"kEy": "k", "aCl": "private", "x-ignore-a": "1", **signed(document)}).status == 204


def test_a_form_with_a_wrong_signature_is_refused(origin: Origin, bucket: str) -> None:
    for version in (2, 4):
        reply = post(origin, bucket, {"key": "k", **signed(policy(bucket), version, secret="wrong")})
        assert (reply.status, reply.code) == (403, "SignatureDoesNotMatch")
    fields = {**signed(policy(bucket), 2), "AWSAccessKeyId": "NOBODY"}
    assert post(origin, bucket, {"key": "k", **fields}).code == "InvalidAccessKeyId"
    del fields["signature"]
    assert post(origin, bucket, {"key": "k", **fields}).code == "InvalidArgument"


@pytest.mark.parametrize(
    ("name", "value"),
    [("x-amz-meta-a", "x\r\ny"), ("x-amz-meta-a b", "x"), ("Cache-Control", "a\nb"), ("Content-Type", "a/b\x01")],
)
def test_a_field_that_no_header_could_hold_stores_nothing(
    origin: Origin, s3: Any, bucket: str, name: str, value: str
) -> None:
    reply = post(origin, bucket, {"key": "k", name: value, **signed(policy(bucket, ["starts-with", f"${name}", ""]))})
    assert (reply.status, reply.code) == (400, "InvalidArgument")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_an_anonymous_form_needs_an_open_bucket(origin: Origin, bucket: str) -> None:
    assert post(origin, bucket, {"key": "k"}).code == "AccessDenied"


def test_the_answer_is_the_one_that_was_asked_for(origin: Origin, bucket: str) -> None:
    for asked, status in (("200", 200), ("201", 201), ("404", 204)):
        document = policy(bucket, {"success_action_status": asked})
        reply = post(origin, bucket, {"key": "k", "success_action_status": asked, **signed(document)})
        assert reply.status == status
        assert (b"<PostResponse><Location>" in reply.body) is (status == 201)
    document = policy(bucket, ["starts-with", "$success_action_redirect", "http"])
    fields = {"key": "k", "success_action_redirect": "http://x.test/done?a=1", **signed(document)}
    reply = post(origin, bucket, fields)
    query = parse_qs(urlsplit(reply.headers["location"]).query)
    assert (reply.status, query["a"], query["bucket"], query["key"]) == (303, ["1"], [bucket], ["k"])


def test_a_checksum_in_the_form_is_checked(origin: Origin, bucket: str) -> None:
    for value, status in (("AAAAAA==", 400), ("MuIZnQ==", 400)):
        document = policy(bucket, {"x-amz-checksum-crc32": value})
        assert post(origin, bucket, {"key": "k", "x-amz-checksum-crc32": value, **signed(document)}).status == status


def test_a_post_that_is_no_form_is_refused(origin: Origin, bucket: str) -> None:
    reply = origin.ask("POST", f"/{bucket}", {"Content-Type": "text/plain"}, b"x", signed=False)
    assert (reply.status, reply.code) == (412, "PreconditionFailed")
    no_file = b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n--' + BOUNDARY + b"--\r\n"
    assert origin.ask("POST", f"/{bucket}", TYPE, no_file, signed=False).code == "InvalidArgument"
