"""Promises about who may do what, asked with several owners of a real origin process."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from origin.admin.asking import ask_server
from origin.admin.wishes import Key
from tests.origin.api.conftest import Origin
from tests.origin.storage.test_policy import document, statement
from wire.feed import BUCKET_CHANGED

GROUP = "http://acs.amazonaws.com/groups/global"


async def client_of(origin: Origin, owner: str, **wish: Any) -> Any:
    made = await ask_server(origin.data / "origin", "key-add", Key(owner=owner, **wish), lambda _: None)
    return origin.s3(made["access_key"], made["secret_key"])


@pytest.fixture
async def bob(origin: Origin) -> Any:
    return await client_of(origin, "bob", allow=("read", "write", "delete", "admin"))


def refused(call: Callable[[], Any]) -> str | None:
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return None


def get(origin: Origin, target: str, **headers: str) -> int:
    return origin.ask("GET", target, headers, signed=False).status


def set_policy(s3: Any, bucket: str, *statements: dict[str, Any]) -> None:
    text = document(*statements).replace("arn:aws:s3:::b", f"arn:aws:s3:::{bucket}")
    s3.put_bucket_policy(Bucket=bucket, Policy=text)


def test_a_public_policy_opens_reading_and_not_listing(origin: Origin, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert get(origin, f"/{bucket}/k") == 403
    set_policy(s3, bucket, statement(Principal={"AWS": ["*"]}))
    assert get(origin, f"/{bucket}/k") == 200
    assert get(origin, f"/{bucket}") == 403
    assert get(origin, f"/{bucket}/missing") == 403
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"]
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"][0]["Action"] == "s3:GetObject"
    set_policy(s3, bucket, statement(), statement(Action="s3:ListBucket", Resource="arn:aws:s3:::b"))
    assert get(origin, f"/{bucket}/missing") == 404
    s3.delete_bucket_policy(Bucket=bucket)
    assert get(origin, f"/{bucket}/k") == 403
    assert refused(lambda: s3.get_bucket_policy(Bucket=bucket)) == "NoSuchBucketPolicy"


def test_a_deny_holds_for_the_owner_too_who_may_still_mend_it(s3: Any, bucket: str) -> None:
    set_policy(s3, bucket, statement(Effect="Deny", Action="s3:*", Resource=["arn:aws:s3:::b", "arn:aws:s3:::b/*"]))
    assert refused(lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"x")) == "AccessDenied"
    assert refused(lambda: s3.list_objects_v2(Bucket=bucket)) == "AccessDenied"
    s3.delete_bucket_policy(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")


@pytest.mark.parametrize(
    ("condition", "headers", "status"),
    [
        ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, {}, 200),
        ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, {"X-Forwarded-For": "8.8.8.8"}, 403),
        ({"Bool": {"aws:SecureTransport": "true"}}, {}, 403),
        ({"Bool": {"aws:SecureTransport": "true"}}, {"X-Forwarded-Proto": "https"}, 200),
        ({"StringLike": {"aws:Referer": "https://x.test/*"}}, {"Referer": "https://x.test/a"}, 200),
        ({"StringLike": {"aws:Referer": "https://x.test/*"}}, {}, 403),
    ],
)
def test_conditions_ask_about_the_request(
    origin: Origin, s3: Any, bucket: str, condition: Any, headers: dict[str, str], status: int
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    set_policy(s3, bucket, statement(Condition=condition))
    assert get(origin, f"/{bucket}/k", **headers) == status


def test_conditions_ask_about_prefixes_and_encryption(s3: Any, bob: Any, bucket: str) -> None:
    set_policy(
        s3,
        bucket,
        statement(
            Action="s3:ListBucket", Resource="arn:aws:s3:::b", Condition={"StringEquals": {"s3:prefix": "open/"}}
        ),
        statement(
            Effect="Deny", Action="s3:PutObject", Condition={"Null": {"s3:x-amz-server-side-encryption": "true"}}
        ),
    )
    assert bob.list_objects_v2(Bucket=bucket, Prefix="open/")["KeyCount"] == 0
    assert refused(lambda: bob.list_objects_v2(Bucket=bucket)) == "AccessDenied"
    assert refused(lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"x")) == "AccessDenied"
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="AES256")


@pytest.mark.parametrize("query", ["prefix=secret/&prefix=open/", "prefix=secret/&%70refix=open/"])
def test_a_repeated_parameter_means_one_thing_to_policies_and_to_answers(
    origin: Origin, s3: Any, bucket: str, query: str
) -> None:
    s3.put_object(Bucket=bucket, Key="secret/k", Body=b"x")
    condition = {"StringEquals": {"s3:prefix": "open/"}}
    set_policy(s3, bucket, statement(Action="s3:ListBucket", Resource="arn:aws:s3:::b", Condition=condition))
    assert get(origin, f"/{bucket}?list-type=2&prefix=open/") == 200
    assert get(origin, f"/{bucket}?list-type=2&{query}") == 403
    reply = origin.ask("GET", f"/{bucket}?list-type=2&prefix=open/&prefix=secret/", signed=False)
    assert (reply.status, b"secret/k" in reply.body) == (200, False)


def test_conditions_ask_about_the_tags_of_an_object(origin: Origin, s3: Any, bucket: str) -> None:
    for key, tags in (("open", "security=public"), ("shut", "security=private"), ("none", "")):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x", Tagging=tags)
    condition = {"StringEquals": {"s3:ExistingObjectTag/security": "public"}}
    set_policy(s3, bucket, statement(Action=["s3:GetObject", "s3:GetObjectTagging"], Condition=condition))
    assert [get(origin, f"/{bucket}/{key}") for key in ("open", "shut", "none")] == [200, 403, 403]
    assert [get(origin, f"/{bucket}/{key}?tagging") for key in ("open", "shut")] == [200, 403]


def test_what_hung_on_a_condition_is_marked_for_the_edge(origin: Origin, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    pair = json.loads((origin.data / "edge-key.json").read_text())
    edge = origin.s3(pair["access_key"], pair["secret_key"])
    for condition, marked in ((None, False), ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, True)):
        set_policy(s3, bucket, statement(Condition=condition))
        answer = edge.get_object(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPHeaders"]
        assert ("x-facet-uncacheable" in answer) is marked
        assert "x-facet-identity" in answer
    assert "x-facet-uncacheable" not in s3.get_object(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPHeaders"]


@pytest.mark.parametrize("text", ["{}", "nonsense", document(statement(Resource="arn:aws:s3:::other/*"))])
def test_a_policy_that_is_none_is_refused(s3: Any, bucket: str, text: str) -> None:
    assert refused(lambda: s3.put_bucket_policy(Bucket=bucket, Policy=text)) == "MalformedPolicy"


def test_another_owner_has_what_a_policy_gives(s3: Any, bob: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    me = bob.list_buckets()["Owner"]["ID"]
    assert refused(lambda: bob.get_object(Bucket=bucket, Key="k")) == "AccessDenied"
    set_policy(s3, bucket, statement(Principal={"AWS": f"arn:aws:iam::{me}:root"}, Action=["s3:GetObject"]))
    assert bob.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    assert refused(lambda: bob.delete_object(Bucket=bucket, Key="k")) == "AccessDenied"


async def test_a_key_is_narrowed_by_its_own_policy(origin: Origin, s3: Any, bucket: str) -> None:
    everything = {"Effect": "Allow", "Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}/*"}
    app = await client_of(origin, "root", allow=("read", "write", "delete"), policy=document(everything))
    app.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="public-read")
    app.put_object_acl(Bucket=bucket, Key="k", ACL="private")
    assert app.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    assert refused(lambda: app.head_bucket(Bucket=bucket)) == "403"
    assert refused(lambda: app.list_objects_v2(Bucket=bucket)) == "AccessDenied"
    assert refused(lambda: app.create_bucket(Bucket=f"{bucket}-2")) == "AccessDenied"
    app.delete_object(Bucket=bucket, Key="k")
    both = {**everything, "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}
    listing = await client_of(origin, "root", allow=("read", "write", "delete"), policy=document(both))
    assert listing.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.mark.parametrize(
    ("acl", "anonymous", "other"),
    [("private", 403, "AccessDenied"), ("authenticated-read", 403, None), ("public-read", 200, None)],
)
def test_a_canned_acl_opens_an_object_to_those_it_names(
    origin: Origin, s3: Any, bob: Any, bucket: str, acl: str, anonymous: int, other: str | None
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL=acl)
    assert get(origin, f"/{bucket}/k") == anonymous
    assert refused(lambda: bob.get_object(Bucket=bucket, Key="k")) == other


def test_an_open_bucket_takes_what_others_write_and_they_own_it(origin: Origin, s3: Any, bob: Any, bucket: str) -> None:
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    assert origin.ask("PUT", f"/{bucket}/anonymous", body=b"x", signed=False).status == 200
    bob.put_object(Bucket=bucket, Key="k", Body=b"bobs")
    assert bob.get_object_acl(Bucket=bucket, Key="k")["Owner"] == bob.list_buckets()["Owner"]
    assert refused(lambda: s3.get_object(Bucket=bucket, Key="k")) == "AccessDenied"
    bob.put_object_acl(Bucket=bucket, Key="k", ACL="bucket-owner-read")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"bobs"
    bob.put_object(Bucket=bucket, Key="k", Body=b"bobs", ACL="bucket-owner-full-control")
    assert {grant["Permission"] for grant in s3.get_object_acl(Bucket=bucket, Key="k")["Grants"]} == {"FULL_CONTROL"}
    s3.delete_object(Bucket=bucket, Key="k")


def test_grants_are_given_to_owners_and_groups(s3: Any, bob: Any, bucket: str) -> None:
    me = bob.list_buckets()["Owner"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", GrantRead=f'id="{me["ID"]}"')
    [grant] = s3.get_object_acl(Bucket=bucket, Key="k")["Grants"]
    assert (grant["Grantee"]["ID"], grant["Grantee"]["DisplayName"], grant["Permission"]) == (me["ID"], "bob", "READ")
    assert bob.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    assert refused(lambda: bob.get_object_acl(Bucket=bucket, Key="k")) == "AccessDenied"
    s3.put_bucket_acl(Bucket=bucket, GrantWrite=f'id="{me["ID"]}"', GrantReadACP=f'uri="{GROUP}/AuthenticatedUsers"')
    bob.put_object(Bucket=bucket, Key="mine", Body=b"x")
    assert len(bob.get_bucket_acl(Bucket=bucket)["Grants"]) == 2
    assert refused(lambda: bob.list_objects_v2(Bucket=bucket)) == "AccessDenied"
    assert refused(lambda: bob.put_bucket_acl(Bucket=bucket, ACL="private")) == "AccessDenied"


@pytest.mark.parametrize(
    "headers",
    [
        {"GrantRead": 'id="0000"'},
        {"GrantRead": 'uri="http://x.test/"'},
        {"GrantRead": "nonsense"},
        {"ACL": "nonsense"},
    ],
)
def test_a_grantee_that_is_none_is_refused(s3: Any, bucket: str, headers: Any) -> None:
    assert refused(lambda: s3.put_bucket_acl(Bucket=bucket, **headers)) == "InvalidArgument"


def test_ownership_can_be_taken_and_lists_turned_off(origin: Origin, s3: Any, bob: Any, bucket: str) -> None:
    assert refused(lambda: s3.get_bucket_ownership_controls(Bucket=bucket)) == "OwnershipControlsNotFoundError"
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    s3.put_object(Bucket=bucket, Key="public", Body=b"x", ACL="public-read")
    mine = s3.list_buckets()["Owner"]["ID"]

    def own(rule: str) -> None:
        s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": rule}]})

    own("BucketOwnerPreferred")
    bob.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="bucket-owner-full-control")
    assert s3.get_object_acl(Bucket=bucket, Key="k")["Owner"]["ID"] == mine
    assert refused(lambda: own("BucketOwnerEnforced")) == "InvalidBucketAclWithObjectOwnership"
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    own("BucketOwnerEnforced")
    assert get(origin, f"/{bucket}/public") == 403
    for call in (
        lambda: s3.put_object_acl(Bucket=bucket, Key="public", ACL="private"),
        lambda: s3.put_bucket_acl(Bucket=bucket, ACL="public-read"),
        lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="public-read"),
        lambda: s3.create_multipart_upload(Bucket=bucket, Key="k", ACL="public-read"),
    ):
        assert refused(call) == "AccessControlListNotSupported"
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="bucket-owner-full-control")
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    assert get(origin, f"/{bucket}/public") == 200


def test_a_bucket_may_be_made_without_lists(s3: Any, bucket: str) -> None:
    s3.create_bucket(Bucket=f"{bucket}-e", ObjectOwnership="BucketOwnerEnforced")
    [rule] = s3.get_bucket_ownership_controls(Bucket=f"{bucket}-e")["OwnershipControls"]["Rules"]
    assert rule["ObjectOwnership"] == "BucketOwnerEnforced"


def block(s3: Any, bucket: str, **switches: bool) -> None:
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=switches)


def test_public_access_block_takes_away_what_was_given(origin: Origin, s3: Any, bob: Any, bucket: str) -> None:
    assert refused(lambda: s3.get_public_access_block(Bucket=bucket)) == "NoSuchPublicAccessBlockConfiguration"
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="public-read")
    block(s3, bucket, IgnorePublicAcls=True)
    assert (get(origin, f"/{bucket}/k"), refused(lambda: bob.get_object(Bucket=bucket, Key="k"))) == (
        403,
        "AccessDenied",
    )
    set_policy(s3, bucket, statement())
    assert get(origin, f"/{bucket}/k") == 200
    block(s3, bucket, RestrictPublicBuckets=True, IgnorePublicAcls=True)
    assert get(origin, f"/{bucket}/k") == 403
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    s3.delete_public_access_block(Bucket=bucket)
    assert get(origin, f"/{bucket}/k") == 200


def test_public_access_block_refuses_to_open(s3: Any, bucket: str) -> None:
    block(s3, bucket, BlockPublicAcls=True, BlockPublicPolicy=True)
    config = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert (config["BlockPublicAcls"], config["IgnorePublicAcls"]) == (True, False)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for call in (
        lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="public-read"),
        lambda: s3.put_object_acl(Bucket=bucket, Key="k", ACL="authenticated-read"),
        lambda: s3.put_bucket_acl(Bucket=bucket, ACL="public-read"),
        lambda: set_policy(s3, bucket, statement()),
    ):
        assert refused(call) == "AccessDenied"
    set_policy(s3, bucket, statement(Principal={"AWS": s3.list_buckets()["Owner"]["ID"]}))


def test_each_change_of_access_is_one_event_of_the_bucket(origin: Origin, s3: Any, bucket: str) -> None:
    cursor = json.loads(origin.ask("GET", "/-/feed").body)["cursor"]
    set_policy(s3, bucket, statement())
    block(s3, bucket, IgnorePublicAcls=True)
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    s3.delete_bucket_policy(Bucket=bucket)
    events = json.loads(origin.ask("GET", f"/-/feed?cursor={cursor}").body)["events"]
    mine = [(event["kind"], event["key"]) for event in events if event["bucket"] == bucket]
    assert mine == [(BUCKET_CHANGED, None), (BUCKET_CHANGED, None), ("bucket.acl", None), (BUCKET_CHANGED, None)]
