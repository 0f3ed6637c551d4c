"""Multipart uploads as S3 spells them. https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from origin.api.s3 import headers as fields
from origin.api.s3 import xml
from origin.api.s3.call import MAX_PARTS, XML_TYPE, Answer, Call, Finished, Pending, xml_answer
from origin.api.s3.customer import of_customer
from origin.api.s3.grants import asked_acl, owner_items
from origin.api.s3.listing import common_prefixes, speller
from origin.api.s3.locks import asked_lock
from origin.api.s3.tagging import asked_tags
from origin.service.digests import DEFAULT
from origin.service.multipart import CompletedPart, CreateUploadRequest, PartInfo, UploadInfo, Whole
from wire.checksums import ALGORITHMS, for_name
from wire.dates import iso8601
from wire.refusals import Refusal

MAX_PAGE = 1000
MAX_BODY = 4 * 1024 * 1024
CHECKSUM_TYPES = frozenset({"COMPOSITE", "FULL_OBJECT"})


async def create_upload(call: Call) -> Answer:
    """CreateMultipartUpload."""
    fields.refuse_unsupported(call.headers)
    algorithm, kind = _checksum_choice(call)
    customer = call.customer()
    upload = await call.service.uploads.create(
        call.caller,
        CreateUploadRequest(
            bucket=call.bucket,
            key=call.key,
            content_type=fields.content_type(call.headers),
            headers=fields.kept(call.headers),
            metadata=fields.metadata(call.headers),
            acl=asked_acl(call.headers),
            storage_class=fields.storage_class(call.headers) or "STANDARD",
            tags=asked_tags(call.headers),
            lock=asked_lock(call.headers),
            checksum_algorithm=algorithm,
            checksum_type=kind,
            customer=customer,
        ),
    )
    answer = xml_answer(
        "InitiateMultipartUploadResult",
        [("Bucket", call.bucket), ("Key", call.key), ("UploadId", upload.upload_id)],
    )
    shown = {"x-amz-checksum-algorithm": upload.checksum_algorithm, "x-amz-checksum-type": upload.checksum_type}
    headers = {name: value for name, value in shown.items() if value} | fields.of_abort(upload.abort)
    encryption = {**upload.encryption, **of_customer(customer), **fields.of_context(call.headers)}
    return Answer(200, {**answer.headers, **headers, **encryption}, answer.body)


async def upload_part(call: Call) -> Answer:
    """UploadPart. Its size is checked before the body is asked for."""
    fields.refuse_unsupported(call.headers)
    fields.refuse_encryption(call.headers)
    number, customer = demand_part_number(call), call.customer()
    call.body.demand_length(min(call.settings.max_put, call.settings.max_object))
    part = await call.service.uploads.put_part(
        call.caller, call.bucket, call.key, call.query["uploadId"], number, call.body.expected(), aiter(call.body),
        customer,
    )  # fmt: skip
    headers = {"ETag": fields.quoted(part.etag), **fields.of_checksums(_own_checksum(part.checksums))}
    return Answer(200, {**headers, **part.encryption, **of_customer(customer)})


def demand_part_number(call: Call) -> int:
    """The partNumber, which must be given. Raises Refusal (InvalidArgument)."""
    number = call.part_number()
    if number is None:
        raise Refusal("InvalidArgument", "uploadId needs partNumber.", ArgumentName="partNumber")
    return number


def checksum_items(checksums: Mapping[str, str], kind: str | None = None) -> list[xml.Item]:
    """Checksums as elements, with their type where there are any."""
    items: list[xml.Item] = [(f"Checksum{name}", value) for name, value in checksums.items()]
    return [*items, ("ChecksumType", kind if items else None)]


def _own_checksum(checksums: Mapping[str, str]) -> dict[str, str]:
    """The one checksum of a part that is shown: what the client gave, else the one that was computed anyway."""
    return dict(sorted(checksums.items(), key=lambda item: item[0] == DEFAULT)[:1])


async def list_parts(call: Call) -> Answer:
    """ListParts."""
    marker = call.integer("part-number-marker", 0)
    limit = min(call.integer("max-parts", MAX_PAGE), MAX_PAGE)
    page = await call.service.uploads.list_parts(
        call.caller, call.bucket, call.key, call.query["uploadId"], marker=marker, max_parts=limit
    )
    owner = owner_items(page.upload.owner)
    shown = page.upload.checksum_algorithm
    parts: list[xml.Item] = [("Part", _part(part, shown)) for part in page.parts]
    answer = xml_answer(
        "ListPartsResult",
        [
            ("Bucket", call.bucket),
            ("Key", call.key),
            ("UploadId", page.upload.upload_id),
            ("PartNumberMarker", marker),
            ("NextPartNumberMarker", page.next_marker),
            ("MaxParts", limit),
            ("IsTruncated", page.truncated),
            *parts,
            ("Initiator", owner),
            ("Owner", owner),
            ("StorageClass", page.upload.storage_class),
            ("ChecksumAlgorithm", page.upload.checksum_algorithm),
            ("ChecksumType", page.upload.checksum_type),
        ],
    )
    return replace(answer, headers={**answer.headers, **fields.of_abort(page.upload.abort)})


async def complete_upload(call: Call) -> Answer:
    """CompleteMultipartUpload. Checking may take long, so the client is kept waiting inside the 200."""
    root = xml.parse(await call.body.read(MAX_BODY, of_object=True), "CompleteMultipartUpload")
    parts = [_completed(element) for element in root.all("Part")]
    if not parts or len(parts) > MAX_PARTS:
        raise xml.malformed()
    whole = _whole(call)

    async def completed() -> Finished:
        info = await call.service.uploads.complete(
            call.caller, call.bucket, call.key, call.query["uploadId"], parts,
            conditions=fields.write_conditions(call.headers),
            whole=whole,
        )  # fmt: skip
        element = xml.element(
            "CompleteMultipartUploadResult",
            [
                ("Location", call.location),
                ("Bucket", call.bucket),
                ("Key", call.key),
                ("ETag", fields.quoted(info.etag)),
                *checksum_items(info.checksums, info.checksum_type),
            ],
        )
        return Finished(element, fields.of_write(info))

    return Answer(200, XML_TYPE, Pending(completed()))


async def abort_upload(call: Call) -> Answer:
    """AbortMultipartUpload."""
    await call.service.uploads.abort(call.caller, call.bucket, call.key, call.query["uploadId"])
    return Answer(204)


async def list_uploads(call: Call) -> Answer:
    """ListMultipartUploads."""
    encoding, spell = speller(call)
    names = ("prefix", "delimiter", "key-marker", "upload-id-marker")
    prefix, delimiter, key_marker, upload_marker = (call.query.get(name, "") for name in names)
    limit = min(call.integer("max-uploads", MAX_PAGE), MAX_PAGE)
    page = await call.service.uploads.list_uploads(
        call.caller, call.bucket, prefix=prefix, delimiter=delimiter, key_marker=key_marker,
        upload_marker=upload_marker, max_uploads=limit,
    )  # fmt: skip
    uploads: list[xml.Item] = [("Upload", _upload(upload, spell(upload.key))) for upload in page.uploads]
    return xml_answer(
        "ListMultipartUploadsResult",
        [
            ("Bucket", call.bucket),
            ("KeyMarker", spell(key_marker)),
            ("UploadIdMarker", upload_marker),
            ("NextKeyMarker", None if page.next_key_marker is None else spell(page.next_key_marker)),
            ("NextUploadIdMarker", page.next_upload_marker),
            ("Delimiter", spell(delimiter) or None),
            ("Prefix", spell(prefix)),
            ("MaxUploads", limit),
            ("IsTruncated", page.truncated),
            *uploads,
            *common_prefixes(page.prefixes, spell),
            ("EncodingType", encoding),
        ],
    )


def asked_algorithm(headers: Mapping[str, str]) -> str | None:
    """The checksum algorithm that x-amz-checksum-algorithm names. Raises Refusal (InvalidRequest)."""
    name = headers.get("x-amz-checksum-algorithm")
    algorithm = for_name(name) if name else None
    if name and algorithm is None:
        raise Refusal("InvalidRequest", "Checksum algorithm provided is unsupported. Please try again with any of the "
                      f"valid types: [{', '.join(ALGORITHMS)}]")  # fmt: skip
    return algorithm.name if algorithm else None


def _checksum_choice(call: Call) -> tuple[str | None, str | None]:
    """The checksum algorithm and type that an upload fixes. Raises Refusal (InvalidRequest)."""
    algorithm, kind = asked_algorithm(call.headers), call.headers.get("x-amz-checksum-type")
    if kind is not None and kind not in CHECKSUM_TYPES:
        raise Refusal("InvalidRequest", "Value for x-amz-checksum-type header is invalid.")
    if kind is not None and algorithm is None:
        raise Refusal(
            "InvalidRequest",
            "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
        )
    return algorithm, kind


def _whole(call: Call) -> Whole:
    """What the headers of CompleteMultipartUpload say of the object. Raises Refusal (InvalidRequest)."""
    size = call.headers.get("x-amz-mp-object-size", "")
    kind = call.headers.get("x-amz-checksum-type")
    if (size and not (size.isascii() and size.isdigit())) or (kind is not None and kind not in CHECKSUM_TYPES):
        raise Refusal("InvalidRequest", "Value for x-amz-checksum-type or x-amz-mp-object-size header is invalid.")
    checksums = {name: call.headers[row.header] for name, row in ALGORITHMS.items() if row.header in call.headers}
    return Whole(size=int(size) if size else None, checksums=checksums, checksum_type=kind)


def _completed(element: xml.Element) -> CompletedPart:
    number = element.require("PartNumber").strip()
    if not (number.isascii() and number.isdigit() and len(number) <= 6):
        raise xml.malformed()
    checksums = {name: value for name in ALGORITHMS if (value := element.value(f"Checksum{name}"))}
    return CompletedPart(number=int(number), etag=element.require("ETag").strip(), checksums=checksums)


def _part(part: PartInfo, algorithm: str | None) -> list[xml.Item]:
    """A part of a listing, with the checksum that its upload chose."""
    return [
        ("PartNumber", part.number),
        ("LastModified", iso8601(part.last_modified)),
        ("ETag", fields.quoted(part.etag)),
        ("Size", part.size),
        *((f"Checksum{name}", value) for name, value in part.checksums.items() if name == algorithm),
    ]


def _upload(upload: UploadInfo, key: str) -> list[xml.Item]:
    owner = owner_items(upload.owner)
    return [
        ("Key", key),
        ("UploadId", upload.upload_id),
        ("Initiator", owner),
        ("Owner", owner),
        ("StorageClass", upload.storage_class),
        ("Initiated", iso8601(upload.initiated)),
        ("ChecksumAlgorithm", upload.checksum_algorithm),
        ("ChecksumType", upload.checksum_type),
    ]
