"""A bucket's settings, brought from another S3 service (`facet migrate --settings`).

The rule of this file: a setting is the document that the source gives, and goes the way of a client's own request, so
it is checked as every other one. What the source does not have is left here as it is; what is refused here is told.
"""

from __future__ import annotations

from typing import Any, cast

from origin.api.s3.body import Body
from origin.api.s3.call import Call
from origin.api.s3.handlers import HANDLERS
from origin.api.s3.hosts import Hosts
from origin.catalog.rows import BucketRow
from origin.jobs.migrate.source import Source, SourceError
from origin.jobs.migrate.wish import Migration
from origin.jobs.pace import Pace
from origin.service.adopting import as_owner
from origin.service.model import Caller, ServiceError
from origin.service.operations import operation
from origin.service.policy import ARN
from origin.service.service import Service
from wire.refusals import Refusal

BROUGHT = {
    "cors": ("get_bucket_cors", "PutBucketCors"),
    "tags": ("get_bucket_tagging", "PutBucketTagging"),
    "website": ("get_bucket_website", "PutBucketWebsite"),
    "lifecycle": ("get_bucket_lifecycle_configuration", "PutBucketLifecycleConfiguration"),
    "ownership": ("get_bucket_ownership_controls", "PutBucketOwnershipControls"),
    "policy": ("get_bucket_policy", "PutBucketPolicy"),
    "public access block": ("get_public_access_block", "PutPublicAccessBlock"),
}
"""Settings, how they are asked for, and the operation that sets them; what may close a door comes last."""


class _Document:
    """A body that is there already."""

    vouched = True

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def read(self, limit: int, *, of_object: bool = False) -> bytes:
        """All of it."""
        if len(self._content) > limit or of_object:
            raise Refusal("MaxMessageLengthExceeded", "Your request was too big.")
        return self._content


async def bring(service: Service, wish: Migration) -> tuple[list[str], dict[str, str]]:
    """The names of the settings that were brought, and why others were not. Raises ServiceError."""
    row = await service.stores.bucket(wish.bucket)
    if row is None:
        raise ServiceError("NoSuchBucket", f"There is no bucket {wish.bucket}.")
    source = Source(wish.source, 2, Pace(0))
    brought: list[str] = []
    refused: dict[str, str] = {}
    try:
        for name, (asked, sets) in BROUGHT.items():
            try:
                document = await source.document(asked)
                if document is not None:
                    await _set(service, row, sets, _here(document, wish) if name == "policy" else document)
                    brought.append(name)
            except SourceError as error:
                refused[name] = f"{error}"
            except (Refusal, ServiceError) as error:
                refused[name] = f"{error.message} ({error.code})"
    finally:
        source.close()
    return brought, refused


def _here(policy: bytes, wish: Migration) -> bytes:
    """The policy, speaking of the bucket here."""
    for end in ('"', "/"):
        policy = policy.replace(f"{ARN}{wish.source.bucket}{end}".encode(), f"{ARN}{wish.bucket}{end}".encode())
    return policy


async def _set(service: Service, bucket: BucketRow, name: str, document: bytes) -> None:
    call: dict[str, Any] = {
        "service": service, "settings": service.settings.origin, "hosts": Hosts(service.settings),
        "operation": operation(name), "bucket": bucket.name, "key": "", "query": {}, "headers": {},
        "caller": Caller(key=as_owner(bucket), secure=True), "signed": True, "region": "",
        "now": service.stores.clock(), "body": cast(Body, _Document(document)), "location": f"/{bucket.name}",
    }  # fmt: skip
    await HANDLERS[name](Call(**call))
