"""Tags of objects and buckets as S3 spells them.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html, …/API_PutBucketTagging.html
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from origin.api.s3 import headers as fields
from origin.api.s3 import xml
from origin.api.s3.call import XML_TYPE, Answer, Call
from origin.api.s3.context import knowing, of_tags
from origin.service.operations import Level
from origin.service.tags import tag_set
from wire.refusals import Refusal

MAX_TAGGING = 64 * 1024
HEADER = "x-amz-tagging"
DIRECTIVE = "x-amz-tagging-directive"


def asked_tags(headers: Mapping[str, str]) -> dict[str, str]:
    """The tags of the x-amz-tagging header: a query string, in which a tag may lack its value.

    Raises Refusal (InvalidArgument); ServiceError.
    """
    value = headers.get(HEADER, "")
    try:
        pairs = parse_qsl(value, keep_blank_values=True, errors="strict")
    except ValueError:
        pairs = None
    if pairs is None or len(dict(pairs)) != len(pairs) or any(not one or one[0] == "=" for one in _pieces(value)):
        raise Refusal(
            "InvalidArgument",
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag"
            " name duplicates.",
            ArgumentName=HEADER,
            ArgumentValue=value,
        )
    return tag_set(pairs, Level.OBJECT)


def _pieces(value: str) -> list[str]:
    return value.split("&") if value else []


def copied_tags(headers: Mapping[str, str]) -> dict[str, str] | None:
    """The tags that a copy gets; None are the source's. Raises as `asked_tags` does."""
    directive = headers.get(DIRECTIVE, "COPY")
    if directive not in ("COPY", "REPLACE"):
        raise Refusal("InvalidArgument", "Unknown tagging directive.", ArgumentName=DIRECTIVE, ArgumentValue=directive)
    return asked_tags(headers) if directive == "REPLACE" else None


def parse_tagging(body: bytes, level: Level) -> dict[str, str]:
    """The tags of a Tagging document. Raises Refusal (MalformedXML); ServiceError (InvalidTag)."""
    listed = xml.parse(body, "Tagging").find("TagSet")
    if listed is None:
        raise xml.malformed()
    return tag_set([(tag.require("Key"), tag.require("Value")) for tag in listed.all("Tag")], level)


def tag_items(tags: Mapping[str, str]) -> list[xml.Item]:
    """One Tag element for each."""
    return [("Tag", [("Key", key), ("Value", value)]) for key, value in tags.items()]


async def get_object_tagging(call: Call) -> Answer:
    """GetObjectTagging."""
    tags, version = await call.service.tags.of_object(call.caller, call.bucket, call.key, call.query.get("versionId"))
    return _tagging(tags, fields.of_version(version))


async def put_object_tagging(call: Call) -> Answer:
    """PutObjectTagging."""
    tags = parse_tagging(await call.body.read(MAX_TAGGING), Level.OBJECT)
    return Answer(200, await _set(call, tags))


async def delete_object_tagging(call: Call) -> Answer:
    """DeleteObjectTagging."""
    return Answer(204, await _set(call, None))


async def _set(call: Call, tags: Mapping[str, str] | None) -> dict[str, str]:
    caller = knowing(call.caller, of_tags(tags or {}))
    version = await call.service.tags.set_of_object(caller, call.bucket, call.key, tags, call.query.get("versionId"))
    return fields.of_version(version)


async def get_bucket_tagging(call: Call) -> Answer:
    """GetBucketTagging."""
    return _tagging(await call.service.tags.of_bucket(call.caller, call.bucket), {})


async def put_bucket_tagging(call: Call) -> Answer:
    """PutBucketTagging."""
    tags = parse_tagging(await call.body.read(MAX_TAGGING), Level.BUCKET)
    await call.service.tags.set_of_bucket(call.caller, call.bucket, tags)
    return Answer(204)


async def delete_bucket_tagging(call: Call) -> Answer:
    """DeleteBucketTagging."""
    await call.service.tags.set_of_bucket(call.caller, call.bucket, None)
    return Answer(204)


def _tagging(tags: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
    return Answer(200, {**XML_TYPE, **headers}, xml.document("Tagging", [("TagSet", tag_items(tags))]))
