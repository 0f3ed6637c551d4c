"""Server access logging as S3 spells it: the setting that no log is delivered.

The rule of this file: nothing is promised that does not happen. A status without LoggingEnabled is taken and returned;
one that asks for delivery is checked as AWS checks it and then refused, because Facet writes its access log to its own
log alone. https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLogging.html
"""

from __future__ import annotations

from origin.api.s3 import xml
from origin.api.s3.call import Answer, Call, xml_answer
from origin.service.model import ServiceError, Setting
from wire.refusals import Refusal

MAX_BODY = 64 * 1024
_ROOT = "BucketLoggingStatus"


async def get_logging(call: Call) -> Answer:
    """GetBucketLogging: an empty status."""
    await call.service.bucket_settings.get(call.caller, call.operation.name, call.bucket, Setting.LOGGING)
    return xml_answer(_ROOT, [])


async def put_logging(call: Call) -> Answer:
    """PutBucketLogging."""
    enabled = xml.parse(await call.body.read(MAX_BODY), _ROOT).find("LoggingEnabled")
    if enabled is not None:
        await _check_target(call, enabled)
        raise Refusal("NotImplemented", "Access logs are not delivered to buckets.")
    await call.service.bucket_settings.put(call.caller, call.operation.name, call.bucket, Setting.LOGGING, None)
    return Answer()


async def _check_target(call: Call, enabled: xml.Element) -> None:
    """Raise Refusal: MalformedXML, InvalidTargetBucketForLogging (not a bucket of the caller)."""
    target = enabled.value("TargetBucket")
    if not target or enabled.find("TargetPrefix") is None:
        raise xml.malformed()
    await call.service.bucket_settings.get(call.caller, call.operation.name, call.bucket, Setting.LOGGING)
    try:
        await call.service.buckets.location(call.caller, target)
    except ServiceError as error:
        raise Refusal(
            "InvalidTargetBucketForLogging", "The target bucket for logging does not exist", TargetBucket=target
        ) from error
