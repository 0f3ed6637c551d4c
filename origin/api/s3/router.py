"""From a request's target to one row of the operation table.

The rule of this file: the answer is a row or a refusal. A sub-resource that the table does not know for this level
and method is NotImplemented or MethodNotAllowed, so it can never become a plain PUT or DELETE. The raw path is
split before it is decoded and is never normalised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from origin.api.s3.hosts import Hosts
from origin.service.operations import SUBRESOURCES, TABLE, Level, Operation, candidates
from wire.refusals import Refusal
from wire.targets import decode_path

# Parameters that may come bare or empty without naming an operation. Any other bare or empty parameter is a
# sub-resource that nobody knows; an unknown parameter with a value (the SDKs' x-id) is ignored, as on AWS.
PARAMETERS = frozenset(
    {
        "bucket-region", "continuation-token", "delimiter", "encoding-type", "fetch-owner", "id", "key-marker",
        "list-type", "marker", "max-buckets", "max-keys", "max-parts", "max-uploads", "part-number-marker",
        "partNumber", "prefix", "select-type", "start-after", "upload-id-marker", "version-id-marker", "versionId",
        "x-id",
    }
)  # fmt: skip

_KINDS = ("Analytics", "IntelligentTiering", "Inventory", "Metrics")
"""Settings of which a bucket may have several, by id."""

_SELECTORS: dict[str, Callable[[Mapping[str, str], Mapping[str, str]], bool]] = {
    "ListObjects": lambda query, _: query.get("list-type") != "2",
    "ListObjectsV2": lambda query, _: query.get("list-type") == "2",
    "PutObject": lambda _, headers: "x-amz-copy-source" not in headers,
    "CopyObject": lambda _, headers: "x-amz-copy-source" in headers,
    **{f"GetBucket{kind}Configuration": lambda query, _: "id" in query for kind in _KINDS},
    **{f"ListBucket{kind}Configurations": lambda query, _: "id" not in query for kind in _KINDS},
    "UploadPart": lambda _, headers: "x-amz-copy-source" not in headers,
    "UploadPartCopy": lambda _, headers: "x-amz-copy-source" in headers,
}
"""What tells operations of one method and sub-resource apart: (query, headers) → whether it is this one."""

_TAKES_VERSION = frozenset({"GET", "HEAD", "DELETE"})
_READS = frozenset({"GET", "HEAD"})
_PLAIN_WRITE = frozenset({"versionId", "x-id"})
"""The parameters that a plain PUT or DELETE may come with; every other one that is known belongs elsewhere."""
_OF_ALL_PARTS = frozenset({"CompleteMultipartUpload", "AbortMultipartUpload"})
_OF_A_BUCKET = frozenset({"CreateBucket", "DeleteBucket"})
_OF_OBJECTS = (PARAMETERS | SUBRESOURCES[Level.OBJECT]) - {"x-id"}
"""What, beside a bucket's name alone, is a request for an object or a listing whose path was cut short."""
_FOREIGN = PARAMETERS - _PLAIN_WRITE


class Route(msgspec.Struct, frozen=True):
    """What a request asks for. `bucket` is empty at the service, `key` at the service and at buckets."""

    operation: Operation
    bucket: str
    key: str
    query: Mapping[str, str]
    virtual: bool


def split_target(target: str) -> tuple[str, str]:
    """The raw path and raw query of a request target as sent; an absolute form loses scheme and authority.

    Raises Refusal (InvalidURI) for any other form (RFC 9112 §3.2).
    """
    if target.lower().startswith(("http://", "https://")):
        target = "/" + target.partition("://")[2].partition("/")[2]
    if not target.startswith("/"):
        raise _invalid_uri()
    path, _, query = target.partition("?")
    return path, query


def route(method: str, raw_path: str, query: Mapping[str, str], headers: Mapping[str, str], hosts: Hosts) -> Route:
    """The operation a request asks for. `headers` are by lower-case name.

    Raises Refusal: InvalidURI, InvalidArgument, MethodNotAllowed, NotImplemented.
    """
    virtual = hosts.bucket(headers.get("host", ""))
    bucket, key = locate(raw_path, virtual)
    level = Level.OBJECT if key else Level.BUCKET if bucket else Level.SERVICE
    operation = _operation(level, method, _subresource(level, query), query, headers)
    _check_parameters(operation, method, query)
    return Route(operation, bucket, key, query, virtual is not None)


