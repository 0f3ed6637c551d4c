"""Buckets as S3 spells them. https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html"""

from __future__ import annotations

import re
from urllib.parse import quote

from origin.api.s3 import xml
from origin.api.s3.call import XML_TYPE, Answer, Call, xml_answer
from origin.api.s3.exposure import asked_ownership
from origin.api.s3.grants import asked_acl, owner_items
from origin.service.buckets import CLASSIC_REGION
from wire.dates import iso8601
from wire.refusals import Refusal

MAX_CONFIGURATION = 64 * 1024
_REGION = re.compile(r"[a-z]{2,3}(-[a-z]+)+-\d{1,2}|EU")
"""The names that AWS's regions have; others are the server's own, or what the client signs for."""


async def list_buckets(call: Call) -> Answer:
    """ListBuckets, with prefix, paging and region filter."""
    prefix = call.query.get("prefix", "")
    page = await call.service.buckets.list(
        call.caller,
        prefix=prefix,
        max_buckets=call.integer("max-buckets", 10_000, 10_000),
        token=call.query.get("continuation-token") or None,
    )
    owner = call.caller.owner
    region = call.query.get("bucket-region")
    buckets: list[xml.Item] = [
        ("Bucket", [("Name", bucket.name), ("CreationDate", iso8601(bucket.created)), ("BucketRegion", bucket.region)])
        for bucket in page.buckets
        if not region or bucket.region == region
    ]
    return xml_answer(
        "ListAllMyBucketsResult",
        [
            ("Owner", None if owner is None else owner_items(owner)),
            ("Buckets", buckets),
            ("ContinuationToken", page.next_token),
            ("Prefix", prefix or None),
        ],
    )


async def create_bucket(call: Call) -> Answer:
    """CreateBucket. A name that the server itself is reached by is refused."""
    if call.hosts.reserves(call.bucket):
        raise Refusal(
            "InvalidBucketName", "The specified bucket is not valid: it names this server.", BucketName=call.bucket
        )
    body = await call.body.read(MAX_CONFIGURATION)
    region = xml.parse(body, "CreateBucketConfiguration").value("LocationConstraint") if body else None
    if region and region not in (call.region, call.settings.region) and not _REGION.fullmatch(region):
        raise Refusal(
            "InvalidLocationConstraint", "The specified location-constraint is not valid", LocationConstraint=region
        )
    await call.service.buckets.create(
        call.caller,
        call.bucket,
        acl=asked_acl(call.headers),
        region=region or None,
        ownership=asked_ownership(call.headers),
        lock=call.headers.get("x-amz-bucket-object-lock-enabled", "").lower() == "true",
    )
    return Answer(200, {"Location": f"/{quote(call.bucket)}"})


async def head_bucket(call: Call) -> Answer:
    """HeadBucket."""
    bucket = await call.service.buckets.head(call.caller, call.bucket)
    return Answer(200, {**XML_TYPE, "x-amz-bucket-region": bucket.region, "x-amz-access-point-alias": "false"})


async def delete_bucket(call: Call) -> Answer:
    """DeleteBucket."""
    await call.service.buckets.delete(call.caller, call.bucket)
    return Answer(204)


async def get_bucket_location(call: Call) -> Answer:
    """GetBucketLocation. The classic region's constraint is empty, as on AWS."""
    region = await call.service.buckets.location(call.caller, call.bucket)
    content = "" if region == CLASSIC_REGION else region
    return Answer(200, XML_TYPE, xml.PROLOG + xml.element("LocationConstraint", content))
