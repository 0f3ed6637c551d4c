"""What AWS answers about things that are not configured.

The rule of this file: a probe reads, or takes away, a setting that this server does not have. Whoever may see the
bucket gets AWS's answer for a bucket where it was never set; nothing is ever changed from here.
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

from dataclasses import dataclass, field

from origin.api.s3 import xml
from origin.api.s3.call import Answer, Call, xml_answer
from wire.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Empty:
    """The document of a setting that has a neutral value."""

    root: str
    items: list[xml.Item] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Missing:
    """The error of a setting that does not exist until it is made."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Gone:
    """The 204 for taking away what was never there."""


_NO_CONFIGURATION = Missing("NoSuchConfiguration", "The specified configuration does not exist.")
_NONE_LISTED: list[xml.Item] = [("IsTruncated", False)]

PROBES: dict[str, Empty | Missing | Gone] = {
    "GetBucketReplication": Missing(
        "ReplicationConfigurationNotFoundError", "The replication configuration was not found"
    ),
    "GetBucketAnalyticsConfiguration": _NO_CONFIGURATION,
    "GetBucketIntelligentTieringConfiguration": _NO_CONFIGURATION,
    "GetBucketInventoryConfiguration": _NO_CONFIGURATION,
    "GetBucketMetricsConfiguration": _NO_CONFIGURATION,
    "DeleteBucketReplication": Gone(),
    "DeleteBucketAnalyticsConfiguration": _NO_CONFIGURATION,
    "DeleteBucketIntelligentTieringConfiguration": _NO_CONFIGURATION,
    "DeleteBucketInventoryConfiguration": _NO_CONFIGURATION,
    "DeleteBucketMetricsConfiguration": _NO_CONFIGURATION,
    "ListBucketAnalyticsConfigurations": Empty("ListBucketAnalyticsConfigurationResult", _NONE_LISTED),
    "ListBucketIntelligentTieringConfigurations": Empty(
        "ListBucketIntelligentTieringConfigurationsOutput", _NONE_LISTED
    ),
    "ListBucketInventoryConfigurations": Empty("ListInventoryConfigurationsResult", _NONE_LISTED),
    "ListBucketMetricsConfigurations": Empty("ListMetricsConfigurationsResult", _NONE_LISTED),
}


async def answer(call: Call, probe: Empty | Missing | Gone) -> Answer:
    """Answer one probe. Raises Refusal with the setting's own code; ServiceError as reading the resource does."""
    await call.service.buckets.location(call.caller, call.bucket)
    if isinstance(probe, Missing):
        raise Refusal(probe.code, probe.message, BucketName=call.bucket)
    if isinstance(probe, Gone):
        return Answer(204)
    return xml_answer(probe.root, probe.items)
