"""Promises about what bucket policies may ask of a request, and what they must name to be taken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.origin.api.conftest import Origin
from tests.origin.api.test_access import client_of, refused, set_policy
from tests.origin.storage.test_policy import document, statement

BOTH = ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]


@pytest.fixture
async def bob(origin: Origin) -> Any:
    return await client_of(origin, "bob", allow=("read", "write", "delete", "admin"))


def test_tags_of_a_put_need_the_right_to_tag(s3: Any, bob: Any, bucket: str) -> None:
    set_policy(s3, bucket, statement(Action="s3:PutObject"))
    bob.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert refused(lambda: bob.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="a=1")) == "AccessDenied"
    assert refused(lambda: bob.create_multipart_upload(Bucket=bucket, Key="k", Tagging="a=1")) == "AccessDenied"
    set_policy(s3, bucket, statement(Action=["s3:PutObject", "s3:PutObjectTagging"]))
    bob.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="a=1")


def test_a_permission_that_says_which_tags_it_wants_lets_them_be_given(s3: Any, bob: Any, bucket: str) -> None:
    asks = {"StringEquals": {"s3:RequestObjectTag/kind": "open"}}
    set_policy(s3, bucket, statement(Action="s3:PutObject", Condition=asks))
    assert refused(lambda: bob.put_object(Bucket=bucket, Key="k", Body=b"x")) == "AccessDenied"
    assert refused(lambda: bob.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="kind=no")) == "AccessDenied"
    bob.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="kind=open")


def test_the_tags_of_a_document_are_asked_like_those_of_a_header(s3: Any, bob: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    only = {"ForAllValues:StringLike": {"s3:RequestObjectTagKeys": ["team", "kind-*"]}}
    set_policy(s3, bucket, statement(Action="s3:PutObjectTagging", Condition=only))

    def give(*keys: str) -> Any:
        tags = {"TagSet": [{"Key": key, "Value": "1"} for key in keys]}
        return refused(lambda: bob.put_object_tagging(Bucket=bucket, Key="k", Tagging=tags))

    assert give("team", "kind-a") is None
    assert give("team", "other") == "AccessDenied"


def test_a_copy_of_a_tagged_object_needs_the_right_to_its_tags(s3: Any, bob: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="tagged", Body=b"x", Tagging="a=1")
    mine = f"b-{uuid4().hex[:12]}"
    bob.create_bucket(Bucket=mine)
    source = {"Bucket": bucket, "Key": "tagged"}
    set_policy(s3, bucket, statement(Action="s3:GetObject"))
    assert refused(lambda: bob.copy_object(Bucket=mine, Key="k", CopySource=source)) == "AccessDenied"
    set_policy(s3, bucket, statement(Action=["s3:GetObject", "s3:GetObjectTagging"]))
    bob.copy_object(Bucket=mine, Key="k", CopySource=source)
    assert bob.get_object_tagging(Bucket=mine, Key="k")["TagSet"] == [{"Key": "a", "Value": "1"}]


def test_the_source_of_a_copy_is_asked_as_bucket_and_key(s3: Any, bob: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="open/a b", Body=b"x")
    s3.put_object(Bucket=bucket, Key="shut/a", Body=b"x")
    asks = {"StringLike": {"s3:x-amz-copy-source": f"{bucket}/open/*"}}
    set_policy(
        s3, bucket, statement(), statement(Action="s3:PutObject", Condition=asks),
    )  # fmt: skip
    bob.copy_object(Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "open/a b"})
    source = {"Bucket": bucket, "Key": "shut/a"}
    assert refused(lambda: bob.copy_object(Bucket=bucket, Key="to", CopySource=source)) == "AccessDenied"


def test_locks_are_asked_by_mode_and_remaining_days(s3: Any) -> None:
    bucket = f"b-{uuid4().hex[:12]}"
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    long = {"NumericGreaterThan": {"s3:object-lock-remaining-retention-days": "10"}}
    strict = {"StringEquals": {"s3:object-lock-mode": "COMPLIANCE"}}
    held = {"StringEquals": {"s3:object-lock-legal-hold": "ON"}}
    actions = ["s3:PutObject", "s3:PutObjectRetention", "s3:PutObjectLegalHold"]
    set_policy(s3, bucket, *(statement(Effect="Deny", Action=actions, Condition=one) for one in (long, strict, held)))

    def put(mode: str, days: int) -> Any:
        until = datetime.now(UTC) + timedelta(days=days)
        kept = {"ObjectLockMode": mode, "ObjectLockRetainUntilDate": until}
        retention = {"Mode": mode, "RetainUntilDate": until}
        ways = (
            lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"x", **kept),
            lambda: s3.put_object_retention(
                Bucket=bucket, Key="k", Retention=retention, BypassGovernanceRetention=True
            ),
        )
        return {refused(way) for way in ways}

    assert put("GOVERNANCE", 5) == {None}
    assert put("GOVERNANCE", 20) == {"AccessDenied"}
    assert put("COMPLIANCE", 5) == {"AccessDenied"}
    hold = {"Status": "ON"}
    assert refused(lambda: s3.put_object_legal_hold(Bucket=bucket, Key="k", LegalHold=hold)) == "AccessDenied"


def test_attributes_need_the_right_to_read_the_object(s3: Any, bob: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")

    def ask() -> Any:
        return refused(lambda: bob.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectSize"]))

    set_policy(s3, bucket, statement(Action="s3:GetObjectAttributes"))
    assert ask() == "AccessDenied"
    set_policy(s3, bucket, statement(Action=["s3:GetObjectAttributes", "s3:GetObject"]))
    assert ask() is None


def test_a_bucket_policy_is_its_owners_alone_whatever_it_says(s3: Any, bob: Any, bucket: str) -> None:
    set_policy(s3, bucket, statement(Action=["s3:GetBucketPolicy", "s3:PutBucketPolicy"], Resource="arn:aws:s3:::b"))
    assert refused(lambda: bob.get_bucket_policy(Bucket=bucket)) == "MethodNotAllowed"
    assert refused(lambda: bob.put_bucket_policy(Bucket=bucket, Policy="{}")) == "MethodNotAllowed"
    s3.delete_bucket_policy(Bucket=bucket)
    assert refused(lambda: bob.get_bucket_policy(Bucket=bucket)) == "AccessDenied"


@pytest.mark.parametrize(
    "setting", ["cors", "lifecycle", "website", "tagging", "notification", "policy", "publicAccessBlock", "versioning"]
)
def test_who_may_not_set_is_not_told_what_is_wrong_with_the_document(origin: Origin, bucket: str, setting: str) -> None:
    assert origin.ask("PUT", f"/{bucket}?{setting}", body=b"junk", signed=False).code == "AccessDenied"
    assert origin.ask("PUT", f"/nobody-has-this?{setting}", body=b"junk").code == "NoSuchBucket"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (statement(Action="s3:ListBucket"), "Action does not apply to any resource(s) in statement"),
        (statement(Resource="arn:aws:s3:::b"), "Action does not apply to any resource(s) in statement"),
        (statement(Effect="allow"), "Invalid effect: allow"),
        (statement(Resource="arn:aws:s3:::other/*"), "Policy has invalid resource"),
        (statement(Action="s3:"), "Policy has invalid action"),
        (statement(Action="s3:EatObject"), "Policy has invalid action"),
        (statement(Action="s3:Eat*"), "Policy has invalid action"),
        (statement(Condition={"StringEquals": {"nobody:knows": "x"}}), "Policy has an invalid condition key"),
    ],
)
def test_a_policy_that_means_nothing_is_malformed(s3: Any, bucket: str, fault: Any, message: str) -> None:
    text = document(fault).replace("arn:aws:s3:::b", f"arn:aws:s3:::{bucket}")
    with pytest.raises(s3.exceptions.ClientError) as caught:
        s3.put_bucket_policy(Bucket=bucket, Policy=text)
    error = caught.value.response["Error"]
    assert (error["Code"], error["Message"]) == ("MalformedPolicy", message)


@pytest.mark.parametrize("resource", ["arn:aws:s3:::*", "arn:aws:s3:::b-*/*", "arn:aws:s3:::*/k"])
def test_a_resource_may_name_the_bucket_with_wildcards(s3: Any, bob: Any, bucket: str, resource: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_bucket_policy(Bucket=bucket, Policy=document(statement(Resource=resource)))
    assert bob.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_a_policy_beyond_the_limit_is_malformed(s3: Any, bucket: str) -> None:
    text = document(statement(Sid="x" * 21_000, Resource=f"arn:aws:s3:::{bucket}/*"))
    assert refused(lambda: s3.put_bucket_policy(Bucket=bucket, Policy=text)) == "MalformedPolicy"
