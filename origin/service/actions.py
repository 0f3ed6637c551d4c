"""What an operation is called in policies, and which grant of an ACL it needs.

The rule of this file: an operation that is not named here has its own name as its action (s3:NAME) and no grant: only
owner and policy give it. https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#permissions
"""

from __future__ import annotations

from origin.service.operations import TABLE, Level, Operation
from origin.service.policy_conditions import glob

_ACTIONS = {
    "HeadObject": "GetObject",
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListBuckets": "ListAllMyBuckets",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListParts": "ListMultipartUploadParts",
    "DeleteObjects": "DeleteObject",
    "PostObject": "PutObject",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "GetBucketCors": "GetBucketCORS",
    "PutBucketCors": "PutBucketCORS",
    "DeleteBucketCors": "PutBucketCORS",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "DeleteBucketTagging": "PutBucketTagging",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
    **{
        f"{verb}Bucket{kind}Configuration{plural}": f"{right}{kind}Configuration"
        for kind in ("Analytics", "IntelligentTiering", "Inventory", "Metrics")
        for verb, plural, right in (("Get", "", "Get"), ("List", "s", "Get"), ("Put", "", "Put"), ("Delete", "", "Put"))
    },
    "GetBucketReplication": "GetReplicationConfiguration",
    "PutBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
}
_OF_VERSIONS = {
    "GetObject": "GetObjectVersion",
    "GetObjectAttributes": "GetObjectVersionAttributes",
    "DeleteObject": "DeleteObjectVersion",
    "GetObjectAcl": "GetObjectVersionAcl",
    "PutObjectAcl": "PutObjectVersionAcl",
    "GetObjectTagging": "GetObjectVersionTagging",
    "PutObjectTagging": "PutObjectVersionTagging",
    "DeleteObjectTagging": "DeleteObjectVersionTagging",
}

_BUCKET_GRANTS = {
    **dict.fromkeys(("HeadBucket", "ListObjects", "ListObjectsV2", "ListObjectVersions"), "READ"),
    "ListMultipartUploads": "READ",
    "GetBucketAcl": "READ_ACP",
    "PutBucketAcl": "WRITE_ACP",
    **dict.fromkeys(("PutObject", "PostObject", "CopyObject", "DeleteObject", "DeleteObjects"), "WRITE"),
    **dict.fromkeys(("CreateMultipartUpload", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload"), "WRITE"),
    **dict.fromkeys(("AbortMultipartUpload", "ListParts"), "WRITE"),
}
_OBJECT_GRANTS = {
    **dict.fromkeys(("GetObject", "HeadObject", "GetObjectAttributes"), "READ"),
    "GetObjectAcl": "READ_ACP",
    "PutObjectAcl": "WRITE_ACP",
}

OF_THE_LIST = frozenset(
    name for table in (_BUCKET_GRANTS, _OBJECT_GRANTS) for name, grant in table.items() if grant.endswith("_ACP")
)
"""Operations on an ACL itself: its owner always may."""
OF_THE_VERSION = frozenset(_OBJECT_GRANTS) | {"GetObjectTagging", "PutObjectTagging", "DeleteObjectTagging"}
"""Operations that the object's own ACL and owner decide, so that they need the version."""


_NAMED_BY_OTHERS = frozenset({"PostObject", "DeleteObjects"})
"""Requests to a bucket whose action is that of an object."""


def action(operation: Operation, *, version: bool) -> str:
    """The policy action of an operation, such as s3:GetObject; `version` where the client names a version."""
    name = _ACTIONS.get(operation.name, operation.name)
    return f"s3:{_OF_VERSIONS.get(name, name) if version else name}"


def bucket_grant(operation: Operation) -> str | None:
    """The grant on the bucket that gives the operation."""
    return _BUCKET_GRANTS.get(operation.name)


def object_grant(operation: Operation) -> str | None:
    """The grant on the object that gives the operation."""
    return _OBJECT_GRANTS.get(operation.name) if operation.level is Level.OBJECT else None


LEVELS: dict[str, Level] = {
    action(row, version=version).lower(): row.level
    for row in TABLE
    for version in (False, True)
    if row.level is not Level.SERVICE and row.name not in _NAMED_BY_OTHERS
}
"""What an action is done to, by its name in lower case."""

_ELSEWHERE = frozenset(
    f"s3:{name.lower()}"
    for name in (
        "BypassGovernanceRetention", "GetObjectVersionForReplication", "GetObjectVersionTorrent", "InitiateReplication",
        "ListAllMyBuckets", "ListTagsForResource", "ObjectOwnerOverrideToBucketOwner", "PauseReplication",
        "ReplicateDelete", "ReplicateObject", "ReplicateTags", "TagResource", "UntagResource",
        "GetAccountPublicAccessBlock", "PutAccountPublicAccessBlock",
    )
)  # fmt: skip
"""Actions that a policy may name although nothing here is called so.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html"""


def is_action(pattern: str) -> bool:
    """Whether a policy's action, which may hold wildcards, fits any action of S3's."""
    wanted = pattern.lower()
    return any(glob(wanted, name) for name in (*LEVELS, *_ELSEWHERE))
