"""The operation table: every S3 operation that AWS documents, implemented or not.

The rule of this file: what is not in the table does not exist, and what is in it without `supported` is refused as
NotImplemented. A router may only ever answer with a row found by (level, method, sub-resource), so a sub-resource
nobody knows can never fall through to a plain PUT or DELETE. Routing, authorisation, audit, metrics and the page
docs/s3.md all come from here.

Source: Amazon S3 API Reference, "Actions" (API version 2006-03-01), without the S3 Express, Outposts and
control-plane services, which have other endpoints.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from origin.service.model import Permission


class Level(StrEnum):
    """What a request's path names."""

    SERVICE = "service"
    BUCKET = "bucket"
    OBJECT = "object"


class Gate(StrEnum):
    """What object lock has to say in the transaction that commits the operation."""

    NONE = "none"
    OVERWRITE = "overwrite"
    """Writes a new version; in an unversioned bucket it takes the place of one that may be locked."""
    REMOVE = "remove"
    """Removes a version, or hides it behind a delete marker."""
    CHANGE = "change"
    """Changes the lock itself."""


@cache
def _label(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


@dataclass(frozen=True, slots=True)
class Operation:
    """One row. `subresource` is the query parameter that selects it, "" for none.

    Operations that share method and sub-resource (PutObject, CopyObject; ListObjects, ListObjectsV2) differ in
    what the protocol adds; `selector` says in words what that is.
    """

    name: str
    level: Level
    method: str
    subresource: str
    permission: Permission
    gate: Gate = Gate.NONE
    supported: bool = False
    selector: str = ""

    @property
    def audit(self) -> str:
        """The name in the audit log, such as s3:PutObject."""
        return f"s3:{self.name}"

    @property
    def label(self) -> str:
        """The metric label, such as put_object."""
        return _label(self.name)

    @property
    def configures(self) -> bool:
        """True where it puts a setting of a bucket, as a document."""
        return self.level is Level.BUCKET and self.method == "PUT" and bool(self.subresource)

    @property
    def writes(self) -> bool:
        """True where the operation changes something."""
        return self.permission is not Permission.READ


_READ, _WRITE, _DELETE, _ADMIN = Permission.READ, Permission.WRITE, Permission.DELETE, Permission.ADMIN
_S, _B, _O = Level.SERVICE, Level.BUCKET, Level.OBJECT


def _table() -> tuple[Operation, ...]:
    row = Operation
    return (
        # The service.
        row("ListBuckets", _S, "GET", "", _READ, supported=True),
        row("ListDirectoryBuckets", _S, "GET", "directory-buckets", _READ),
        row("WriteGetObjectResponse", _S, "POST", "write-get-object-response", _WRITE),
        # Buckets and their listings.
        row("CreateBucket", _B, "PUT", "", _WRITE, supported=True),
        row("HeadBucket", _B, "HEAD", "", _READ, supported=True),
        row("DeleteBucket", _B, "DELETE", "", _DELETE, supported=True),
        row("GetBucketLocation", _B, "GET", "location", _READ, supported=True),
        row("ListObjects", _B, "GET", "", _READ, supported=True, selector="without list-type=2"),
        row("ListObjectsV2", _B, "GET", "", _READ, supported=True, selector="with list-type=2"),
        row("ListObjectVersions", _B, "GET", "versions", _READ, supported=True),
        row("ListMultipartUploads", _B, "GET", "uploads", _READ, supported=True),
        row("DeleteObjects", _B, "POST", "delete", _DELETE, Gate.REMOVE, supported=True),
        row("PostObject", _B, "POST", "", _WRITE, Gate.OVERWRITE, supported=True, selector="multipart/form-data"),
        row("CreateSession", _B, "GET", "session", _READ),
        # Who may do what in a bucket.
        row("GetBucketAcl", _B, "GET", "acl", _READ, supported=True),
        row("PutBucketAcl", _B, "PUT", "acl", _ADMIN, supported=True),
        row("GetBucketPolicy", _B, "GET", "policy", _ADMIN, supported=True),
        row("PutBucketPolicy", _B, "PUT", "policy", _ADMIN, supported=True),
        row("DeleteBucketPolicy", _B, "DELETE", "policy", _ADMIN, supported=True),
        row("GetBucketPolicyStatus", _B, "GET", "policyStatus", _ADMIN, supported=True),
        row("GetPublicAccessBlock", _B, "GET", "publicAccessBlock", _ADMIN, supported=True),
        row("PutPublicAccessBlock", _B, "PUT", "publicAccessBlock", _ADMIN, supported=True),
        row("DeletePublicAccessBlock", _B, "DELETE", "publicAccessBlock", _ADMIN, supported=True),
        row("GetBucketOwnershipControls", _B, "GET", "ownershipControls", _ADMIN, supported=True),
        row("PutBucketOwnershipControls", _B, "PUT", "ownershipControls", _ADMIN, supported=True),
        row("DeleteBucketOwnershipControls", _B, "DELETE", "ownershipControls", _ADMIN, supported=True),
        row("GetBucketAbac", _B, "GET", "abac", _ADMIN),
        row("PutBucketAbac", _B, "PUT", "abac", _ADMIN),
        # What a bucket is set to.
        row("GetBucketVersioning", _B, "GET", "versioning", _READ, supported=True),
        row("PutBucketVersioning", _B, "PUT", "versioning", _ADMIN, supported=True),
        row("GetObjectLockConfiguration", _B, "GET", "object-lock", _READ, supported=True),
        row("PutObjectLockConfiguration", _B, "PUT", "object-lock", _ADMIN, Gate.CHANGE, supported=True),
        row("GetBucketCors", _B, "GET", "cors", _READ, supported=True),
        row("PutBucketCors", _B, "PUT", "cors", _ADMIN, supported=True),
        row("DeleteBucketCors", _B, "DELETE", "cors", _ADMIN, supported=True),
        row("GetBucketTagging", _B, "GET", "tagging", _READ, supported=True),
        row("PutBucketTagging", _B, "PUT", "tagging", _ADMIN, supported=True),
        row("DeleteBucketTagging", _B, "DELETE", "tagging", _ADMIN, supported=True),
        row("GetBucketEncryption", _B, "GET", "encryption", _READ, supported=True),
        row("PutBucketEncryption", _B, "PUT", "encryption", _ADMIN, supported=True),
        row("DeleteBucketEncryption", _B, "DELETE", "encryption", _ADMIN, supported=True),
        row("GetBucketLifecycleConfiguration", _B, "GET", "lifecycle", _READ, supported=True),
        row("PutBucketLifecycleConfiguration", _B, "PUT", "lifecycle", _ADMIN, supported=True),
        row("DeleteBucketLifecycle", _B, "DELETE", "lifecycle", _ADMIN, supported=True),
        row("GetBucketWebsite", _B, "GET", "website", _READ, supported=True),
        row("PutBucketWebsite", _B, "PUT", "website", _ADMIN, supported=True),
        row("DeleteBucketWebsite", _B, "DELETE", "website", _ADMIN, supported=True),
        row("GetBucketNotificationConfiguration", _B, "GET", "notification", _READ, supported=True),
        row("PutBucketNotificationConfiguration", _B, "PUT", "notification", _ADMIN, supported=True),
        row("GetBucketLogging", _B, "GET", "logging", _READ, supported=True),
        row(
            "PutBucketLogging",
            _B,
            "PUT",
            "logging",
            _ADMIN,
            supported=True,
            selector="an empty status; delivery is refused with NotImplemented",
        ),
        row("GetBucketRequestPayment", _B, "GET", "requestPayment", _READ, supported=True),
        row("PutBucketRequestPayment", _B, "PUT", "requestPayment", _ADMIN, supported=True),
        row("GetBucketAccelerateConfiguration", _B, "GET", "accelerate", _READ, supported=True),
        row("PutBucketAccelerateConfiguration", _B, "PUT", "accelerate", _ADMIN, supported=True),
        row("GetBucketReplication", _B, "GET", "replication", _READ),
        row("PutBucketReplication", _B, "PUT", "replication", _ADMIN),
        row("DeleteBucketReplication", _B, "DELETE", "replication", _ADMIN),
        row("GetBucketAnalyticsConfiguration", _B, "GET", "analytics", _READ, selector="with id"),
        row("ListBucketAnalyticsConfigurations", _B, "GET", "analytics", _READ, selector="without id"),
        row("PutBucketAnalyticsConfiguration", _B, "PUT", "analytics", _ADMIN),
        row("DeleteBucketAnalyticsConfiguration", _B, "DELETE", "analytics", _ADMIN),
        row("GetBucketIntelligentTieringConfiguration", _B, "GET", "intelligent-tiering", _READ, selector="with id"),
        row(
            "ListBucketIntelligentTieringConfigurations", _B, "GET", "intelligent-tiering", _READ, selector="without id"
        ),
        row("PutBucketIntelligentTieringConfiguration", _B, "PUT", "intelligent-tiering", _ADMIN),
        row("DeleteBucketIntelligentTieringConfiguration", _B, "DELETE", "intelligent-tiering", _ADMIN),
        row("GetBucketInventoryConfiguration", _B, "GET", "inventory", _READ, selector="with id"),
        row("ListBucketInventoryConfigurations", _B, "GET", "inventory", _READ, selector="without id"),
        row("PutBucketInventoryConfiguration", _B, "PUT", "inventory", _ADMIN),
        row("DeleteBucketInventoryConfiguration", _B, "DELETE", "inventory", _ADMIN),
        row("GetBucketMetricsConfiguration", _B, "GET", "metrics", _READ, selector="with id"),
        row("ListBucketMetricsConfigurations", _B, "GET", "metrics", _READ, selector="without id"),
        row("PutBucketMetricsConfiguration", _B, "PUT", "metrics", _ADMIN),
        row("DeleteBucketMetricsConfiguration", _B, "DELETE", "metrics", _ADMIN),
        row("CreateBucketMetadataConfiguration", _B, "POST", "metadataConfiguration", _ADMIN),
        row("GetBucketMetadataConfiguration", _B, "GET", "metadataConfiguration", _ADMIN),
        row("DeleteBucketMetadataConfiguration", _B, "DELETE", "metadataConfiguration", _ADMIN),
        row("UpdateBucketMetadataInventoryTableConfiguration", _B, "PUT", "metadataInventoryTable", _ADMIN),
        row("UpdateBucketMetadataJournalTableConfiguration", _B, "PUT", "metadataJournalTable", _ADMIN),
        row("CreateBucketMetadataTableConfiguration", _B, "POST", "metadataTable", _ADMIN),
        row("GetBucketMetadataTableConfiguration", _B, "GET", "metadataTable", _ADMIN),
        row("DeleteBucketMetadataTableConfiguration", _B, "DELETE", "metadataTable", _ADMIN),
        # Objects.
        row("PutObject", _O, "PUT", "", _WRITE, Gate.OVERWRITE, supported=True, selector="without x-amz-copy-source"),
        row("CopyObject", _O, "PUT", "", _WRITE, Gate.OVERWRITE, supported=True, selector="with x-amz-copy-source"),
        row("GetObject", _O, "GET", "", _READ, supported=True),
        row("HeadObject", _O, "HEAD", "", _READ, supported=True),
        row("DeleteObject", _O, "DELETE", "", _DELETE, Gate.REMOVE, supported=True),
        row("GetObjectAttributes", _O, "GET", "attributes", _READ, supported=True),
        row("GetObjectAcl", _O, "GET", "acl", _READ, supported=True),
        row("PutObjectAcl", _O, "PUT", "acl", _WRITE, supported=True),
        row("GetObjectTagging", _O, "GET", "tagging", _READ, supported=True),
        row("PutObjectTagging", _O, "PUT", "tagging", _WRITE, supported=True),
        row("DeleteObjectTagging", _O, "DELETE", "tagging", _WRITE, supported=True),
        row("GetObjectRetention", _O, "GET", "retention", _READ, supported=True),
        row("PutObjectRetention", _O, "PUT", "retention", _WRITE, Gate.CHANGE, supported=True),
        row("GetObjectLegalHold", _O, "GET", "legal-hold", _READ, supported=True),
        row("PutObjectLegalHold", _O, "PUT", "legal-hold", _ADMIN, Gate.CHANGE, supported=True),
        row("GetObjectTorrent", _O, "GET", "torrent", _READ),
        row("RestoreObject", _O, "POST", "restore", _WRITE, supported=True),
        row("SelectObjectContent", _O, "POST", "select", _READ),
        row("RenameObject", _O, "PUT", "renameObject", _WRITE, Gate.REMOVE),
        row("UpdateObjectEncryption", _O, "PUT", "encryption", _WRITE),
        # Multipart uploads.
        row("CreateMultipartUpload", _O, "POST", "uploads", _WRITE, supported=True),
        row("UploadPart", _O, "PUT", "uploadId", _WRITE, supported=True, selector="without x-amz-copy-source"),
        row("UploadPartCopy", _O, "PUT", "uploadId", _WRITE, supported=True, selector="with x-amz-copy-source"),
        row("ListParts", _O, "GET", "uploadId", _READ, supported=True),
        row("CompleteMultipartUpload", _O, "POST", "uploadId", _WRITE, Gate.OVERWRITE, supported=True),
        row("AbortMultipartUpload", _O, "DELETE", "uploadId", _WRITE, supported=True),
    )


TABLE: tuple[Operation, ...] = _table()
BY_NAME: dict[str, Operation] = {operation.name: operation for operation in TABLE}

SUBRESOURCES: dict[Level, frozenset[str]] = {
    level: frozenset(row.subresource for row in TABLE if row.level is level and row.subresource) for level in Level
}
"""Every query parameter that selects another operation than the plain one, by level."""


def operation(name: str) -> Operation:
    """The row of that name. Raises KeyError: a name that is not in the table is a mistake in our code."""
    return BY_NAME[name]


_ROWS: dict[tuple[Level, str, str], tuple[Operation, ...]] = {
    place: tuple(row for row in TABLE if (row.level, row.method, row.subresource) == place)
    for place in {(row.level, row.method, row.subresource) for row in TABLE}
}


def candidates(level: Level, method: str, subresource: str) -> tuple[Operation, ...]:
    """The rows that a request may mean; none is NotImplemented (or MethodNotAllowed), never another row."""
    return _ROWS.get((level, method, subresource), ())
