"""The limits of names and metadata.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html: 1,024 bytes of UTF-8;
https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html: names and values together 2 KB;
https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html: the names of buckets.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

from conf.schema import Settings
from origin.service.model import ServiceError

KEY_BYTES = 1024

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def check_key(key: str) -> bytes:
    """The key as the catalog has it. Raises ServiceError: KeyTooLongError, InvalidURI."""
    try:
        encoded = key.encode()
    except UnicodeEncodeError as error:
        raise ServiceError("InvalidURI", "The key is not valid UTF-8.") from error
    if not encoded:
        raise ServiceError("InvalidURI", "The key is empty.")
    if len(encoded) > KEY_BYTES:
        raise ServiceError("KeyTooLongError", "Your key is too long", size=len(encoded), limit=KEY_BYTES)
    return encoded


def check_metadata(settings: Settings, metadata: Mapping[str, str]) -> None:
    """Raise ServiceError MetadataTooLarge where names and values together are over the limit."""
    size = sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items())
    if size > settings.origin.max_metadata:
        raise ServiceError(
            "MetadataTooLarge",
            "Your metadata headers exceed the maximum allowed metadata size",
            size=size,
            limit=settings.origin.max_metadata,
        )


def check_bucket_name(settings: Settings, name: str) -> None:
    """Raise ServiceError InvalidBucketName for a name that is none, or that is a name of the server itself.

    `localhost`, the endpoint's own host names and base domains, and IP addresses would capture the server.
    """
    origin = settings.origin
    taken = {"localhost", *origin.hosts, *origin.domains, origin.listen.rpartition(":")[0]}
    if name in taken or not is_bucket_name(name):
        raise ServiceError("InvalidBucketName", "The specified bucket is not valid.", bucket=name)


def is_bucket_name(name: str) -> bool:
    """Whether AWS's rules let a bucket be named so."""
    return not (
        _BUCKET.fullmatch(name) is None
        or ".." in name
        or ".-" in name
        or "-." in name
        or name.startswith(_RESERVED_PREFIXES)
        or name.endswith(_RESERVED_SUFFIXES)
        or _is_address(name)
    )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
