"""Key rings: keys open what they are bound to, and files are read strictly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.seal.keyring import BadKeyFile, KeyRing, StoreKeys, Wrapped, WrongKey

NONCE = bytes(12)
ONE, TWO = bytes([1]) * 32, bytes([2]) * 32


def test_a_key_file_is_read_as_it_is_written() -> None:
    ring = KeyRing({"old": ONE, "new": TWO})
    read = KeyRing.parse(ring.render())
    assert read.active == "new"
    assert read.unwrap(ring.wrap(b"k" * 32, b"blob", NONCE), b"blob") == b"k" * 32


@pytest.mark.parametrize("text", ["", "# nothing", "key a 00", "key a " + "00" * 32 + "\nkey a " + "11" * 32, "hello"])
def test_a_file_that_is_no_key_file_is_refused(text: str) -> None:
    with pytest.raises(BadKeyFile):
        KeyRing.parse(text)


def test_an_older_key_still_opens_what_it_wrapped() -> None:
    wrapped = KeyRing({"old": ONE}).wrap(b"k" * 32, b"blob", NONCE)
    assert KeyRing({"old": ONE, "new": TWO}).unwrap(wrapped, b"blob") == b"k" * 32


def test_a_missing_or_wrong_key_opens_nothing() -> None:
    wrapped = KeyRing({"a": ONE}).wrap(b"k" * 32, b"blob", NONCE)
    for ring in (KeyRing({"b": ONE}), KeyRing({"a": TWO})):
        with pytest.raises(WrongKey):
            ring.unwrap(wrapped, b"blob")


def test_a_wrapped_key_opens_for_its_blob_alone() -> None:
    ring = KeyRing({"a": ONE})
    with pytest.raises(WrongKey):
        ring.unwrap(ring.wrap(b"k" * 32, b"blob", NONCE), b"blub")


@given(st.integers(0, 59), st.integers(0, 7))
def test_a_changed_wrapped_key_opens_nothing(at: int, bit: int) -> None:
    ring = KeyRing({"a": ONE})
    wrapped = ring.wrap(b"k" * 32, b"blob", NONCE)
    data = bytearray(wrapped.data)
    data[at] ^= 1 << bit
    with pytest.raises(WrongKey):
        ring.unwrap(Wrapped(wrapped.key_id, bytes(data)), b"blob")


def test_small_values_open_in_their_own_place_alone() -> None:
    keys = StoreKeys(ONE)
    sealed = keys.seal("etag", b"row", b"value", NONCE)
    assert keys.open("etag", b"row", sealed) == b"value"
    for context, row in (("etag", b"other"), ("secret", b"row")):
        with pytest.raises(WrongKey):
            keys.open(context, row, sealed)
    with pytest.raises(WrongKey):
        StoreKeys(TWO).open("etag", b"row", sealed)
    with pytest.raises(WrongKey):
        keys.open("etag", b"row", b"short")


def test_fingerprints_are_keyed() -> None:
    assert StoreKeys(ONE).fingerprint().update(b"x").digest() != StoreKeys(TWO).fingerprint().update(b"x").digest()
    assert StoreKeys(ONE).identity(1).digest() != StoreKeys(ONE).fingerprint().digest()
