"""Who may do what: permissions, scopes, canned ACLs, and the edge key's anonymous view."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from origin.service.model import ANONYMOUS, Caller, ServiceError, Target
from origin.service.multipart import CreateUploadRequest
from origin.service.operations import TABLE, Level, Operation, candidates, operation
from origin.service.service import Service
from tests.origin.storage.support import BUCKET, caller, get, put


async def code(awaitable: object) -> str:
    """The code of the refusal, "" where it was allowed."""
    try:
        await awaitable  # type: ignore[misc]
    except ServiceError as error:
        return error.code
    return ""


async def test_objects_and_listings_are_private_unless_said_otherwise(service: Service, ada: Caller) -> None:
    await put(service, ada, "private", b"x")
    await put(service, ada, "public", b"y", acl="public-read")
    bob = await caller(service, "bob")
    for who in (ANONYMOUS, bob):
        assert await code(get(service, who, "private")) == "AccessDenied"
        assert await code(get(service, who, "missing")) == "AccessDenied"
        assert await code(service.listing.v2(who, BUCKET)) == "AccessDenied"
        assert await get(service, who, "public") == b"y"
        assert await code(put(service, who, "new", b"")) == "AccessDenied"
        assert await code(service.objects.delete(who, BUCKET, "public")) == "AccessDenied"
        assert await code(service.acls.object(who, BUCKET, "public")) == "AccessDenied"
        assert await code(service.acls.set_object(who, BUCKET, "public", "private")) == "AccessDenied"
    assert await code(get(service, ada, "missing")) == "NoSuchKey"


async def test_a_public_bucket_may_be_listed_and_its_objects_stay_private(service: Service, ada: Caller) -> None:
    await put(service, ada, "private", b"x")
    await service.acls.set_bucket(ada, BUCKET, "public-read")
    assert [one.key for one in (await service.listing.v2(ANONYMOUS, BUCKET)).objects] == ["private"]
    assert await code(get(service, ANONYMOUS, "private")) == "AccessDenied"
    assert await code(get(service, ANONYMOUS, "missing")) == "NoSuchKey"


async def test_an_object_made_private_disappears_for_the_edge(service: Service, ada: Caller) -> None:
    await put(service, ada, "k", b"x", acl="public-read")
    key = (await service.keys.add(owner="ada", permissions=["edge", "read"])).key
    edge = Caller(key, anonymous_view=True)
    assert edge.sees_identity
    assert await get(service, edge, "k") == b"x"
    await service.acls.set_object(ada, BUCKET, "k", "private")
    assert await code(get(service, edge, "k")) == "AccessDenied"
    assert await get(service, replace(edge, anonymous_view=False), "k") == b"x"


@pytest.mark.parametrize(
    ("permissions", "allowed"),
    [
        (["read"], {"get", "list"}),
        (["write"], {"put", "new", "upload"}),
        (["delete"], {"delete"}),
        (["create-only"], {"new", "upload"}),
        (["create-only", "read"], {"new", "upload", "get", "list"}),
        (["edge", "feed"], set()),
        (["admin"], {"get", "list", "put", "new", "upload", "delete", "acl"}),
    ],
)
async def test_a_key_may_do_what_it_is_permitted(
    service: Service, ada: Caller, permissions: list[str], allowed: set[str]
) -> None:
    await put(service, ada, "k", b"x")
    who = await caller(service, permissions=permissions)
    done = {
        "get": await code(get(service, who, "k")),
        "list": await code(service.listing.v1(who, BUCKET)),
        "put": await code(put(service, who, "k", b"y")),
        "new": await code(put(service, who, "new", b"y")),
        "upload": await code(service.uploads.create(who, CreateUploadRequest(bucket=BUCKET, key="up"))),
        "acl": await code(service.acls.set_bucket(who, BUCKET, "private")),
        "delete": await code(service.objects.delete(who, BUCKET, "k")),
    }
    assert {name for name, refused in done.items() if not refused} == allowed
    assert {refused for refused in done.values() if refused} <= {"AccessDenied"}


async def test_a_create_only_key_deletes_below_its_prefixes_alone(service: Service, ada: Caller) -> None:
    await put(service, ada, "locks/1", b"")
    await put(service, ada, "data/1", b"")
    who = await caller(service, permissions=["create-only"], allow_delete=["locks/"])
    assert await code(service.objects.delete(who, BUCKET, "locks/1")) == ""
    assert await code(service.objects.delete(who, BUCKET, "data/1")) == "AccessDenied"
    done = await service.objects.delete_many(who, BUCKET, [Target("locks/2"), Target("data/1")])
    assert [one.error.code if one.error else "" for one in done] == ["", "AccessDenied"]


async def test_a_key_stays_within_its_buckets(service: Service, ada: Caller) -> None:
    await put(service, ada, "k", b"x", acl="public-read")
    who = await caller(service, permissions=["admin"], buckets=["other"])
    assert await code(get(service, who, "k")) == "AccessDenied"
    assert await code(service.buckets.create(who, "third-bucket")) == "AccessDenied"
    assert await code(service.buckets.create(who, "other")) == ""


async def test_a_removed_key_is_gone_at_once(service: Service) -> None:
    made = await service.keys.add(owner="ada", access_key="gone", secret_key="long-enough")
    assert await service.keys.secret("gone") == (made.key, "long-enough")
    assert await service.keys.remove("gone")
    assert not await service.keys.remove("gone")
    assert await service.keys.secret("gone") is None
    await service.keys.add(owner="ada", access_key="gone", secret_key="another-one")
    assert (await service.keys.secret("gone") or (None, ""))[1] == "another-one"


async def test_a_key_asked_for_while_it_is_made_is_known_afterwards(service: Service) -> None:
    async def ask() -> None:
        for _ in range(20):
            await service.keys.secret("busy")

    made, *_ = await asyncio.gather(
        service.keys.add(owner="ada", access_key="busy", secret_key="long-enough"), *(ask() for _ in range(4))
    )
    assert await service.keys.secret("busy") == (made.key, "long-enough")


async def test_buckets_belong_to_who_made_them(service: Service, ada: Caller) -> None:
    bob = await caller(service, "bob")
    assert await code(service.buckets.create(ada, BUCKET, region="eu-west-1")) == "BucketAlreadyOwnedByYou"
    assert await code(service.buckets.create(bob, BUCKET)) == "BucketAlreadyExists"
    assert await code(service.buckets.create(ANONYMOUS, "anybodys")) == "AccessDenied"
    assert [one.name for one in (await service.buckets.list(ada)).buckets] == [BUCKET]
    assert (await service.buckets.list(bob)).buckets == ()
    await put(service, ada, "k", b"")
    assert await code(service.buckets.delete(ada, BUCKET)) == "BucketNotEmpty"
    await service.objects.delete(ada, BUCKET, "k")
    assert await code(service.buckets.delete(bob, BUCKET)) == "AccessDenied"
    await service.buckets.delete(ada, BUCKET)
    assert await code(service.buckets.head(ada, BUCKET)) == "NoSuchBucket"


@pytest.mark.parametrize(
    "name",
    [
        "localhost",
        "127.0.0.1",
        "10.1.2.3",
        "ab",
        "a" * 64,
        "Upper",
        "a..b",
        "a.-b",
        "-ab",
        "ab-",
        "a_b",
        "xn--a",
        "a b",
    ],
)
async def test_names_that_are_none_or_the_servers_own_are_refused(service: Service, ada: Caller, name: str) -> None:
    assert await code(service.buckets.create(ada, name)) == "InvalidBucketName"


async def test_an_acl_that_is_none_is_refused(service: Service, ada: Caller) -> None:
    await put(service, ada, "k", b"x", acl="bucket-owner-full-control")
    assert [permission for _, permission in (await service.acls.object(ada, BUCKET, "k")).grants] == ["FULL_CONTROL"]
    assert await code(put(service, ada, "k", b"x", acl="made-up")) == "InvalidArgument"
    for acl in ("made-up", (("id", "0" * 64, "READ"),), (("uri", "http://x.test/", "READ"),)):
        assert await code(service.acls.set_bucket(ada, BUCKET, acl)) == "InvalidArgument"
    unknown = (("emailAddress", "nobody@x.test", "READ"),)
    assert await code(service.acls.set_bucket(ada, BUCKET, unknown)) == "UnresolvableGrantByEmailAddress"


@pytest.mark.parametrize("row", [row for row in TABLE if not row.supported and row.level is not Level.SERVICE])
async def test_what_is_not_supported_is_refused_for_everybody(service: Service, ada: Caller, row: Operation) -> None:
    assert await code(service.access.authorise(ada, row, BUCKET, "k")) == "NotImplemented"


def test_a_sub_resource_never_falls_through_to_the_plain_operation() -> None:
    plain = {(row.level, row.method) for row in TABLE if not row.subresource}
    for level, method in plain:
        assert all(row.subresource == "" for row in candidates(level, method, ""))
        assert candidates(level, method, "made-up") == ()
    assert len({row.name for row in TABLE}) == len(TABLE)
    assert operation("PutObject").label == "put_object"
    assert operation("ListObjectsV2").label == "list_objects_v2"
    assert operation("GetBucketCors").audit == "s3:GetBucketCors"
