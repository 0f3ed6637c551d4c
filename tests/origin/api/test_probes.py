"""Promises about settings that clients ask for: kept where they mean something, AWS's own answer where they do not."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.origin.api.conftest import Origin
from tests.origin.api.test_access import client_of, refused


def test_who_pays_is_the_owner_until_it_says_otherwise(s3: Any, bucket: str) -> None:
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration={"Payer": "Requester"})
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "Requester"
    wrong = {"Payer": "Nobody"}
    assert refused(lambda: s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration=wrong)) == (
        "MalformedXML"
    )


async def test_where_the_requester_pays_nobody_reads_who_did_not_agree(origin: Origin, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="public-read")
    assert origin.ask("GET", f"/{bucket}/k", signed=False).status == 200
    s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration={"Payer": "Requester"})
    agreed = {"x-amz-request-payer": "requester"}
    assert origin.ask("GET", f"/{bucket}/k", signed=False).status == 403
    assert origin.ask("GET", f"/{bucket}/k", agreed, signed=False).status == 403  # nobody pays for anonymous readers
    assert origin.ask("GET", f"/{bucket}/k").status == 200  # the owner
    bob = await client_of(origin, "bob", allow=("read",))
    assert refused(lambda: bob.get_object(Bucket=bucket, Key="k")) == "AccessDenied"
    assert bob.get_object(Bucket=bucket, Key="k", RequestPayer="requester")["RequestCharged"] == "requester"


def test_acceleration_is_kept_and_has_no_value_before(s3: Any, bucket: str) -> None:
    assert "Status" not in s3.get_bucket_accelerate_configuration(Bucket=bucket)
    s3.put_bucket_accelerate_configuration(Bucket=bucket, AccelerateConfiguration={"Status": "Suspended"})
    assert s3.get_bucket_accelerate_configuration(Bucket=bucket)["Status"] == "Suspended"


def test_acceleration_is_refused_for_names_with_dots(s3: Any) -> None:
    name = f"a.{uuid4().hex[:8]}"
    s3.create_bucket(Bucket=name)
    asked = {"Status": "Enabled"}
    assert refused(lambda: s3.put_bucket_accelerate_configuration(Bucket=name, AccelerateConfiguration=asked)) == (
        "InvalidRequest"
    )


def test_no_log_is_delivered_and_none_is_promised(s3: Any, bucket: str) -> None:
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})
    for target, code in (("no-such-bucket-anywhere", "InvalidTargetBucketForLogging"), (bucket, "NotImplemented")):
        asked = {"LoggingEnabled": {"TargetBucket": target, "TargetPrefix": "log/"}}
        assert refused(lambda asked=asked: s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus=asked)) == code


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("analytics", "AnalyticsConfigurationList"),
        ("inventory", "InventoryConfigurationList"),
        ("metrics", "MetricsConfigurationList"),
        ("intelligent_tiering", "IntelligentTieringConfigurationList"),
    ],
)
def test_configurations_that_are_never_made_are_missing_and_list_as_none(
    s3: Any, bucket: str, name: str, listed: str
) -> None:
    get, every = getattr(s3, f"get_bucket_{name}_configuration"), getattr(s3, f"list_bucket_{name}_configurations")
    assert refused(lambda: get(Bucket=bucket, Id="daily")) == "NoSuchConfiguration"
    delete = getattr(s3, f"delete_bucket_{name}_configuration")
    assert refused(lambda: delete(Bucket=bucket, Id="daily")) == "NoSuchConfiguration"
    answer = every(Bucket=bucket)
    assert answer["IsTruncated"] is False
    assert listed not in answer


def test_a_bucket_without_replication_says_so(s3: Any, bucket: str) -> None:
    assert refused(lambda: s3.get_bucket_replication(Bucket=bucket)) == "ReplicationConfigurationNotFoundError"
    assert s3.delete_bucket_replication(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 204
