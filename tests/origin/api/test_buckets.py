"""Promises about buckets, listings, ACLs and probes."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.origin.api.conftest import Origin


def code_of(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_bucket_lives_and_ends(s3: Any, origin: Origin) -> None:
    name = f"life-{uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name)
    assert name in [entry["Name"] for entry in s3.list_buckets()["Buckets"]]
    assert s3.head_bucket(Bucket=name)["BucketRegion"] == "us-east-1"
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    with pytest.raises(ClientError) as caught:
        s3.delete_bucket(Bucket=name)
    assert code_of(caught) == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket=name, Key="k")
    assert origin.ask("DELETE", f"/{name}").status == 204
    with pytest.raises(ClientError) as caught:
        s3.head_bucket(Bucket=name)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_a_bucket_made_again_by_its_owner_stays_as_it_is(s3: Any, bucket: str) -> None:
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    grants = s3.get_bucket_acl(Bucket=bucket)["Grants"]
    s3.create_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket, ACL="public-read")
    with pytest.raises(ClientError) as caught:
        s3.create_bucket(Bucket=bucket, ACL="public-read-write")
    assert code_of(caught) == ("BucketAlreadyExists", 409)
    with pytest.raises(ClientError) as caught:
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    assert code_of(caught) == ("BucketAlreadyOwnedByYou", 409)
    assert s3.get_bucket_acl(Bucket=bucket)["Grants"] == grants
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_a_location_constraint_is_kept(s3: Any) -> None:
    name = f"loc-{uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-central-1"


def test_the_classic_location_is_empty(s3: Any, bucket: str) -> None:
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None


@pytest.mark.parametrize(
    "name",
    ["localhost", "127.0.0.1", "files.example.test", "s3.example.test", "ab", "UPPER", "a_b", "-", "a..b", "x" * 64],
)
def test_a_name_that_is_no_bucket_name_is_refused(origin: Origin, name: str) -> None:
    reply = origin.ask("PUT", f"/{name}")
    assert (reply.status, reply.code) == (400, "InvalidBucketName")


def test_a_bucket_cannot_capture_the_server(origin: Origin, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for host in ("localhost:9000", "127.0.0.1", "files.example.test", "s3.example.test", "whatever.example.org"):
        assert origin.ask("GET", f"/{bucket}/k", {"Host": host}).body == b"x"


def test_a_bucket_answers_under_its_virtual_host(origin: Origin, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="b/k", Body=b"x")
    assert origin.ask("GET", "/b/k", {"Host": f"{bucket}.s3.example.test"}).body == b"x"
    assert origin.ask("PUT", "/", {"Host": "media.example.test"}).status == 200
    assert origin.ask("PUT", "/-/health", {"Host": "media.example.test"}, b"a key").status == 200
    assert s3.get_object(Bucket="media.example.test", Key="-/health")["Body"].read() == b"a key"


def test_listing_pages_with_prefix_and_delimiter(s3: Any, bucket: str) -> None:
    keys = [f"d{number}/{name}" for number in range(5) for name in ("a", "b c", "ä&<+>")] + ["top", "z"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    for operation in ("list_objects", "list_objects_v2"):
        pages = list(s3.get_paginator(operation).paginate(Bucket=bucket, PaginationConfig={"PageSize": 4}))
        assert [entry["Key"] for page in pages for entry in page.get("Contents", [])] == sorted(keys)
        pages = list(
            s3.get_paginator(operation).paginate(Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 2})
        )
        assert [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])] == [
            f"d{number}/" for number in range(5)
        ]
        assert [entry["Key"] for page in pages for entry in page.get("Contents", [])] == ["top", "z"]
    page = s3.list_objects_v2(Bucket=bucket, Prefix="d1/", StartAfter="d1/a")
    assert [entry["Key"] for entry in page["Contents"]] == ["d1/b c", "d1/ä&<+>"]
    assert page["KeyCount"] == 2


def test_keys_are_encoded_only_when_asked_for(origin: Origin, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a b+c/ä%", Body=b"x")
    plain = origin.ask("GET", f"/{bucket}?list-type=2")
    assert "<Key>a b+c/ä%</Key>" in plain.body.decode()
    encoded = origin.ask("GET", f"/{bucket}?list-type=2&encoding-type=url&prefix=a%20b")
    assert "<Key>a%20b%2Bc/%C3%A4%25</Key>" in encoded.body.decode()
    assert "<Prefix>a%20b</Prefix>" in encoded.body.decode()
    assert origin.ask("GET", f"/{bucket}?encoding-type=base64").code == "InvalidArgument"


@pytest.mark.parametrize("query", ["max-keys=x", "max-keys=-1", "list-type=2&continuation-token="])
def test_a_listing_with_a_bad_value_is_refused(origin: Origin, bucket: str, query: str) -> None:
    reply = origin.ask("GET", f"/{bucket}?{query}")
    assert (reply.status, reply.code) == (400, "InvalidArgument")


def test_anonymous_readers_get_only_what_is_public(origin: Origin, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="private", Body=b"x")
    s3.put_object(Bucket=bucket, Key="public", Body=b"y", ACL="public-read")
    assert origin.ask("GET", f"/{bucket}/public", signed=False).body == b"y"
    for method, target in (
        ("GET", "/"),
        ("GET", f"/{bucket}"),
        ("GET", f"/{bucket}/private"),
        ("GET", f"/{bucket}/missing"),
        ("PUT", f"/{bucket}/public"),
        ("DELETE", f"/{bucket}/public"),
        ("GET", f"/{bucket}/public?acl"),
        ("PUT", f"/{bucket}/public?acl"),
    ):
        reply = origin.ask(method, target, signed=False)
        assert (reply.status, reply.code) == (403, "AccessDenied"), (method, target)
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    assert origin.ask("GET", f"/{bucket}", signed=False).status == 200
    assert origin.ask("GET", f"/{bucket}/missing", signed=False).status == 404
    assert origin.ask("GET", f"/{bucket}/private", signed=False).status == 403


def test_an_acl_can_be_changed_and_read_back(origin: Origin, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    policy = s3.get_object_acl(Bucket=bucket, Key="k")
    assert [grant["Permission"] for grant in policy["Grants"]] == ["FULL_CONTROL"]
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    assert origin.ask("GET", f"/{bucket}/k", signed=False).status == 200
    public = s3.get_object_acl(Bucket=bucket, Key="k")
    assert {grant["Permission"] for grant in public["Grants"]} == {"FULL_CONTROL", "READ"}
    s3.put_object_acl(
        Bucket=bucket, Key="k", AccessControlPolicy={"Owner": policy["Owner"], "Grants": policy["Grants"]}
    )
    assert origin.ask("GET", f"/{bucket}/k", signed=False).status == 403
    s3.put_object_acl(
        Bucket=bucket, Key="k", AccessControlPolicy={"Owner": public["Owner"], "Grants": public["Grants"]}
    )
    assert origin.ask("GET", f"/{bucket}/k", signed=False).status == 200
    s3.put_object_acl(Bucket=bucket, Key="k", GrantFullControl=f'id="{policy["Owner"]["ID"]}"')
    assert origin.ask("GET", f"/{bucket}/k", signed=False).status == 403
    s3.put_bucket_acl(Bucket=bucket, GrantRead='uri="http://acs.amazonaws.com/groups/global/AllUsers"')
    assert {grant["Permission"] for grant in s3.get_bucket_acl(Bucket=bucket)["Grants"]} == {"READ"}


def test_an_acl_is_asked_for_in_one_way(origin: Origin, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="public-read")
    both = {"x-amz-acl": "private", "x-amz-grant-read": 'id="x"'}
    assert origin.ask("PUT", f"/{bucket}/k?acl", both).code == "InvalidRequest"
    assert origin.ask("PUT", f"/{bucket}/k?acl", {"x-amz-acl": "nonsense"}).code == "InvalidArgument"
    assert origin.ask("PUT", f"/{bucket}/k?acl", body=b"<AccessControlPolicy/>").code == "MalformedACLError"
    assert origin.ask("GET", f"/{bucket}/k", signed=False).status == 200


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("lifecycle", "NoSuchLifecycleConfiguration"),
        ("cors", "NoSuchCORSConfiguration"),
        ("policy", "NoSuchBucketPolicy"),
        ("tagging", "NoSuchTagSet"),
        ("object-lock", "ObjectLockConfigurationNotFoundError"),
        ("website", "NoSuchWebsiteConfiguration"),
        ("replication", "ReplicationConfigurationNotFoundError"),
        ("publicAccessBlock", "NoSuchPublicAccessBlockConfiguration"),
        ("ownershipControls", "OwnershipControlsNotFoundError"),
    ],
)
def test_a_probe_of_what_is_not_set_gets_awss_answer(origin: Origin, bucket: str, query: str, code: str) -> None:
    reply = origin.ask("GET", f"/{bucket}?{query}")
    assert (reply.status, reply.code) == (404, code)
    assert origin.ask("GET", f"/{bucket}?{query}", signed=False).status == 403
    assert origin.ask("GET", f"/no-such-bucket-here?{query}").code == "NoSuchBucket"


def test_a_probe_of_what_has_a_neutral_value_gets_it(s3: Any, bucket: str) -> None:
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []


def test_a_location_is_a_region_of_aws_or_the_one_that_is_signed_for(origin: Origin, s3: Any, bucket: str) -> None:
    def create(client: Any, name: str, place: str) -> str:
        try:
            client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": place})
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return str(s3.get_bucket_location(Bucket=name)["LocationConstraint"])

    garage = origin.s3(region_name="garage")
    assert create(s3, f"{bucket}-1", "ap-southeast-2") == "ap-southeast-2"
    assert create(garage, f"{bucket}-2", "garage") == "garage"
    assert create(s3, f"{bucket}-3", "nowhere") == "InvalidLocationConstraint"
