"""Which function answers which row of the operation table.

The rule of this file: every supported operation has exactly one handler, and a handler exists only for a supported
operation; a test holds the two tables against each other.
"""

from __future__ import annotations

from origin.api.s3 import (
    attributes,
    buckets,
    copies,
    deletes,
    grants,
    lifecycle,
    listing,
    locks,
    objects,
    post,
    tagging,
    uploads,
    versioning,
)
from origin.api.s3.call import Handler

HANDLERS: dict[str, Handler] = {
    "ListBuckets": buckets.list_buckets,
    "CreateBucket": buckets.create_bucket,
    "HeadBucket": buckets.head_bucket,
    "DeleteBucket": buckets.delete_bucket,
    "GetBucketLocation": buckets.get_bucket_location,
    "GetBucketAcl": grants.get_bucket_acl,
    "PutBucketAcl": grants.put_bucket_acl,
    "ListObjects": listing.list_objects,
    "ListObjectsV2": listing.list_objects_v2,
    "PostObject": post.post_object,
    "DeleteObjects": deletes.delete_objects,
    "GetObject": objects.get_object,
    "HeadObject": objects.head_object,
    "PutObject": objects.put_object,
    "CopyObject": copies.copy_object,
    "GetObjectAttributes": attributes.get_object_attributes,
    "DeleteObject": objects.delete_object,
    "GetObjectAcl": grants.get_object_acl,
    "PutObjectAcl": grants.put_object_acl,
    "CreateMultipartUpload": uploads.create_upload,
    "UploadPart": uploads.upload_part,
    "UploadPartCopy": copies.upload_part_copy,
    "ListParts": uploads.list_parts,
    "CompleteMultipartUpload": uploads.complete_upload,
    "AbortMultipartUpload": uploads.abort_upload,
    "ListMultipartUploads": uploads.list_uploads,
    "ListObjectVersions": versioning.list_object_versions,
    "GetBucketVersioning": versioning.get_bucket_versioning,
    "PutBucketVersioning": versioning.put_bucket_versioning,
    "GetObjectLockConfiguration": locks.get_object_lock_configuration,
    "PutObjectLockConfiguration": locks.put_object_lock_configuration,
    "GetBucketTagging": tagging.get_bucket_tagging,
    "PutBucketTagging": tagging.put_bucket_tagging,
    "DeleteBucketTagging": tagging.delete_bucket_tagging,
    "GetObjectTagging": tagging.get_object_tagging,
    "PutObjectTagging": tagging.put_object_tagging,
    "DeleteObjectTagging": tagging.delete_object_tagging,
    "GetObjectRetention": locks.get_object_retention,
    "PutObjectRetention": locks.put_object_retention,
    "GetObjectLegalHold": locks.get_object_legal_hold,
    "PutObjectLegalHold": locks.put_object_legal_hold,
    "GetBucketLifecycleConfiguration": lifecycle.get_lifecycle,
    "PutBucketLifecycleConfiguration": lifecycle.put_lifecycle,
    "DeleteBucketLifecycle": lifecycle.delete_lifecycle,
}
