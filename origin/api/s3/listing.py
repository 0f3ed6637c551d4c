"""Listings of keys as S3 spells them.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html and …/API_ListObjectsV2.html
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from origin.api.s3 import xml
from origin.api.s3.call import Answer, Call, xml_answer
from origin.api.s3.grants import owner_items
from origin.api.s3.headers import quoted
from origin.service.model import ObjectInfo
from origin.service.pages import ListPage
from wire.dates import iso8601
from wire.refusals import Refusal

MAX_KEYS = 1000

Spell = Callable[[str], str]


def speller(call: Call) -> tuple[str | None, Spell]:
    """The encoding-type asked for, and how keys are spelled in it. Tokens are opaque and never encoded.

    Raises Refusal (InvalidArgument) for an encoding other than url.
    """
    encoding = call.query.get("encoding-type") or None
    if encoding is None:
        return None, str
    if encoding != "url":
        raise Refusal(
            "InvalidArgument", "Invalid Encoding Method specified in Request", ArgumentName="encoding-type",
            ArgumentValue=encoding,
        )  # fmt: skip
    return encoding, lambda key: quote(key, safe="/-_.~")


async def list_objects(call: Call) -> Answer:
    """ListObjects (version 1)."""
    encoding, spell = speller(call)
    prefix, delimiter, marker = (call.query.get(name, "") for name in ("prefix", "delimiter", "marker"))
    limit = min(call.integer("max-keys", MAX_KEYS), MAX_KEYS)
    page = await call.service.listing.v1(
        call.caller, call.bucket, prefix=prefix, delimiter=delimiter, marker=marker, max_keys=limit
    )
    next_marker = spell(page.next_marker) if delimiter and page.truncated and page.next_marker else None
    return xml_answer(
        "ListBucketResult",
        [
            ("Name", call.bucket),
            ("Prefix", spell(prefix)),
            ("Marker", spell(marker)),
            ("NextMarker", next_marker),
            ("MaxKeys", limit),
            ("Delimiter", spell(delimiter) or None),
            ("IsTruncated", page.truncated),
            *_contents(page, spell, owner=True),
            ("EncodingType", encoding),
        ],
    )


async def list_objects_v2(call: Call) -> Answer:
    """ListObjectsV2."""
    encoding, spell = speller(call)
    prefix, delimiter, start_after = (call.query.get(name, "") for name in ("prefix", "delimiter", "start-after"))
    token = call.query.get("continuation-token")
    if token == "":
        raise Refusal(
            "InvalidArgument", "The continuation token provided is incorrect", ArgumentName="continuation-token"
        )
    limit = min(call.integer("max-keys", MAX_KEYS), MAX_KEYS)
    page = await call.service.listing.v2(
        call.caller, call.bucket, prefix=prefix, delimiter=delimiter, start_after=start_after, token=token,
        max_keys=limit,
    )  # fmt: skip
    return xml_answer(
        "ListBucketResult",
        [
            ("Name", call.bucket),
            ("Prefix", spell(prefix)),
            ("StartAfter", spell(start_after) or None),
            ("ContinuationToken", token),
            ("NextContinuationToken", page.next_token if page.truncated else None),
            ("KeyCount", len(page.objects) + len(page.prefixes)),
            ("MaxKeys", limit),
            ("Delimiter", spell(delimiter) or None),
            ("IsTruncated", page.truncated),
            *_contents(page, spell, owner=call.query.get("fetch-owner", "").lower() == "true"),
            ("EncodingType", encoding),
        ],
    )


def common_prefixes(prefixes: tuple[str, ...], spell: Spell) -> list[xml.Item]:
    """One CommonPrefixes element for each."""
    return [("CommonPrefixes", [("Prefix", spell(prefix))]) for prefix in prefixes]


def _contents(page: ListPage, spell: Spell, *, owner: bool) -> list[xml.Item]:
    listed: list[xml.Item] = [
        ("Contents", [("Key", spell(info.key)), *entry_items(info, owner=owner)]) for info in page.objects
    ]
    return listed + common_prefixes(page.prefixes, spell)


def entry_items(info: ObjectInfo, *, owner: bool) -> list[xml.Item]:
    """What every listing says of an object, behind its key."""
    algorithms: list[xml.Item] = [("ChecksumAlgorithm", name) for name in info.checksums]
    return [
        ("LastModified", iso8601(info.last_modified)),
        ("ETag", quoted(info.etag)),
        *algorithms,
        ("ChecksumType", info.checksum_type if algorithms else None),
        ("Size", info.size),
        ("Owner", owner_items(info.owner) if owner else None),
        ("StorageClass", info.storage_class),
    ]
