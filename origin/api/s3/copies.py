"""CopyObject. https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html"""

from __future__ import annotations

from dataclasses import dataclass

from origin.api.s3 import headers as fields
from origin.api.s3 import xml
from origin.api.s3.call import XML_TYPE, Answer, Call, Pending
from origin.api.s3.grants import asked_acl
from origin.api.s3.router import decode
from origin.service.model import CopyRequest, ObjectInfo
from wire.dates import iso8601
from wire.refusals import Refusal

CONDITION_PREFIX = "x-amz-copy-source-"


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
    replace = _directive(call)
    request = CopyRequest(
        source_bucket=source.bucket,
        source_key=source.key,
        source_version=source.version_id,
        source_conditions=fields.read_conditions(call.headers, CONDITION_PREFIX),
        bucket=call.bucket,
        key=call.key,
        replace=replace,
        content_type=fields.content_type(call.headers),
        headers=fields.kept(call.headers),
        metadata=fields.metadata(call.headers),
        acl=asked_acl(call.headers, call.caller.owner) or "private",
        storage_class=fields.storage_class(call.headers),
        conditions=fields.write_conditions(call.headers),
    )

    async def copied() -> bytes:
        return _result(await call.service.objects.copy(call.caller, request))

    return Answer(200, XML_TYPE, Pending(copied()))


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
    checksums: list[xml.Item] = [(f"Checksum{name}", value) for name, value in info.checksums.items()]
    return xml.element(
        "CopyObjectResult",
        [("LastModified", iso8601(info.last_modified)), ("ETag", fields.quoted(info.etag)), *checksums],
    )
