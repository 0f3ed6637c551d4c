"""docs/sealing.md: its vectors are what the code makes, and its words are enough to open them without the code."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from origin.seal.frames import HEADER, Opener, Sealer, stored_length
from origin.seal.keyring import KeyRing, StoreKeys, Wrapped
from origin.seal.vault import CustomerKey, Vault

PAGE = (Path(__file__).parents[3] / "docs" / "sealing.md").read_text()


def _vectors() -> dict[str, Any]:
    found = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return tomllib.loads(found[1])


VECTORS = _vectors()
BLOB, DATA, MASTER, STORE, NONCE = (
    bytes.fromhex(VECTORS[name]) for name in ("blob_id", "data_key", "master_key", "store_key", "nonce")
)


def plaintext(size: int) -> bytes:
    return bytes(index % 251 for index in range(size))


def sealed(size: int, key: bytes | None) -> bytes:
    sealer = Sealer(BLOB, key)
    out = bytearray(stored_length(size) - HEADER)
    sealer.seal_into(memoryview(plaintext(size)), memoryview(out), last=True)
    return sealer.header + bytes(out)


def derive(context: str, key: bytes) -> bytes:
    return blake3(key, derive_key_context=context).digest()


@pytest.mark.parametrize(("size", "length", "digest"), VECTORS["sealed"])
def test_sealed_blobs_are_those_of_the_page(size: int, length: int, digest: str) -> None:
    blob = sealed(size, DATA)
    assert (len(blob), blake3(blob).hexdigest()) == (length, digest)
    assert Opener(BLOB, DATA, size, blob[:HEADER]).open(0, blob[HEADER:]) == plaintext(size)


@pytest.mark.parametrize(("size", "length", "digest"), VECTORS["plain"])
def test_plain_blobs_are_those_of_the_page(size: int, length: int, digest: str) -> None:
    blob = sealed(size, None)
    assert (len(blob), blake3(blob).hexdigest()) == (length, digest)


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 200_000])
def test_the_page_is_enough_to_open_a_blob(size: int) -> None:
    blob = sealed(size, DATA)
    header, rest = blob[:64], blob[64:]
    assert header[:10] == b"FACETBLB\x01\x01"
    assert header[10:32] == bytes(6) + BLOB
    assert header[32:] == derive("facet 2026-11 blob key commitment v1", DATA)
    cipher = AESGCM(derive("facet 2026-11 blob frames v1", DATA))
    frames = max(1, -(-size // 65_536))
    assert len(blob) == 64 + size + 16 * frames
    opened = b""
    for number in range(frames):
        frame = rest[number * 65_552 : (number + 1) * 65_552]
        last = bytes([number == frames - 1])
        opened += cipher.decrypt(bytes(3) + number.to_bytes(8, "big") + last, frame, header)
    assert opened == plaintext(size)


def test_second_seals_are_those_of_the_page() -> None:
    keys, customer = StoreKeys(STORE), CustomerKey(bytes.fromhex(VECTORS["second_key_customer"]))
    assert customer.vault().seal(BLOB, DATA, NONCE).hex() == VECTORS["sealed_by_customer"]
    assert Vault(keys.named("one"), "one").seal(BLOB, DATA, NONCE).hex() == VECTORS["sealed_by_kms_key_one"]
    assert keys.verifier(customer.key) == VECTORS["customer_key_kept"]
    assert keys.fingerprint("one").update(b"facet").hexdigest() == VECTORS["fingerprint_of_facet_under_one"]


def test_the_page_is_enough_to_open_a_second_seal() -> None:
    kept = bytes.fromhex(VECTORS["sealed_by_kms_key_one"])
    second = blake3(b"one", key=derive("facet 2026-11 named keys v1", STORE)).digest()
    assert AESGCM(blake3(BLOB, key=second).digest()).decrypt(kept[:12], kept[12:], None) == DATA
    kept = bytes.fromhex(VECTORS["sealed_by_customer"])
    second = derive("facet 2026-11 customer key v1", bytes.fromhex(VECTORS["second_key_customer"]))
    assert AESGCM(blake3(BLOB, key=second).digest()).decrypt(kept[:12], kept[12:], None) == DATA


def test_an_empty_blob_is_that_of_the_page() -> None:
    assert sealed(0, DATA).hex() == VECTORS["empty"]


def test_wrapped_keys_are_those_of_the_page_and_open_by_its_words() -> None:
    ring = KeyRing({"example": MASTER})
    assert ring.wrap(DATA, BLOB, NONCE).data.hex() == VECTORS["wrapped"]
    wrapped = bytes.fromhex(VECTORS["wrapped"])
    assert ring.unwrap(Wrapped("example", wrapped), BLOB) == DATA
    key = blake3(BLOB, key=derive("facet 2026-11 wrapping key v1", MASTER)).digest()
    assert AESGCM(key).decrypt(wrapped[:12], wrapped[12:], None) == DATA
    assert ring.fingerprint("example") == VECTORS["master_key_fingerprint"]
    assert derive("facet 2026-11 master key fingerprint v1", MASTER)[:16].hex() == VECTORS["master_key_fingerprint"]


def test_fingerprints_and_identities_are_those_of_the_page() -> None:
    keys = StoreKeys(STORE)
    print_of_facet = keys.fingerprint().update(b"facet").digest()
    assert print_of_facet.hex() == VECTORS["fingerprint_of_facet"]
    assert blake3(b"facet", key=derive("facet 2026-11 fingerprint v1", STORE)).digest() == print_of_facet
    assert keys.identity(5).update(print_of_facet).hexdigest() == VECTORS["identity_of_facet"]
    spelled = blake3((5).to_bytes(8, "big") + print_of_facet, key=derive("facet 2026-11 identity v1", STORE))
    assert spelled.hexdigest() == VECTORS["identity_of_facet"]


def test_small_values_are_those_of_the_page_and_open_by_its_words() -> None:
    assert StoreKeys(STORE).seal("version digests", BLOB, b"small", NONCE).hex() == VECTORS["small_value"]
    name = b"version digests" + b"\0" + BLOB
    key = blake3(name, key=derive("facet 2026-11 small values v1", STORE)).digest()
    value = bytes.fromhex(VECTORS["small_value"])
    assert AESGCM(key).decrypt(value[:12], value[12:], None) == b"small"
