"""Customers' keys (SSE-C) as S3 spells them: three headers, or three fields of a form.

The rule of this file: a key is taken over HTTPS alone, unless the settings say otherwise, and is checked against its
MD5 before anything is done with it. Neither key nor MD5 is ever logged.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping

from origin.service.encryption import ALGORITHM_HEADER, CUSTOMER_HEADER, SSE_S3
from origin.service.model import CustomerKey
from wire.refusals import Refusal

KEY_BYTES = 32
SOURCE = "x-amz-copy-source-server-side-encryption-customer-"
OWN = "x-amz-server-side-encryption-customer-"
_OF = "Requests specifying Server Side Encryption with Customer provided keys must"


def customer_key(headers: Mapping[str, str], *, allowed: bool, prefix: str = OWN) -> CustomerKey | None:
    """The customer's key that headers (by lower-case name) carry, None without one.

    `allowed` says whether the request came where keys are taken; `prefix` is SOURCE for the source of a copy.
    Raises Refusal: InvalidRequest (not over HTTPS), InvalidArgument, InvalidEncryptionAlgorithmError.
    """
    algorithm, key, md5 = (headers.get(prefix + name) for name in ("algorithm", "key", "key-md5"))
    if algorithm is None and key is None and md5 is None:
        return None
    if not allowed:
        raise Refusal("InvalidRequest", f"{_OF} be made over a secure connection.")
    if not algorithm:
        raise _invalid(f"{_OF} provide a valid encryption algorithm.", f"{prefix}algorithm")
    if algorithm != SSE_S3:
        raise Refusal(
            "InvalidEncryptionAlgorithmError",
            "The Encryption request you specified is not valid. Supported value: AES256.",
            ArgumentName=f"{prefix}algorithm",
            ArgumentValue=algorithm,
        )
    if not key:
        raise _invalid(f"{_OF} provide an appropriate secret key.", f"{prefix}key")
    if not md5:
        raise _invalid(f"{_OF} provide the client calculated MD5 of the secret key.", f"{prefix}key-MD5")
    try:
        found = CustomerKey(base64.b64decode(key, validate=True))
    except (binascii.Error, ValueError):
        found = CustomerKey(b"")
    if len(found.key) != KEY_BYTES:
        raise _invalid("The secret key was invalid for the specified algorithm.", f"{prefix}key")
    if not hmac.compare_digest(found.md5.encode(), md5.encode("utf-8", "surrogateescape")):
        raise _invalid(
            "The calculated MD5 hash of the key did not match the hash that was provided.", f"{prefix}key-MD5"
        )
    if prefix == OWN and ALGORITHM_HEADER in headers:
        raise Refusal(
            "InvalidArgument",
            "Server Side Encryption with Customer provided key is incompatible with the encryption method specified",
            ArgumentName=ALGORITHM_HEADER,
            ArgumentValue=headers[ALGORITHM_HEADER],
        )
    return found


def of_customer(customer: CustomerKey | None) -> dict[str, str]:
    """What an answer says of the key that was used."""
    return {} if customer is None else {CUSTOMER_HEADER: SSE_S3, f"{OWN}key-MD5": customer.md5}


def _invalid(message: str, name: str) -> Refusal:
    return Refusal("InvalidArgument", message, ArgumentName=name)
