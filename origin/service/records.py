"""The messages of event notifications, in AWS's structure.

The rule of this file: pure functions of an event and its notice.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_plus

from origin.catalog.rows import EventRow
from origin.service.notifications import Notice
from wire.dates import iso8601

Record = dict[str, Any]

VERSIONS = {"ObjectCreated": "2.1", "ObjectRemoved": "2.1"}
LATER = "2.3"
"""The version of the events that came with lifecycle, tagging and access control lists."""


def record(event: EventRow, notice: Notice, configuration: str) -> Record:
    """One entry of a message's Records. Sequencers of one key order as texts of equal length do."""
    thing: Record = {"key": quote_plus((event.key or b"").decode(), safe="/")}
    if notice.size is not None:
        thing |= {"size": notice.size, "eTag": notice.etag}
    if event.version is not None:
        thing["versionId"] = event.version
    return {
        "eventVersion": VERSIONS.get(notice.event.partition(":")[0], LATER),
        "eventSource": "aws:s3",
        "awsRegion": notice.region,
        "eventTime": iso8601(event.time),
        "eventName": notice.event,
        "userIdentity": {"principalId": notice.principal or "s3.amazonaws.com"},
        "requestParameters": {"sourceIPAddress": notice.address or "s3.amazonaws.com"},
        "responseElements": {"x-amz-request-id": notice.request, "x-amz-id-2": ""},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": configuration,
            "bucket": {
                "name": event.bucket,
                "ownerIdentity": {"principalId": notice.bucket_owner},
                "arn": f"arn:aws:s3:::{event.bucket}",
            },
            "object": {**thing, "sequencer": f"{event.counter:018X}"},
        },
    }


def first_message(event: EventRow, notice: Notice) -> Record:
    """What a destination is told when a bucket begins to name it."""
    return {
        "Service": "Amazon S3",
        "Event": notice.event,
        "Time": iso8601(event.time),
        "Bucket": event.bucket,
        "RequestId": notice.request,
        "HostId": "",
    }
