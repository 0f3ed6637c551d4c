"""Bucket policies, public access block and object ownership as S3 spells them.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html, …/API_PutPublicAccessBlock.html,
…/API_PutBucketOwnershipControls.html and those that read and delete them.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from origin.api.s3 import xml
from origin.api.s3.call import Answer, Call, xml_answer
from origin.catalog.rows import BucketRow
from origin.service.exposure import Ownership, PublicAccessBlock, check_enforceable, public_access
from origin.service.model import Caller, ServiceError, Setting
from origin.service.policy import Malformed, read_bucket_policy
from wire.refusals import Refusal

_JSON = {"Content-Type": "application/json"}
_MAX_BODY = 64 * 1024
_SWITCHES = {
    "BlockPublicAcls": "block_public_acls",
    "IgnorePublicAcls": "ignore_public_acls",
    "BlockPublicPolicy": "block_public_policy",
    "RestrictPublicBuckets": "restrict_public_buckets",
}


async def get_policy(call: Call) -> Answer:
    """GetBucketPolicy: the text as it was put."""
    return Answer(200, _JSON, (await _policy(call)).encode())


async def get_policy_status(call: Call) -> Answer:
    """GetBucketPolicyStatus."""
    policy = read_bucket_policy(await _policy(call), call.bucket)
    return xml_answer("PolicyStatus", [("IsPublic", policy.public)])


async def _policy(call: Call) -> str:
    document = await _read(call, Setting.POLICY)
    if document is None:
        raise Refusal("NoSuchBucketPolicy", "The bucket policy does not exist", BucketName=call.bucket)
    return document


async def put_policy(call: Call) -> Answer:
    """PutBucketPolicy: 204."""
    body = await call.body.read(_MAX_BODY)
    try:
        document = body.decode()
        policy = read_bucket_policy(document, call.bucket)
    except (Malformed, UnicodeDecodeError) as error:
        message = str(error) if isinstance(error, Malformed) else "Policies must be UTF-8"
        raise Refusal("MalformedPolicy", message) from error

    def check(bucket: BucketRow, _caller: Caller) -> None:
        if policy.public and public_access(bucket).block_public_policy:
            raise ServiceError("AccessDenied", "Access Denied")

    await call.service.bucket_settings.put(
        call.caller, call.operation.name, call.bucket, Setting.POLICY, document, check
    )
    return Answer(204)


async def delete_policy(call: Call) -> Answer:
    """DeleteBucketPolicy: 204, also where there was none."""
    return await _forget(call, Setting.POLICY)


async def get_public_access_block(call: Call) -> Answer:
    """GetPublicAccessBlock."""
    document = await _read(call, Setting.PUBLIC_ACCESS)
    if document is None:
        raise Refusal(
            "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found",
            BucketName=call.bucket,
        )  # fmt: skip
    block = msgspec.json.decode(document, type=PublicAccessBlock)
    return xml_answer(
        "PublicAccessBlockConfiguration", [(name, getattr(block, field)) for name, field in _SWITCHES.items()]
    )


async def put_public_access_block(call: Call) -> Answer:
    """PutPublicAccessBlock: a switch that is not named is off."""
    root = xml.parse(await call.body.read(_MAX_BODY), "PublicAccessBlockConfiguration")
    switches = {field: _switch(root.value(name)) for name, field in _SWITCHES.items()}
    document = msgspec.json.encode(PublicAccessBlock(**switches)).decode()
    await call.service.bucket_settings.put(
        call.caller, call.operation.name, call.bucket, Setting.PUBLIC_ACCESS, document
    )
    return Answer()


def _switch(text: str | None) -> bool:
    value = (text or "false").lower()
    if value not in ("true", "false"):
        raise xml.malformed()
    return value == "true"


async def delete_public_access_block(call: Call) -> Answer:
    """DeletePublicAccessBlock: 204."""
    return await _forget(call, Setting.PUBLIC_ACCESS)


async def get_ownership(call: Call) -> Answer:
    """GetBucketOwnershipControls."""
    rule = await _read(call, Setting.OWNERSHIP)
    if rule is None:
        raise Refusal(
            "OwnershipControlsNotFoundError", "The bucket ownership controls were not found", BucketName=call.bucket
        )
    return xml_answer("OwnershipControls", [("Rule", [("ObjectOwnership", rule)])])


async def put_ownership(call: Call) -> Answer:
    """PutBucketOwnershipControls: exactly one rule."""
    root = xml.parse(await call.body.read(_MAX_BODY), "OwnershipControls")
    rules = list(root.all("Rule"))
    if len(rules) != 1:
        raise xml.malformed()
    rule = rules[0].value("ObjectOwnership") or ""
    if rule not in tuple(Ownership):
        raise xml.malformed()
    await call.service.bucket_settings.put(
        call.caller, call.operation.name, call.bucket, Setting.OWNERSHIP, rule,
        lambda bucket, _: check_enforceable(bucket, rule),
    )  # fmt: skip
    return Answer()


async def delete_ownership(call: Call) -> Answer:
    """DeleteBucketOwnershipControls: 204."""
    return await _forget(call, Setting.OWNERSHIP)


def asked_ownership(headers: Mapping[str, str]) -> str | None:
    """x-amz-object-ownership of CreateBucket. Raises Refusal (InvalidArgument)."""
    value = headers.get("x-amz-object-ownership")
    if value is not None and value not in tuple(Ownership):
        raise Refusal(
            "InvalidArgument", f"Invalid x-amz-object-ownership header: {value}", ArgumentName="ObjectOwnership",
            ArgumentValue=value,
        )  # fmt: skip
    return value


async def _read(call: Call, setting: Setting) -> str | None:
    return await call.service.bucket_settings.get(call.caller, call.operation.name, call.bucket, setting)


async def _forget(call: Call, setting: Setting) -> Answer:
    await call.service.bucket_settings.put(call.caller, call.operation.name, call.bucket, setting, None)
    return Answer(204)