def demand_length(
    method: str, raw_path: str, query: Mapping[str, str], headers: Mapping[str, str], hosts: Hosts
) -> None:
    """Raise Refusal (MissingContentLength) for an object or part without a length, before anybody is asked who it is.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html: only a chunked body may come without.
    """
    if method != "PUT" or headers.keys() & {"content-length", "transfer-encoding", "x-amz-copy-source"}:
        return
    _, key = locate(raw_path, hosts.bucket(headers.get("host", "")))
    if key and not SUBRESOURCES[Level.OBJECT] - {"uploadId"} & set(query):
        raise Refusal("MissingContentLength", "You must provide the Content-Length HTTP header.")


def locate(raw_path: str, virtual: str | None) -> tuple[str, str]:
    """Bucket and key of a raw path; `virtual` is the bucket that the host names. Raises Refusal."""
    rest = raw_path[1:]
    if virtual is not None:
        return virtual, decode(rest)
    bucket, _, key = rest.partition("/")
    if not bucket and rest:
        raise Refusal("InvalidBucketName", "The specified bucket is not valid.", BucketName="")
    return decode(bucket), decode(key)


def decode(raw: str) -> str:
    """A percent-encoded piece of a path as text; "+" stands for itself. Raises Refusal (InvalidURI) if not UTF-8."""
    try:
        return decode_path(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise _invalid_uri() from None


def _subresource(level: Level, query: Mapping[str, str]) -> str:
    """The one sub-resource that the query names, "" for none."""
    if not query:
        return ""
    known = [name for name in query if name in SUBRESOURCES[level]]
    if len(known) > 1:
        raise Refusal(
            "InvalidArgument", f"Conflicting query string parameters: {', '.join(known)}", ArgumentName="ResourceType"
        )
    unknown = [name for name, value in query.items() if not value and name not in PARAMETERS and name not in known]
    if unknown and not _is_signature(unknown[0]):
        raise _not_implemented(f"?{unknown[0]}")
    return known[0] if known else ""


def _is_signature(name: str) -> bool:
    return name.lower().startswith("x-amz-")


def _operation(
    level: Level, method: str, subresource: str, query: Mapping[str, str], headers: Mapping[str, str]
) -> Operation:
    rows = [row for row in candidates(level, method, subresource) if _SELECTORS.get(row.name, _always)(query, headers)]
    if rows:
        return rows[0]
    if any((row.level, row.subresource) == (level, subresource) for row in TABLE):
        raise Refusal(
            "MethodNotAllowed",
            "The specified method is not allowed against this resource.",
            Method=method,
            ResourceType=(subresource or level.value).upper(),
        )
    raise _not_implemented(f"?{subresource}")


def _always(_query: Mapping[str, str], _headers: Mapping[str, str]) -> bool:
    return True


def _check_parameters(operation: Operation, method: str, query: Mapping[str, str]) -> None:
    """Parameters that would change what a write means are refused where they mean nothing."""
    if operation.name in _OF_ALL_PARTS and "partNumber" in query:
        raise Refusal("InvalidArgument", "This operation does not accept partNumber.", ArgumentName="partNumber")
    if operation.name in _OF_A_BUCKET and (foreign := sorted(_OF_OBJECTS & set(query))):
        raise Refusal("InvalidArgument", f"{foreign[0]} has no meaning here.", ArgumentName=foreign[0])
    if operation.level is not Level.OBJECT or operation.subresource:
        return
    foreign = [name for name in query if name in _FOREIGN] if method not in _READS else []
    if "partNumber" in foreign:
        raise Refusal("InvalidArgument", "partNumber needs uploadId.", ArgumentName="partNumber")
    if foreign:
        raise Refusal("InvalidArgument", f"{foreign[0]} has no meaning here.", ArgumentName=foreign[0])
    if "versionId" in query and method not in _TAKES_VERSION:
        raise Refusal(
            "InvalidArgument", "This operation does not accept a version-id.", ArgumentName="versionId",
            ArgumentValue=query["versionId"],
        )  # fmt: skip


def _not_implemented(what: str) -> Refusal:
    return Refusal("NotImplemented", f"{what} implies functionality that is not implemented.")


def _invalid_uri() -> Refusal:
    return Refusal("InvalidURI", "Couldn't parse the specified URI.")
