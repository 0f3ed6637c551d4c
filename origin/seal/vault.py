"""The second seal: what a customer's key or a named KMS key adds inside the master key's own seal.

The rule of this file: a vault seals data keys and small bodies before the master key or the store key does, so rotation
rewraps the outside without it, and without it nothing inside opens. What is sealed is longer by OVERHEAD, which tells
it from what has no second seal.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field

from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from origin.seal.keyring import NONCE_BYTES, WrongKey

TAG_BYTES = 16
OVERHEAD = NONCE_BYTES + TAG_BYTES


@dataclass(frozen=True, slots=True)
class Vault:
    """One second seal. Equal bytes are found within `realm`; None is a customer's key, where nothing is joined."""

    key: bytes = field(repr=False)
    realm: str | None

    def seal(self, bound: bytes, plain: bytes, nonce: bytes) -> bytes:
        """Seal for `bound` (a blob id, or a row's seal id); `nonce` is NONCE_BYTES of randomness."""
        return nonce + self._cipher(bound).encrypt(nonce, plain, None)

    def open(self, bound: bytes, sealed: bytes) -> bytes:
        """What was sealed for `bound`. Raises WrongKey."""
        try:
            return self._cipher(bound).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None)
        except (InvalidTag, ValueError):
            raise WrongKey("what a second key sealed does not open with this one") from None

    def _cipher(self, bound: bytes) -> AESGCM:
        return AESGCM(bytes(blake3(bound, key=self.key).digest()))


@dataclass(frozen=True, slots=True)
class CustomerKey:
    """A key that a customer sends with each request (SSE-C): 32 bytes, kept nowhere."""

    key: bytes = field(repr=False)

    @property
    def md5(self) -> str:
        """Its MD5 in base64, as answers name it."""
        return base64.b64encode(hashlib.md5(self.key, usedforsecurity=False).digest()).decode()

    def vault(self) -> Vault:
        """What it seals with."""
        return Vault(blake3(self.key, derive_key_context="facet 2026-11 customer key v1").digest(), None)
