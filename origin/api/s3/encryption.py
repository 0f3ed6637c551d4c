"""Default encryption of buckets.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketEncryption.html
"""

from __future__ import annotations

import msgspec

from origin.api.s3 import xml
from origin.api.s3.call import Answer, Call, xml_answer
from origin.service.encryption import (
    KMS,
    SSE_S3,
    DefaultEncryption,
    default_encryption,
)
from origin.service.model import Setting
from wire.refusals import Refusal

SSE_C = "SSE-C"
MAX_BODY = 64 * 1024


async def get_encryption(call: Call) -> Answer:
    """GetBucketEncryption: SSE-S3 where nothing else was set."""
    document = await call.service.bucket_settings.get(call.caller, call.operation.name, call.bucket, Setting.ENCRYPTION)
    chosen = default_encryption({} if document is None else {Setting.ENCRYPTION: document})
    applied: list[xml.Item] = [("SSEAlgorithm", chosen.algorithm), ("KMSMasterKeyID", chosen.key_id)]
    blocked: list[xml.Item] = [("EncryptionType", SSE_C)]
    rule: list[xml.Item] = [
        ("ApplyServerSideEncryptionByDefault", applied), ("BucketKeyEnabled", chosen.bucket_key),
        ("BlockedEncryptionTypes", blocked if chosen.blocks_customer_keys else None),
    ]  # fmt: skip
    return xml_answer("ServerSideEncryptionConfiguration", [("Rule", rule)])


async def put_encryption(call: Call) -> Answer:
    """PutBucketEncryption: one rule."""
    root = xml.parse(await call.body.read(MAX_BODY), "ServerSideEncryptionConfiguration")
    rules = list(root.all("Rule"))
    applied = rules[0].find("ApplyServerSideEncryptionByDefault") if len(rules) == 1 else None
    if applied is None:
        raise xml.malformed()
    algorithm, key_id = applied.value("SSEAlgorithm"), applied.value("KMSMasterKeyID") or None
    if algorithm not in {SSE_S3, *KMS}:
        raise xml.malformed()
    if key_id is not None and algorithm == SSE_S3:
        raise Refusal(
            "InvalidArgument", "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms"
        )
    bucket_key = (rules[0].value("BucketKeyEnabled") or "").lower() == "true"
    chosen = DefaultEncryption(algorithm, key_id, bucket_key, _blocks_customer_keys(rules[0]))
    await _put(call, msgspec.json.encode(chosen).decode())
    return Answer()


def _blocks_customer_keys(rule: xml.Element) -> bool:
    """Whether the rule refuses SSE-C to writes. Raises Refusal (MalformedXML)."""
    blocked = rule.find("BlockedEncryptionTypes")
    named = [] if blocked is None else [one.text.strip() for one in blocked.all("EncryptionType")]
    if not set(named) <= {SSE_C, "NONE"}:
        raise xml.malformed()
    return SSE_C in named


async def delete_encryption(call: Call) -> Answer:
    """DeleteBucketEncryption: back to SSE-S3."""
    await _put(call, None)
    return Answer(204)


async def _put(call: Call, document: str | None) -> None:
    await call.service.bucket_settings.put(call.caller, call.operation.name, call.bucket, Setting.ENCRYPTION, document)
