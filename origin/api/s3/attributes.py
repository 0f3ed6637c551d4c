"""GetObjectAttributes. https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html"""

from __future__ import annotations

from origin.api.s3 import xml
from origin.api.s3.call import Answer, Call, xml_answer
from origin.api.s3.uploads import MAX_PAGE, checksum_items
from origin.service.model import ObjectInfo
from wire.dates import http_date
from wire.refusals import Refusal

ATTRIBUTES = ("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")


async def get_object_attributes(call: Call) -> Answer:
    """What of an object the header x-amz-object-attributes asks for; the tag is without quotes here."""
    wanted = _wanted(call)
    marker, limit = _number(call, "x-amz-part-number-marker", 0), _number(call, "x-amz-max-parts", MAX_PAGE)
    info, sizes = await call.service.objects.attributes(
        call.caller, call.bucket, call.key, call.query.get("versionId"), call.customer()
    )
    checksums = checksum_items(info.checksums, info.checksum_type)
    values: dict[str, xml.Value] = {
        "ETag": info.etag,
        "Checksum": checksums if info.checksums else None,
        "ObjectParts": _parts(info, sizes, marker, min(limit, MAX_PAGE)) if info.parts_count else None,
        "StorageClass": info.storage_class,
        "ObjectSize": info.size,
    }
    answer = xml_answer("GetObjectAttributesResponse", [(name, values[name]) for name in ATTRIBUTES if name in wanted])
    headers = {**answer.headers, "Last-Modified": http_date(info.last_modified)}
    if info.version_id is not None:
        headers["x-amz-version-id"] = info.version_id
    return Answer(200, headers, answer.body)


def _wanted(call: Call) -> frozenset[str]:
    value = call.headers.get("x-amz-object-attributes", "")
    names = frozenset(name.strip() for name in value.split(",") if name.strip())
    if not names or not names <= set(ATTRIBUTES):
        raise Refusal(
            "InvalidArgument", "Invalid attribute name specified.", ArgumentName="x-amz-object-attributes",
            ArgumentValue=value,
        )  # fmt: skip
    return names


def _number(call: Call, name: str, default: int) -> int:
    value = call.headers.get(name)
    if value is None:
        return default
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise Refusal("InvalidArgument", f"{name} must be a number.", ArgumentName=name, ArgumentValue=value)
    return int(value)


def _parts(info: ObjectInfo, sizes: tuple[int, ...], marker: int, limit: int) -> list[xml.Item]:
    """The parts after number `marker`; they are listed one by one only where the upload chose a checksum, as on AWS."""
    if not info.part_checksums:
        return [("PartsCount", len(sizes))]
    [(algorithm, _)] = info.checksums.items()
    numbers = range(marker + 1, min(marker + limit, len(sizes)) + 1)
    parts: list[xml.Item] = [
        (
            "Part",
            [
                (f"Checksum{algorithm}", info.part_checksums[number - 1]),
                ("PartNumber", number),
                ("Size", sizes[number - 1]),
            ],
        )
        for number in numbers
    ]
    last = numbers[-1] if numbers else marker
    return [
        ("IsTruncated", last < len(sizes)),
        ("MaxParts", limit),
        ("NextPartNumberMarker", last),
        ("PartNumberMarker", marker),
        ("PartsCount", len(sizes)),
        *parts,
    ]
