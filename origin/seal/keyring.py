"""Keys: the master keys that wrap, the store key that seals small things, the fingerprints that find duplicates.

The rule of this file: key bytes are named, derived and bound here, without I/O; randomness comes in as arguments.

The master key file is text. A comment begins with #, every other line is `key ID HEX`, with 64 hexadecimal digits;
the last key wraps what is new, all of them unwrap. A data key is wrapped by AES-256-GCM under a key derived (keyed
BLAKE3) from master key and blob id, so it opens for that blob alone and no two blobs share a wrapping key.

The store key is one random key of the whole store, itself wrapped in the catalog. From it come the fingerprint key,
the identity key and the keys of small sealed values. It outlives rotations of the master key: fingerprints would lose
their meaning otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12
FINGERPRINT_BYTES = 32

_LINE = re.compile(r"key\s+([A-Za-z0-9._-]{1,64})\s+([0-9a-fA-F]{64})")
_HEAD = """\
# Facet master keys. Whoever has this file and the data folder can read everything;
# without it everything is lost. Keep a copy apart from the backups.
# One `key ID HEX` a line; the last one wraps new keys.
"""


class BadKeyFile(ValueError):
    """The text is no master key file; the message names the line."""


class WrongKey(Exception):
    """No master key here opens what was wrapped: the key is missing, or it is another store's."""


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A wrapped key and the id of the master key that opens it."""

    key_id: str
    data: bytes


def _derive(key: bytes, context: str) -> bytes:
    return bytes(blake3(key, derive_key_context=f"facet 2026-11 {context}").digest())


class KeyRing:
    """The master keys, in the order of their file."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        assert keys
        self._keys = dict(keys)
        self._wrapping = {key_id: _derive(key, "wrapping key v1") for key_id, key in keys.items()}
        self.active = next(reversed(self._keys))

    @classmethod
    def parse(cls, text: str) -> KeyRing:
        """The key ring of a master key file. Raises BadKeyFile."""
        keys: dict[str, bytes] = {}
        for number, line in enumerate(text.splitlines(), start=1):
            content = line.partition("#")[0].strip()
            if not content:
                continue
            match = _LINE.fullmatch(content)
            if match is None:
                raise BadKeyFile(f"line {number} is not `key ID HEX` with 64 hexadecimal digits")
            if match[1] in keys:
                raise BadKeyFile(f"line {number} names the key {match[1]} a second time")
            keys[match[1]] = bytes.fromhex(match[2])
        if not keys:
            raise BadKeyFile("there is no key in it")
        return cls(keys)

    def render(self) -> str:
        """The text of the master key file."""
        return _HEAD + "".join(f"key {key_id} {key.hex()}\n" for key_id, key in self._keys.items())

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the keys, the active one last."""
        return tuple(self._keys)

    def __contains__(self, key_id: object) -> bool:
        return key_id in self._keys

    def fingerprint(self, key_id: str) -> str:
        """32 hexadecimal digits that tell keys apart and say nothing else about them."""
        return _derive(self._keys[key_id], "master key fingerprint v1")[:16].hex()

    def added(self, key_id: str, key: bytes) -> KeyRing:
        """The ring with one more key, which is the active one. Raises BadKeyFile where the id is taken or is none."""
        if key_id in self._keys:
            raise BadKeyFile(f"there is a key {key_id} already")
        ring = KeyRing({**self._keys, key_id: key})
        return KeyRing.parse(ring.render())

    def without(self, key_id: str) -> KeyRing:
        """The ring without a key that is not the active one."""
        assert key_id != self.active
        return KeyRing({other: key for other, key in self._keys.items() if other != key_id})

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._keys)})"

    def wrap(self, key: bytes, bound: bytes, nonce: bytes) -> Wrapped:
        """Wrap a key for `bound` (a blob id, or the name of what it is for) under the active master key.

        `nonce` is NONCE_BYTES of randomness.
        """
        sealed = self._cipher(self.active, bound).encrypt(nonce, key, None)
        return Wrapped(self.active, nonce + sealed)

    def unwrap(self, wrapped: Wrapped, bound: bytes) -> bytes:
        """The key that was wrapped for `bound`. Raises WrongKey."""
        if wrapped.key_id not in self._wrapping:
            raise WrongKey(f"the master key {wrapped.key_id} is missing")
        nonce, sealed = wrapped.data[:NONCE_BYTES], wrapped.data[NONCE_BYTES:]
        try:
            return self._cipher(wrapped.key_id, bound).decrypt(nonce, sealed, None)
        except (InvalidTag, ValueError):
            raise WrongKey(f"the master key {wrapped.key_id} is not the one that this store was sealed with") from None

    def _cipher(self, key_id: str, bound: bytes) -> AESGCM:
        return AESGCM(bytes(blake3(bound, key=self._wrapping[key_id]).digest()))


class StoreKeys:
    """What is derived from the store key."""

    def __init__(self, store_key: bytes) -> None:
        assert len(store_key) == KEY_BYTES
        self._fingerprint = _derive(store_key, "fingerprint v1")
        self._identity = _derive(store_key, "identity v1")
        self._small = _derive(store_key, "small values v1")
        self._named = _derive(store_key, "named keys v1")
        self._customer = _derive(store_key, "customer keys v1")

    def fingerprint(self, realm: str = "") -> blake3:
        """A running fingerprint of plaintext; `digest()` gives FINGERPRINT_BYTES. Realms have nothing in common."""
        if not realm:
            return blake3(key=self._fingerprint)
        return blake3(key=blake3(realm.encode(), key=self._fingerprint).digest())

    def named(self, name: str) -> bytes:
        """The key of that name: KEY_BYTES, different for every name and every store."""
        return bytes(blake3(name.encode(), key=self._named).digest())

    def verifier(self, customer_key: bytes) -> str:
        """What tells whether a customer's key is the same again, and nothing else about it; hexadecimal."""
        return blake3(customer_key, key=self._customer).hexdigest()

    def identity(self, size: int) -> blake3:
        """A running identity of content of `size` bytes, to be fed the fingerprints of its segments in order."""
        return blake3(size.to_bytes(8, "big"), key=self._identity)

    def seal(self, context: str, bound: bytes, plain: bytes, nonce: bytes) -> bytes:
        """Seal a small value for one place: `context` says which column, `bound` which row.

        Each place has a key of its own, so random nonces (NONCE_BYTES) cannot run out however many rows there are.
        """
        return nonce + self._cell(context, bound).encrypt(nonce, plain, None)

    def open(self, context: str, bound: bytes, sealed: bytes) -> bytes:
        """What was sealed for that place. Raises WrongKey where it was not sealed for it, or was changed."""
        try:
            return self._cell(context, bound).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None)
        except (InvalidTag, ValueError):
            raise WrongKey(f"a sealed value of {context} does not open") from None

    def _cell(self, context: str, bound: bytes) -> AESGCM:
        name = context.encode() + b"\0" + bound
        return AESGCM(bytes(blake3(name, key=self._small).digest()))
