"""S3's errors: the status of each code, and the XML that carries it.

The rule of this file: a code that is raised anywhere has a row here; a code without a row is our mistake and is
answered as 500. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

from collections.abc import Mapping

from origin.api.s3 import xml

STATUS: dict[str, int] = {
    "AccessDenied": 403,
    "AccessForbidden": 403,
    "AccessControlListNotSupported": 400,
    "AuthorizationHeaderMalformed": 400,
    "AuthorizationQueryParametersError": 400,
    "BadDigest": 400,
    "BadRequest": 400,
    "BucketAlreadyExists": 409,
    "BucketAlreadyOwnedByYou": 409,
    "BucketNotEmpty": 409,
    "ConditionalRequestConflict": 409,
    "EntityTooLarge": 400,
    "EntityTooSmall": 400,
    "IllegalLocationConstraintException": 400,
    "IllegalVersioningConfigurationException": 400,
    "IncompleteBody": 400,
    "InsufficientStorage": 507,
    "InternalError": 500,
    "InvalidAccessKeyId": 403,
    "InvalidArgument": 400,
    "InvalidBucketName": 400,
    "InvalidBucketAclWithObjectOwnership": 400,
    "InvalidBucketState": 409,
    "InvalidChunkSizeError": 403,
    "InvalidDigest": 400,
    "InvalidEncryptionAlgorithmError": 400,
    "InvalidLocationConstraint": 400,
    "InvalidPolicyDocument": 400,
    "InvalidObjectState": 403,
    "InvalidPart": 400,
    "InvalidPartNumber": 416,
    "InvalidPartOrder": 400,
    "InvalidRange": 416,
    "InvalidRedirectLocation": 400,
    "InvalidRequest": 400,
    "InvalidStorageClass": 400,
    "InvalidTag": 400,
    "InvalidTargetBucketForLogging": 400,
    "InvalidURI": 400,
    "KMS.NotFoundException": 400,
    "KeyExists": 409,
    "KeyInUse": 409,
    "KeyTooLongError": 400,
    "MalformedACLError": 400,
    "MalformedPOSTRequest": 400,
    "MalformedPolicy": 400,
    "MalformedTrailerError": 400,
    "MalformedXML": 400,
    "MaxMessageLengthExceeded": 400,
    "MaxPostPreDataLengthExceeded": 400,
    "MetadataTooLarge": 400,
    "MethodNotAllowed": 405,
    "MissingContentLength": 411,
    "MissingRequestBodyError": 400,
    "MissingSecurityHeader": 400,
    "NoSuchBucket": 404,
    "NoSuchBucketPolicy": 404,
    "NoSuchCORSConfiguration": 404,
    "NoSuchConfiguration": 404,
    "NoSuchKey": 404,
    "NoSuchLifecycleConfiguration": 404,
    "NoSuchObjectLockConfiguration": 404,
    "NoSuchPublicAccessBlockConfiguration": 404,
    "NoSuchTagSet": 404,
    "NoSuchUpload": 404,
    "NoSuchVersion": 404,
    "NoSuchWebsiteConfiguration": 404,
    "NotImplemented": 501,
    "ObjectLockConfigurationNotFoundError": 404,
    "OperationAborted": 409,
    "OwnershipControlsNotFoundError": 404,
    "PreconditionFailed": 412,
    "ReplicationConfigurationNotFoundError": 404,
    "QuotaExceeded": 403,  # as Ceph's RGW answers; AWS has no quotas of bytes
    "RequestHeaderSectionTooLarge": 400,
    "RequestTimeTooSkewed": 403,
    "RequestTimeout": 400,
    "ServerSideEncryptionConfigurationNotFoundError": 404,
    "ServiceUnavailable": 503,
    "SignatureDoesNotMatch": 403,
    "SlowDown": 503,
    "TooManyBuckets": 400,
    "URITooLong": 414,
    "UnexpectedContent": 400,
    "UnresolvableGrantByEmailAddress": 400,
    "XAmzContentSHA256Mismatch": 400,
}

# How the details that the service names are spelled in S3's error XML.
_SPELLING = {
    "bucket": "BucketName",
    "key": "Key",
    "part_number": "PartNumber",
    "upload_id": "UploadId",
    "version_id": "VersionId",
    "argument": "ArgumentName",
    "condition": "Condition",
    "value": "ArgumentValue",
    "range": "RangeRequested",
    "size": "ActualObjectSize",
    "limit": "MaxSizeAllowed",
}


def spelled(detail: Mapping[str, str | int]) -> list[tuple[str, str | int]]:
    """The details of an error by the names that S3 gives them."""
    return [(_SPELLING.get(name, name), value) for name, value in detail.items()]


def document(
    code: str, message: str, detail: Mapping[str, str | int], *, resource: str, request_id: str, host_id: str
) -> bytes:
    """The error's XML. It has no namespace, as AWS's has none."""
    return xml.document(
        "Error",
        [
            ("Code", code),
            ("Message", message),
            *spelled(detail),
            ("Resource", resource),
            ("RequestId", request_id),
            ("HostId", host_id),
        ],
        namespace=None,
    )
