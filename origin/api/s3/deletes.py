"""DeleteObjects. https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html"""

from __future__ import annotations

from origin.api.s3 import headers as fields
from origin.api.s3 import xml
from origin.api.s3.call import Answer, Call, xml_answer
from origin.api.s3.locks import asks_bypass
from origin.service.model import DeleteConditions, Deletion, Target
from wire.refusals import Refusal

MAX_KEYS = 1000
MAX_BODY = 4 * 1024 * 1024


async def delete_objects(call: Call) -> Answer:
    """DeleteObjects: each key has its own result; a quiet answer names only those that failed."""
    if not call.body.vouched:
        raise Refusal("InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
    root = xml.parse(await call.body.read(MAX_BODY), "Delete")
    quiet = (root.value("Quiet") or "").lower() == "true"
    targets = [_target(entry) for entry in root.all("Object")]
    if not targets or len(targets) > MAX_KEYS or any(not target.key for target in targets):
        raise xml.malformed()
    results = await call.service.objects.delete_many(call.caller, call.bucket, targets, bypass=asks_bypass(call))
    items = [_item(result) for result in results if result.error is not None or not quiet]
    return xml_answer("DeleteResult", items)


def _target(entry: xml.Element) -> Target:
    """One Object element, with the conditions it carries."""
    modified, size = entry.value("LastModifiedTime"), entry.value("Size")
    conditions = DeleteConditions(
        if_match=entry.value("ETag"),
        modified=None if modified is None else fields.time_of(modified),
        size=None if size is None else xml.integer(size),
    )
    return Target(entry.require("Key"), entry.value("VersionId") or None, conditions)


def _item(result: Deletion) -> xml.Item:
    if result.error is not None:
        return "Error", [
            ("Key", result.key),
            ("VersionId", result.version_id),
            ("Code", result.error.code),
            ("Message", result.error.message),
        ]
    return "Deleted", [
        ("Key", result.key),
        ("VersionId", result.version_id),
        ("DeleteMarker", True if result.marker else None),
        ("DeleteMarkerVersionId", result.marker),
    ]
