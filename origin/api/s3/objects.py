"""Reading, writing and removing single objects.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, …/API_HeadObject.html, …/API_PutObject.html,
…/API_DeleteObject.html
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from origin.api.s3 import headers as fields
from origin.api.s3.call import Answer, Call
from origin.api.s3.customer import of_customer
from origin.api.s3.grants import asked_acl
from origin.api.s3.locks import asked_lock, asks_bypass
from origin.api.s3.tagging import asked_tags
from origin.service.model import Expected, ObjectInfo, PutRequest
from origin.service.reading import Reading
from wire.conditions import if_range_holds
from wire.ranges import content_range
from wire.refusals import Refusal


async def get_object(call: Call) -> Answer:
    """GetObject: 200, 206 for one satisfiable range or a part, 304; all hold for the bytes that are sent."""
    shown = _asked(call)
    reading = await _open(call)
    try:
        headers = {**_selected(call, reading), **shown}
    except BaseException:
        await reading.aclose()
        raise
    return Answer(206 if "Content-Range" in headers else 200, headers, reading)


async def head_object(call: Call) -> Answer:
    """HeadObject: what GetObject would answer, without bytes."""
    shown = _asked(call)
    if "range" in call.headers or "partNumber" in call.query:
        reading = await _open(call)
        await reading.aclose()
        headers = {**_selected(call, reading), **shown}
        status = 206 if "Content-Range" in headers else 200
        return Answer(status, {**headers, "Content-Length": str(reading.length)})
    info = await call.service.objects.head(
        call.caller, call.bucket, call.key, call.query.get("versionId"),
        conditions=fields.read_conditions(call.headers), customer=call.customer(),
    )  # fmt: skip
    return Answer(200, {**_described(call, info), **shown, "Content-Length": str(info.size)})


def _asked(call: Call) -> dict[str, str]:
    """What the answer to a read has beside the object's headers. Raises Refusal."""
    fields.refuse_encryption(call.headers)
    return {**fields.overrides(call.query, signed=call.signed), **of_customer(call.customer())}


async def put_object(call: Call) -> Answer:
    """PutObject. Size and form are checked before the body is asked for."""
    call.body.demand_length(min(call.settings.max_put, call.settings.max_object))
    request = put_request(call, call.key, call.headers, call.body.expected())
    info = await call.service.objects.put(call.caller, request, aiter(call.body))
    return Answer(200, {**written(info), **of_customer(request.customer), **fields.of_context(call.headers)})


def put_request(call: Call, key: str, headers: Mapping[str, str], expected: Expected) -> PutRequest:
    """What headers (by lower-case name) say of an object that is written whole."""
    fields.refuse_unsupported(headers)
    return PutRequest(
        bucket=call.bucket,
        key=key,
        content_type=fields.content_type(headers),
        headers=fields.kept(headers),
        metadata=fields.metadata(headers),
        acl=asked_acl(headers),
        storage_class=fields.storage_class(headers) or "STANDARD",
        tags=asked_tags(headers),
        lock=asked_lock(headers),
        expected=expected,
        conditions=fields.write_conditions(headers),
        customer=replace(call, headers=headers).customer(),
    )


async def delete_object(call: Call) -> Answer:
    """DeleteObject: 204, also for a key that never was."""
    gone = await call.service.objects.delete(
        call.caller, call.bucket, call.key, call.query.get("versionId"),
        conditions=fields.delete_conditions(call.headers), bypass=asks_bypass(call),
    )  # fmt: skip
    return Answer(204, fields.of_version(gone.version_id) if gone.marker is None else fields.of_marker(gone.marker))


def written(info: ObjectInfo) -> dict[str, str]:
    """The headers that answer a write."""
    headers = {"ETag": fields.quoted(info.etag), **fields.of_checksums(info.checksums)}
    if info.checksums:
        headers["x-amz-checksum-type"] = info.checksum_type
    return headers | fields.of_write(info)


async def _open(call: Call) -> Reading:
    """Open the object, leaving out a Range whose If-Range does not hold."""
    conditions, customer = fields.read_conditions(call.headers), call.customer()
    version = call.query.get("versionId")
    wanted, part = call.headers.get("range"), call.part_number()
    if wanted is not None and part is not None:
        raise Refusal("InvalidRequest", "Cannot specify both Range header and partNumber query parameter")
    reading = await call.service.objects.open(
        call.caller, call.bucket, call.key, version, conditions=conditions, range=wanted, part=part,
        customer=customer,
    )  # fmt: skip
    if_range = call.headers.get("if-range")
    info = reading.info
    if (
        wanted is not None
        and reading.partial
        and if_range
        and not if_range_holds(if_range, fields.quoted(info.etag), int(info.last_modified))
    ):
        await reading.aclose()
        return await call.service.objects.open(
            call.caller, call.bucket, call.key, version, conditions=conditions, customer=customer
        )
    return reading


def _selected(call: Call, reading: Reading) -> dict[str, str]:
    """The headers of an object of which a range or a part may be shown.

    A whole object's checksum says nothing of a range; a part shows its own, where its upload chose an algorithm.
    """
    info, part = reading.info, call.part_number()
    if part is not None and info.part_checksums:
        own = dict.fromkeys(info.checksums, info.part_checksums[part - 1])
        info = replace(info, checksums=own)
    elif reading.partial and reading.length != info.size:
        info = replace(info, checksums={})
    headers = _described(call, info)
    if reading.partial and info.size:
        headers["Content-Range"] = content_range(reading.start, reading.end - 1, info.size)
    if part is not None and info.parts_count is not None:
        headers["x-amz-mp-parts-count"] = str(info.parts_count)
    return headers


def _described(call: Call, info: ObjectInfo) -> dict[str, str]:
    asked = call.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED"
    return fields.of_object(info, call.caller, checksums=asked)
