"""Reading, writing and removing single objects.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, …/API_HeadObject.html, …/API_PutObject.html,
…/API_DeleteObject.html
"""

from __future__ import annotations

from origin.api.s3 import headers as fields
from origin.api.s3.call import Answer, Call
from origin.api.s3.grants import asked_acl
from origin.service.model import ObjectInfo, PutRequest
from origin.service.reading import Reading
from wire.conditions import if_range_holds
from wire.ranges import content_range
from wire.refusals import Refusal


async def get_object(call: Call) -> Answer:
    """GetObject: 200, 206 for one satisfiable range, 304; conditions and range hold for the bytes that are sent."""
    shown = fields.overrides(call.query, signed=call.signed)
    number = call.part_number()
    reading = await _open(call)
    try:
        headers = {**_described(call, reading.info, partial=reading.partial), **shown}
        if number is not None:
            _check_part(number, reading.info)
        if reading.partial or (number is not None and reading.info.size):
            headers["Content-Range"] = content_range(reading.start, reading.end - 1, reading.info.size)
        status = 206 if "Content-Range" in headers else 200
    except BaseException:
        await reading.aclose()
        raise
    return Answer(status, headers, reading)


async def head_object(call: Call) -> Answer:
    """HeadObject: what GetObject would answer, without bytes.

    A part number is answered with the whole object's size and without x-amz-mp-parts-count, so that an SDK goes on
    with ranges.
    """
    shown = fields.overrides(call.query, signed=call.signed)
    call.part_number()
    if "range" in call.headers:
        reading = await _open(call)
        await reading.aclose()
        headers = {**_described(call, reading.info, partial=reading.partial), **shown}
        if reading.partial:
            headers["Content-Range"] = content_range(reading.start, reading.end - 1, reading.info.size)
        return Answer(206 if reading.partial else 200, {**headers, "Content-Length": str(reading.length)})
    info = await call.service.objects.head(
        call.caller, call.bucket, call.key, call.query.get("versionId"), conditions=fields.read_conditions(call.headers)
    )
    return Answer(200, {**_described(call, info, partial=False), **shown, "Content-Length": str(info.size)})


async def put_object(call: Call) -> Answer:
    """PutObject. Size and form are checked before the body is asked for."""
    fields.refuse_unsupported(call.headers)
    call.body.demand_length(min(call.settings.max_put, call.settings.max_object))
    request = PutRequest(
        bucket=call.bucket,
        key=call.key,
        content_type=fields.content_type(call.headers),
        headers=fields.kept(call.headers),
        metadata=fields.metadata(call.headers),
        acl=asked_acl(call.headers, call.caller.owner) or "private",
        storage_class=fields.storage_class(call.headers) or "STANDARD",
        expected=call.body.expected(),
        conditions=fields.write_conditions(call.headers),
    )
    info = await call.service.objects.put(call.caller, request, aiter(call.body))
    return Answer(200, written(info))


async def delete_object(call: Call) -> Answer:
    """DeleteObject: 204, also for a key that never was."""
    gone = await call.service.objects.delete(call.caller, call.bucket, call.key, call.query.get("versionId"))
    headers = {}
    if gone.version_id is not None:
        headers["x-amz-version-id"] = gone.version_id
    if gone.delete_marker:
        headers["x-amz-delete-marker"] = "true"
    return Answer(204, headers)


def written(info: ObjectInfo) -> dict[str, str]:
    """The headers that answer a write."""
    headers = {"ETag": fields.quoted(info.etag), **fields.of_checksums(info.checksums)}
    if info.checksums:
        headers["x-amz-checksum-type"] = info.checksum_type
    if info.version_id is not None:
        headers["x-amz-version-id"] = info.version_id
    return headers


async def _open(call: Call) -> Reading:
    """Open the object, leaving out a Range whose If-Range does not hold."""
    conditions = fields.read_conditions(call.headers)
    version = call.query.get("versionId")
    wanted = call.headers.get("range")
    if wanted is not None and call.part_number() is not None:
        raise Refusal("InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
    reading = await call.service.objects.open(
        call.caller, call.bucket, call.key, version, conditions=conditions, range=wanted
    )
    if_range = call.headers.get("if-range")
    info = reading.info
    if reading.partial and if_range and not if_range_holds(if_range, fields.quoted(info.etag), int(info.last_modified)):
        await reading.aclose()
        return await call.service.objects.open(call.caller, call.bucket, call.key, version, conditions=conditions)
    return reading


def _described(call: Call, info: ObjectInfo, *, partial: bool) -> dict[str, str]:
    asked = call.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED"
    return fields.of_object(info, call.caller, checksums=asked and not partial)


def _check_part(number: int, info: ObjectInfo) -> None:
    """An object that was not uploaded in parts is its own part 1."""
    if info.parts_count is not None and info.parts_count > 1:
        raise Refusal("NotImplemented", "Reading single parts of a multipart object is not implemented; use Range.")
    if number > 1:
        raise Refusal("InvalidPartNumber", "The requested partnumber is not satisfiable", PartNumber=str(number))
