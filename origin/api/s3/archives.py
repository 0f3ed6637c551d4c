"""RestoreObject as S3 spells it. https://docs.aws.amazon.com/AmazonS3/latest/API/API_RestoreObject.html"""

from __future__ import annotations

from origin.api.s3 import xml
from origin.api.s3.call import Answer, Call
from wire.refusals import Refusal

_MAX_REQUEST = 64 * 1024


async def restore_object(call: Call) -> Answer:
    """RestoreObject: 200, as for what is restored already. A restore that selects is not implemented."""
    body = await call.body.read(_MAX_REQUEST)
    asked = xml.parse(body, "RestoreRequest") if body else None
    if asked is not None and asked.value("Type") is not None:
        raise Refusal("NotImplemented", "Restores that select are not implemented.")
    days = None if asked is None else xml.integer(asked.value("Days"))
    if days is not None and days < 1:
        raise Refusal(
            "InvalidArgument", "Days must be a positive number.", ArgumentName="Days", ArgumentValue=str(days)
        )
    await call.service.archives.restore(call.caller, call.bucket, call.key, call.query.get("versionId"))
    return Answer()
