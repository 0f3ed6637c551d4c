"""Bucket settings of one word as S3 spells them: who pays for requests, and transfer acceleration.

The rule of this file: one row a setting. The word is kept and returned; who pays is asked in service/access.py, and
acceleration has no endpoint of its own here, so it changes nothing.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketRequestPayment.html and
…/API_PutBucketAccelerateConfiguration.html
"""

from __future__ import annotations

from dataclasses import dataclass

from origin.api.s3 import xml
from origin.api.s3.call import Answer, Call, xml_answer
from origin.service.access import REQUESTER
from origin.service.model import Setting
from wire.refusals import Refusal

MAX_BODY = 64 * 1024


@dataclass(frozen=True, slots=True)
class Switch:
    """One setting: where it is kept, how it is spelled, and its value where it was never set (None shows nothing)."""

    setting: Setting
    root: str
    element: str
    values: frozenset[str]
    unset: str | None = None


_PAYMENT = Switch(
    Setting.PAYMENT, "RequestPaymentConfiguration", "Payer", frozenset({"BucketOwner", REQUESTER}), "BucketOwner"
)
_ACCELERATION = Switch(Setting.ACCELERATION, "AccelerateConfiguration", "Status", frozenset({"Enabled", "Suspended"}))


async def get_payment(call: Call) -> Answer:
    """GetBucketRequestPayment."""
    return await _get(call, _PAYMENT)


async def put_payment(call: Call) -> Answer:
    """PutBucketRequestPayment."""
    return await _put(call, _PAYMENT)


async def charged(call: Call) -> dict[str, str]:
    """What the answer to a client who agreed to pay says: that it does, where the bucket's owner does not."""
    kept = await call.service.bucket_settings.public(call.bucket, Setting.PAYMENT)
    return {"x-amz-request-charged": "requester"} if kept == REQUESTER else {}


async def get_acceleration(call: Call) -> Answer:
    """GetBucketAccelerateConfiguration."""
    return await _get(call, _ACCELERATION)


async def put_acceleration(call: Call) -> Answer:
    """PutBucketAccelerateConfiguration. AWS has none for names with dots, which its certificate does not cover."""
    if "." in call.bucket:
        raise Refusal("InvalidRequest", "S3 Transfer Acceleration is not supported for buckets with periods (.) in"
                      " their names")  # fmt: skip
    return await _put(call, _ACCELERATION)


async def _get(call: Call, switch: Switch) -> Answer:
    kept = await call.service.bucket_settings.get(call.caller, call.operation.name, call.bucket, switch.setting)
    return xml_answer(switch.root, [(switch.element, kept or switch.unset)])


async def _put(call: Call, switch: Switch) -> Answer:
    value = xml.parse(await call.body.read(MAX_BODY), switch.root).value(switch.element)
    if value not in switch.values:
        raise xml.malformed()
    await call.service.bucket_settings.put(call.caller, call.operation.name, call.bucket, switch.setting, value)
    return Answer()
