"""DeleteObjects. https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html"""

from __future__ import annotations

from origin.api.s3 import xml
from origin.api.s3.call import Answer, Call, xml_answer
from origin.service.model import Deletion
from wire.refusals import Refusal

MAX_KEYS = 1000
MAX_BODY = 4 * 1024 * 1024


async def delete_objects(call: Call) -> Answer:
    """DeleteObjects: each key has its own result; a quiet answer names only those that failed."""
    if not call.body.vouched:
        raise Refusal("InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
    root = xml.parse(await call.body.read(MAX_BODY), "Delete")
    quiet = (root.value("Quiet") or "").lower() == "true"
    keys = [(entry.require("Key"), entry.value("VersionId") or None) for entry in root.all("Object")]
    if not keys or len(keys) > MAX_KEYS or any(not key for key, _ in keys):
        raise xml.malformed()
    results = await call.service.objects.delete_many(call.caller, call.bucket, keys)
    items = [_item(result) for result in results if result.error is not None or not quiet]
    return xml_answer("DeleteResult", items)


def _item(result: Deletion) -> xml.Item:
    if result.error is not None:
        return "Error", [
            ("Key", result.key),
            ("VersionId", result.version_id),
            ("Code", result.error.code),
            ("Message", result.error.message),
        ]
    marker = result.delete_marker
    return "Deleted", [
        ("Key", result.key),
        ("VersionId", None if marker else result.version_id),
        ("DeleteMarker", marker or None),
        ("DeleteMarkerVersionId", result.version_id if marker else None),
    ]
