"""What a bucket and an object are said to be encrypted with.

The rule of this file: everything is sealed the same way (docs/security.md); SSE-S3 and SSE-KMS are names that clients
give and read back. https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import msgspec

from origin.catalog.rows import BucketRow, NewVersion
from origin.service.model import Setting

ALGORITHM_HEADER = "x-amz-server-side-encryption"
KEY_HEADER = f"{ALGORITHM_HEADER}-aws-kms-key-id"
SSE_S3 = "AES256"
KMS = frozenset({"aws:kms", "aws:kms:dsse"})
DEFAULT_KEY = "alias/aws/s3"


class DefaultEncryption(msgspec.Struct, frozen=True):
    """What is used where a write says nothing."""

    algorithm: str = SSE_S3
    key_id: str | None = None
    bucket_key: bool = False

    def headers(self) -> dict[str, str]:
        """The headers of an object that is encrypted so."""
        if self.algorithm == SSE_S3:
            return {ALGORITHM_HEADER: SSE_S3}
        return {ALGORITHM_HEADER: self.algorithm, KEY_HEADER: self.key_id or DEFAULT_KEY}


_PLAIN = DefaultEncryption()


@lru_cache(maxsize=256)
def _read(document: str) -> DefaultEncryption:
    return msgspec.json.decode(document, type=DefaultEncryption)


def default_encryption(settings: Mapping[str, str]) -> DefaultEncryption:
    """The default of a bucket with these settings; every bucket has one, as on AWS."""
    document = settings.get(Setting.ENCRYPTION)
    return _PLAIN if document is None else _read(document)


def carried(source: Mapping[str, str], asked: Mapping[str, str]) -> dict[str, str]:
    """The headers of a copy that keeps its source's: what it is encrypted with is chosen anew."""
    own = (ALGORITHM_HEADER, KEY_HEADER)
    kept = {name: value for name, value in source.items() if name not in own}
    return kept | {name: value for name, value in asked.items() if name in own}


def encrypted(bucket: BucketRow, version: NewVersion) -> NewVersion:
    """A new version that says what it is encrypted with: what its writer asked for, else the bucket's default."""
    headers = version.described.headers
    if ALGORITHM_HEADER not in headers:
        chosen = default_encryption(bucket.settings)
    elif headers[ALGORITHM_HEADER] in KMS:
        chosen = DefaultEncryption(headers[ALGORITHM_HEADER], headers.get(KEY_HEADER))
    else:
        return version
    return replace(version, described=replace(version.described, headers={**headers, **chosen.headers()}))
