"""Records come back exactly, or not at all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.cache.entry import AssetRecord, ChoiceRecord, Representation, decode, encode, name_hash, source_id
from tests.edge.cache.samples import DEFAULT, asset, ref, rendering

RECORD = asset(DEFAULT, "/b/k", source=ref("x"), facts={"width": 3}, headers={"cache-control": "max-age=9"})


def test_a_record_comes_back_as_it_was() -> None:
    assert decode(AssetRecord, encode(RECORD)) == RECORD
    choice = ChoiceRecord(source_id="s", wanted="w=1", accept="avif", plan=None, reason="not-smaller")
    assert decode(ChoiceRecord, encode(choice)) == choice


def test_a_record_of_another_kind_is_a_miss() -> None:
    assert decode(Representation, encode(RECORD)) is None
    assert decode(AssetRecord, encode(rendering("s", "p"))) is None


def test_a_record_of_another_version_is_a_miss() -> None:
    stored = bytearray(encode(RECORD))
    stored[0] += 1
    assert decode(AssetRecord, bytes(stored)) is None


@given(st.integers(0, len(encode(RECORD)) * 8 - 1))
def test_a_flipped_bit_is_a_miss(bit: int) -> None:
    stored = bytearray(encode(RECORD))
    stored[bit // 8] ^= 1 << bit % 8
    assert decode(AssetRecord, bytes(stored)) is None


@given(st.binary(max_size=200))
def test_foreign_bytes_are_a_miss(data: bytes) -> None:
    assert decode(AssetRecord, data) is None


def test_names_depend_on_where_parts_end() -> None:
    assert name_hash("ab", "c") != name_hash("a", "bc")


def test_only_an_identity_is_shared_between_urls() -> None:
    assert source_id("same", b"/a", "t1") == source_id("same", b"/b", "t2")
    assert source_id(None, b"/a", "t1") != source_id(None, b"/b", "t1")
    assert source_id(None, b"/a", "t1") != source_id(None, b"/a", "t2")
