"""Promises about what buckets are set to: cross-origin rules, default encryption; and owners from settings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.origin.api.conftest import Origin, running
from tests.origin.api.test_access import refused
from tests.origin.api.test_uploads import code_of

RULES = [
    {
        "ID": "browsers",
        "AllowedMethods": ["GET", "PUT"],
        "AllowedOrigins": ["https://*.x.test"],
        "AllowedHeaders": ["x-amz-*", "Content-Type"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": 3000,
    },
    {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]},
]


def test_cross_origin_rules_are_kept_and_forgotten(s3: Any, bucket: str) -> None:
    assert refused(lambda: s3.get_bucket_cors(Bucket=bucket)) == "NoSuchCORSConfiguration"
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": RULES})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == RULES
    s3.delete_bucket_cors(Bucket=bucket)
    assert refused(lambda: s3.get_bucket_cors(Bucket=bucket)) == "NoSuchCORSConfiguration"


def preflight(origin: Origin, target: str, **headers: str) -> Any:
    lines = {name.replace("_", "-"): value for name, value in headers.items()}
    return origin.ask("OPTIONS", target, lines, signed=False)


def test_a_preflight_is_answered_by_the_first_rule_that_fits(origin: Origin, s3: Any, bucket: str) -> None:
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": RULES})
    asked = {"Access_Control_Request_Method": "PUT", "Access_Control_Request_Headers": "X-Amz-Acl, content-type"}
    reply = preflight(origin, f"/{bucket}/k", Origin="https://a.x.test", **asked)
    assert reply.status == 200
    shown = {name.removeprefix("access-control-"): value for name, value in reply.headers.items() if "control" in name}
    assert shown == {
        "allow-origin": "https://a.x.test",
        "allow-methods": "GET, PUT",
        "allow-headers": "X-Amz-Acl, content-type",
        "expose-headers": "ETag",
        "max-age": "3000",
        "allow-credentials": "true",
    }
    assert "Origin" in reply.headers["vary"]
    other = preflight(origin, f"/{bucket}/k", Origin="https://y.test", Access_Control_Request_Method="GET")
    assert (other.status, other.headers["access-control-allow-origin"]) == (200, "*")


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 400, "BadRequest"),
        ({"Origin": "https://a.x.test"}, 400, "BadRequest"),
        ({"Origin": "https://y.test", "Access_Control_Request_Method": "PUT"}, 403, "AccessForbidden"),
        ({"Origin": "https://a.x.test", "Access_Control_Request_Method": "DELETE"}, 403, "AccessForbidden"),
        (
            {
                "Origin": "https://a.x.test",
                "Access_Control_Request_Method": "PUT",
                "Access_Control_Request_Headers": "x-other",
            },
            403,
            "AccessForbidden",
        ),
    ],
)
def test_a_preflight_that_fits_no_rule_is_refused(
    origin: Origin, s3: Any, bucket: str, headers: dict[str, str], status: int, code: str
) -> None:
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": RULES})
    reply = preflight(origin, f"/{bucket}/k", **headers)
    assert (reply.status, reply.code) == (status, code)


def test_a_bucket_without_rules_allows_no_other_site(origin: Origin, bucket: str) -> None:
    reply = preflight(origin, f"/{bucket}/k", Origin="https://a.test", Access_Control_Request_Method="GET")
    assert (reply.status, reply.code) == (403, "AccessForbidden")


def test_answers_and_errors_carry_the_rule_s_headers(origin: Origin, s3: Any, bucket: str) -> None:
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": RULES})
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="public-read")
    for key, status in (("k", 200), ("missing", 403)):
        reply = origin.ask("GET", f"/{bucket}/{key}", {"Origin": "https://a.x.test"}, signed=False)
        assert (reply.status, reply.headers["access-control-allow-origin"]) == (status, "https://a.x.test")
        assert reply.headers["access-control-expose-headers"] == "ETag"
    assert "access-control-allow-origin" not in origin.ask("GET", f"/{bucket}/k", signed=False).headers


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"AllowedMethods": ["PATCH"]}, "InvalidRequest"),
        ({"AllowedOrigins": ["https://*.*.test"]}, "InvalidRequest"),
        ({"AllowedHeaders": ["*-*"]}, "InvalidRequest"),
        ({"ExposeHeaders": ["*"]}, "InvalidRequest"),
        ({"AllowedOrigins": []}, "MalformedXML"),
    ],
)
def test_a_cross_origin_rule_that_is_none_is_refused(s3: Any, bucket: str, change: Any, code: str) -> None:
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], **change}
    with pytest.raises(ClientError) as caught:
        s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    assert code_of(caught) == code


def default(algorithm: str, **more: Any) -> Any:
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm, **more}}]}


def test_every_bucket_has_a_default_encryption(s3: Any, bucket: str) -> None:
    def current() -> Any:
        [rule] = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        return rule["ApplyServerSideEncryptionByDefault"]

    assert current() == {"SSEAlgorithm": "AES256"}
    assert s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ServerSideEncryption"] == "AES256"
    s3.put_bucket_encryption(
        Bucket=bucket, ServerSideEncryptionConfiguration=default("aws:kms", KMSMasterKeyID="my-key")
    )
    assert current() == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "my-key"}
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    head = s3.head_object(Bucket=bucket, Key="k")
    for answer in (put, head):
        assert (answer["ServerSideEncryption"], answer["SSEKMSKeyId"]) == ("aws:kms", "my-key")
    s3.delete_bucket_encryption(Bucket=bucket)
    assert current() == {"SSEAlgorithm": "AES256"}


def test_a_write_may_choose_its_encryption(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId="other")
    assert s3.head_object(Bucket=bucket, Key="k")["SSEKMSKeyId"] == "other"
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m", ServerSideEncryption="AES256")["UploadId"]
    etag = s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    s3.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=upload, MultipartUpload=parts)
    assert s3.head_object(Bucket=bucket, Key="m")["ServerSideEncryption"] == "AES256"


def test_a_copy_chooses_its_encryption_anew(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId="my-key")
    s3.copy_object(Bucket=bucket, Key="plain", CopySource=f"{bucket}/k")
    assert s3.head_object(Bucket=bucket, Key="plain")["ServerSideEncryption"] == "AES256"
    s3.copy_object(
        Bucket=bucket, Key="other", CopySource=f"{bucket}/k", ServerSideEncryption="aws:kms", SSEKMSKeyId="b"
    )
    assert s3.head_object(Bucket=bucket, Key="other")["SSEKMSKeyId"] == "b"


@pytest.mark.parametrize(
    "headers",
    [{"x-amz-server-side-encryption": "ROT13"}, {"x-amz-server-side-encryption-aws-kms-key-id": "my-key"}],
)
def test_encryption_that_does_not_exist_is_refused(origin: Origin, bucket: str, headers: dict[str, str]) -> None:
    reply = origin.ask("PUT", f"/{bucket}/k", headers, b"x")
    assert (reply.status, reply.code) == (400, "InvalidArgument")


ACCOUNTS = [
    {"name": "alt", "id": "a" * 64, "display": "Alt", "email": "alt@x.test", "access_key": "ALTKEY",
     "secret_key": "alt-secret"},
    {"name": "third", "access_key": "THIRDKEY", "secret_key": "third-secret"},
]  # fmt: skip


@pytest.fixture(scope="module")
def populated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    data = tmp_path_factory.mktemp("populated") / "data"
    with running(data, ACCOUNTS=json.dumps(ACCOUNTS), ORIGIN_SYNC="false"):
        pass
    with running(data, ACCOUNTS=json.dumps(ACCOUNTS), ORIGIN_SYNC="false") as one:
        yield one


def test_accounts_of_the_settings_are_owners_with_keys(populated: Origin) -> None:
    alt, third = populated.s3("ALTKEY", "alt-secret"), populated.s3("THIRDKEY", "third-secret")
    assert alt.list_buckets()["Owner"] == {"ID": "a" * 64, "DisplayName": "Alt"}
    third.create_bucket(Bucket="thirds")
    third.put_bucket_acl(Bucket="thirds", GrantRead='emailAddress="alt@x.test"')
    assert alt.list_objects_v2(Bucket="thirds")["KeyCount"] == 0
    assert refused(lambda: alt.put_object(Bucket="thirds", Key="k", Body=b"x")) == "AccessDenied"
    unknown = 'emailAddress="nobody@x.test"'
    assert (
        refused(lambda: third.put_bucket_acl(Bucket="thirds", GrantRead=unknown)) == "UnresolvableGrantByEmailAddress"
    )


def test_errors_show_cross_origin_headers_too_and_a_named_method_counts(origin: Origin, s3: Any, bucket: str) -> None:
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://a.test"]}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    shown = "access-control-allow-origin"
    page = {"Origin": "https://a.test"}
    assert origin.ask("GET", f"/{bucket}/k", page, signed=False).headers[shown] == "https://a.test"
    wrong = {**page, "Authorization": "AWS nobody:wrong"}
    assert origin.ask("GET", f"/{bucket}/k", wrong, signed=False).headers[shown] == "https://a.test"
    assert shown not in origin.ask("PUT", f"/{bucket}/k", page, signed=False).headers
    named = {**page, "Access-Control-Request-Method": "GET"}
    assert origin.ask("PUT", f"/{bucket}/k", named, signed=False).headers[shown] == "https://a.test"


def test_a_bucket_has_a_hundred_cross_origin_rules_at_most(s3: Any, bucket: str) -> None:
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule] * 100})
    many = {"CORSRules": [rule] * 101}
    assert refused(lambda: s3.put_bucket_cors(Bucket=bucket, CORSConfiguration=many)) == "InvalidRequest"
