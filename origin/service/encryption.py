"""What objects are encrypted with: the names that clients give and read back, and the second seals behind them.

The rules of this file:

- Everything is sealed under the master key (docs/security.md). SSE-S3 is that seal's name and adds nothing.
- SSE-KMS adds a second seal under a key of that name, made of the store's own keys; equal bytes are shared within one
  name only. A name that is not in the settings is not found, as on AWS.
- SSE-C adds one under the customer's key, which is kept nowhere: only what tells the same key again is. Its bytes are
  shared with nothing, and an edge never gets them.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from origin.catalog.rows import BucketRow
from origin.seal.vault import CustomerKey, Vault
from origin.service.access import denied
from origin.service.model import Caller, ServiceError, Setting
from origin.service.stores import Stores

ALGORITHM_HEADER = "x-amz-server-side-encryption"
KEY_HEADER = f"{ALGORITHM_HEADER}-aws-kms-key-id"
BUCKET_KEY_HEADER = f"{ALGORITHM_HEADER}-bucket-key-enabled"
CUSTOMER_HEADER = f"{ALGORITHM_HEADER}-customer-algorithm"
VERIFIER = "customer-key-verifier"
"""Kept beside the headers of an object, and never shown: what tells its customer's key again."""

SHOWN = (ALGORITHM_HEADER, KEY_HEADER, BUCKET_KEY_HEADER, CUSTOMER_HEADER)
SSE_S3 = "AES256"
KMS = frozenset({"aws:kms", "aws:kms:dsse"})
DEFAULT_KEY = "alias/aws/s3"

_ARN = re.compile(r"arn:[^:]*:kms:[^:]*:[^:]*:(?:key/)?")


class DefaultEncryption(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is used where a write says nothing, and whether customers' keys are refused."""

    algorithm: str = SSE_S3
    key_id: str | None = None
    bucket_key: bool = False
    blocks_customer_keys: bool = False

    def headers(self) -> dict[str, str]:
        """The headers of an object that is encrypted so."""
        if self.algorithm not in KMS:
            return {ALGORITHM_HEADER: self.algorithm}
        shown = {ALGORITHM_HEADER: self.algorithm, KEY_HEADER: self.key_id or DEFAULT_KEY}
        return shown | ({BUCKET_KEY_HEADER: "true"} if self.bucket_key else {})


_PLAIN = DefaultEncryption()


@lru_cache(maxsize=256)
def _read(document: str) -> DefaultEncryption:
    return msgspec.json.decode(document, type=DefaultEncryption)


def default_encryption(settings: Mapping[str, str]) -> DefaultEncryption:
    """The default of a bucket with these settings; every bucket has one, as on AWS."""
    document = settings.get(Setting.ENCRYPTION)
    return _PLAIN if document is None else _read(document)


def shown(headers: Mapping[str, str]) -> dict[str, str]:
    """What an answer to a write says of the encryption."""
    return {name: headers[name] for name in SHOWN if name in headers}


def encrypted(
    stores: Stores, bucket: BucketRow, headers: Mapping[str, str], customer: CustomerKey | None
) -> dict[str, str]:
    """A new object's headers, with the encryption it gets: what its writer asked for, else the bucket's default.

    Raises ServiceError: KMS.NotFoundException, AccessDenied (a bucket that takes no customers' keys).
    """
    default = default_encryption(bucket.settings)
    others = {name: value for name, value in headers.items() if name not in (*SHOWN, VERIFIER)}
    if customer is not None:
        if default.blocks_customer_keys:
            raise denied()
        return {**others, CUSTOMER_HEADER: SSE_S3, VERIFIER: stores.keys.verifier(customer.key)}
    chosen = default
    if ALGORITHM_HEADER in headers:
        with_bucket_key = headers.get(BUCKET_KEY_HEADER, str(default.bucket_key)).lower() == "true"
        chosen = DefaultEncryption(headers[ALGORITHM_HEADER], headers.get(KEY_HEADER), with_bucket_key)
    if chosen.algorithm in KMS:
        check_kms_key(stores, chosen.key_id)
    return {**others, **chosen.headers()}


def check_kms_key(stores: Stores, key_id: str | None) -> str:
    """The name of a key id, which may be an ARN; None is the default's. Raises ServiceError KMS.NotFoundException."""
    name = _name(key_id or DEFAULT_KEY)
    if name != DEFAULT_KEY and name not in {_name(one) for one in stores.settings.encryption.kms_keys}:
        raise ServiceError("KMS.NotFoundException", f"Key '{key_id}' does not exist")
    return name


def _name(key_id: str) -> str:
    return _ARN.sub("", key_id, count=1)


def is_customers(headers: Mapping[str, str]) -> bool:
    """Whether an object with these headers is sealed with a customer's key."""
    return VERIFIER in headers


def is_key_of(stores: Stores, headers: Mapping[str, str], customer: CustomerKey) -> bool:
    """Whether that is the customer's key which the object is sealed with."""
    return hmac.compare_digest(stores.keys.verifier(customer.key), headers[VERIFIER])


def check_customer(stores: Stores, caller: Caller, headers: Mapping[str, str], customer: CustomerKey | None) -> None:
    """Raise ServiceError unless a reader sent the key that the object wants, and no other.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
    """
    if not is_customers(headers):
        if customer is not None:
            raise ServiceError("InvalidRequest", "The encryption parameters are not applicable to this object.")
        return
    if customer is None:
        raise ServiceError(
            "InvalidRequest",
            "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to"
            " retrieve the object.",
        )
    if caller.sees_identity or not is_key_of(stores, headers, customer):
        raise denied()


def check_part_key(stores: Stores, headers: Mapping[str, str], customer: CustomerKey | None) -> None:
    """Raise ServiceError InvalidRequest unless a part comes with the key that its upload was begun with."""
    if is_customers(headers) and customer is None:
        raise ServiceError(
            "InvalidRequest",
            "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate"
            " encryption parameters.",
        )
    if customer is not None and not (is_customers(headers) and is_key_of(stores, headers, customer)):
        raise ServiceError(
            "InvalidRequest", "The provided encryption parameters did not match the ones used originally."
        )


def vault_of(stores: Stores, headers: Mapping[str, str], customer: CustomerKey | None) -> Vault | None:
    """The second seal of an object with these headers; `customer` was checked.

    Raises ServiceError KMS.NotFoundException for a key that the settings no longer have.
    """
    if customer is not None:
        return customer.vault()
    if headers.get(ALGORITHM_HEADER) in KMS:
        name = check_kms_key(stores, headers.get(KEY_HEADER))
        return Vault(stores.keys.named(name), name)
    return None


def sealed_alike(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether objects with these headers have the same second seal, so that they can share bytes."""
    return _seal_name(one) == _seal_name(other)


def _seal_name(headers: Mapping[str, str]) -> tuple[str, str]:
    if VERIFIER in headers:
        return "customer", headers[VERIFIER]
    if headers.get(ALGORITHM_HEADER) in KMS:
        return "kms", _name(headers.get(KEY_HEADER, DEFAULT_KEY))
    return "", ""
