"""Copies inside the store: CopyObject and UploadPartCopy.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html, …/API_UploadPartCopy.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from msgspec.structs import replace

from origin.api.s3 import headers as fields
from origin.api.s3 import xml
from origin.api.s3.call import XML_TYPE, Answer, Call, Finished, Pending
from origin.api.s3.customer import SOURCE, of_customer
from origin.api.s3.grants import asked_acl
from origin.api.s3.locks import asked_lock
from origin.api.s3.router import decode
from origin.api.s3.tagging import copied_tags
from origin.api.s3.uploads import asked_algorithm, checksum_items, demand_part_number
from origin.service.model import Caller, CopyRequest, IsDeleteMarker, NotModified, ObjectInfo, ServiceError
from origin.service.placing import precondition_failed
from origin.service.reading import Reading
from origin.service.versions import naming, no_source
from wire.dates import iso8601
from wire.refusals import Refusal

CONDITION_PREFIX = "x-amz-copy-source-"
SOURCE_OWNER = "x-amz-source-expected-bucket-owner"
_RANGE = re.compile(r"bytes=(\d{1,15})-(\d{1,15})")


@dataclass(frozen=True, slots=True)
class Source:
    """What x-amz-copy-source names."""

    bucket: str
    key: str
    version_id: str | None


def parse_source(value: str) -> Source:
    """The source of a copy: [/]BUCKET/KEY[?versionId=ID], percent-encoded. Raises Refusal (InvalidArgument)."""
    path, mark, version = value.partition("?versionId=")
    bucket, _, key = path.removeprefix("/").partition("/")
    if not bucket or not key or (mark and not version):
        raise Refusal(
            "InvalidArgument",
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            ArgumentName="x-amz-copy-source",
            ArgumentValue=value,
        )
    return Source(decode(bucket), decode(key), version or None)


async def copy_object(call: Call) -> Answer:
    """CopyObject, with metadata directive and conditions on the source."""
    fields.refuse_unsupported(call.headers)
    source = parse_source(call.headers["x-amz-copy-source"])
    with_new = _directive(call)
    request = CopyRequest(
        source_bucket=source.bucket,
        source_key=source.key,
        source_version=source.version_id,
        source_conditions=fields.read_conditions(call.headers, CONDITION_PREFIX),
        source_expected_owner=call.headers.get(SOURCE_OWNER),
        bucket=call.bucket,
        key=call.key,
        replace=with_new,
        content_type=fields.content_type(call.headers),
        headers=fields.kept(call.headers),
        metadata=fields.metadata(call.headers),
        acl=asked_acl(call.headers),
        storage_class=fields.storage_class(call.headers),
        tags=copied_tags(call.headers),
        lock=asked_lock(call.headers),
        conditions=fields.write_conditions(call.headers),
        checksum_algorithm=asked_algorithm(call.headers),
        customer=call.customer(),
        source_customer=call.customer(SOURCE),
    )

    async def copied() -> Finished:
        copy = await call.service.objects.copy(call.caller, request)
        headers = {**fields.of_write(copy.info), **_source_version(copy.source_version)}
        return Finished(
            _result(copy.info), {**headers, **of_customer(request.customer), **fields.of_context(call.headers)}
        )

    return Answer(200, XML_TYPE, Pending(copied()))


async def upload_part_copy(call: Call) -> Answer:
    """UploadPartCopy: a part made of an object or of a range of it.

    What is not a whole object of known digests is read, checked and hashed like a body that was sent.
    """
    source = parse_source(call.headers["x-amz-copy-source"])
    number = demand_part_number(call)
    span = _copied_range(call.headers.get("x-amz-copy-source-range"))
    customer = call.customer()
    reading = await _open_source(call, source, span)

    async def copied() -> Finished:
        async with reading:
            part = await call.service.uploads.copy_part(
                call.caller, call.bucket, call.key, call.query["uploadId"], number, reading, customer
            )
        element = xml.element(
            "CopyPartResult",
            [
                ("LastModified", iso8601(part.last_modified)),
                ("ETag", fields.quoted(part.etag)),
                *checksum_items(part.checksums),
            ],
        )
        return Finished(element, {**part.encryption, **of_customer(customer)})

    return Answer(200, {**XML_TYPE, **_source_version(reading.info.version_id)}, Pending(copied()))


async def _open_source(call: Call, source: Source, span: tuple[int, int] | None) -> Reading:
    """The source's bytes. A copy has no 304: any condition that does not hold is PreconditionFailed."""
    try:
        reading = await call.service.objects.open(
            _source_caller(call, source),
            source.bucket,
            source.key,
            source.version_id,
            conditions=fields.read_conditions(call.headers, CONDITION_PREFIX),
            range=None if span is None else f"bytes={span[0]}-{span[1]}",
            customer=call.customer(SOURCE),
        )
    except NotModified as error:
        raise precondition_failed("x-amz-copy-source-if") from error
    except IsDeleteMarker as error:
        raise no_source(error) from error
    except ServiceError as error:
        raise _outside(int(error.detail["size"])) if error.code == "InvalidRange" else error from error
    if span is not None and span[1] >= reading.info.size:
        await reading.aclose()
        raise _outside(reading.info.size)
    return reading


def _outside(size: int) -> Refusal:
    return Refusal("InvalidArgument", f"Range specified is not valid for source object of size: {size}")


def _copied_range(value: str | None) -> tuple[int, int] | None:
    """x-amz-copy-source-range as (first, last); no other form of a range is taken. Raises Refusal (InvalidArgument)."""
    if value is None:
        return None
    match = _RANGE.fullmatch(value)
    if match is None or int(match[1]) > int(match[2]):
        raise Refusal(
            "InvalidArgument",
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy",
            ArgumentName="x-amz-copy-source-range",
            ArgumentValue=value,
        )
    return int(match[1]), int(match[2])


def _source_caller(call: Call, source: Source) -> Caller:
    """The caller as the reader of a copy's source, whose bucket may be expected to have another owner."""
    return naming(replace(call.caller, expected_owner=call.headers.get(SOURCE_OWNER)), source.version_id)


def _source_version(version_id: str | None) -> dict[str, str]:
    return {} if version_id is None else {"x-amz-copy-source-version-id": version_id}


def _directive(call: Call) -> bool:
    """Whether the copy gets new metadata."""
    directive = call.headers.get("x-amz-metadata-directive", "COPY")
    if directive not in ("COPY", "REPLACE"):
        raise Refusal(
            "InvalidArgument", "Unknown metadata directive.", ArgumentName="x-amz-metadata-directive",
            ArgumentValue=directive,
        )  # fmt: skip
    return directive == "REPLACE"


def _result(info: ObjectInfo) -> bytes:
    return xml.element(
        "CopyObjectResult",
        [
            ("LastModified", iso8601(info.last_modified)),
            ("ETag", fields.quoted(info.etag)),
            *checksum_items(info.checksums, info.checksum_type),
        ],
    )
