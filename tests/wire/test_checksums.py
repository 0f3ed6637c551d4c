"""Promises of wire/checksums.py."""

from __future__ import annotations

import base64
import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.checksums import ALGORITHMS, encode, for_header, for_name

# The check values of the CRC catalogue (https://reveng.sourceforge.io/crc-catalogue/) for "123456789".
CHECK_VALUES = {
    "CRC32": 0xCBF43926.to_bytes(4, "big"),
    "CRC32C": 0xE3069283.to_bytes(4, "big"),
    "CRC64NVME": 0xAE8B14860A799888.to_bytes(8, "big"),
    "SHA1": hashlib.sha1(b"123456789").digest(),
    "SHA256": hashlib.sha256(b"123456789").digest(),
}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_an_algorithm_has_its_published_check_value(name: str) -> None:
    assert ALGORITHMS[name].of(b"123456789") == base64.b64encode(CHECK_VALUES[name]).decode()


@given(st.sampled_from(sorted(ALGORITHMS)), st.lists(st.binary(max_size=50)))
def test_pieces_sum_up_to_the_whole(name: str, pieces: list[bytes]) -> None:
    running = ALGORITHMS[name].start()
    for piece in pieces:
        running.update(piece)
    assert encode(running.digest()) == ALGORITHMS[name].of(b"".join(pieces))


@given(st.sampled_from(["CRC32", "CRC32C", "CRC64NVME"]), st.binary(max_size=200), st.binary(max_size=200))
def test_crcs_of_parts_combine_to_the_crc_of_the_whole(name: str, first: bytes, second: bytes) -> None:
    row = ALGORITHMS[name]
    combined = row.combine(row.decode(row.of(first)), row.decode(row.of(second)), len(second))
    assert encode(combined) == row.of(first + second)


@pytest.mark.parametrize("name", ["SHA1", "SHA256"])
def test_digests_that_do_not_combine_say_so(name: str) -> None:
    with pytest.raises(ValueError, match="do not combine"):
        ALGORITHMS[name].combine(b"", b"", 0)


@pytest.mark.parametrize("value", ["", "!!!!", "AAAA", "AAAAAAAA", "AAAAAA"])
def test_a_value_of_the_wrong_shape_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="CRC32"):
        ALGORITHMS["CRC32"].decode(value)


def test_algorithms_are_found_by_header_and_name_in_any_case() -> None:
    assert for_header("X-Amz-Checksum-CRC32c") is ALGORITHMS["CRC32C"]
    assert for_name("crc64nvme") is ALGORITHMS["CRC64NVME"]
    assert for_header("x-amz-checksum-mode") is None
    assert for_name("md5") is None


def test_crc32_is_that_of_zip_and_gzip() -> None:
    assert ALGORITHMS["CRC32"].decode(ALGORITHMS["CRC32"].of(b"abc")) == zlib.crc32(b"abc").to_bytes(4, "big")
