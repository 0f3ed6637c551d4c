"""Frames: what is sealed comes back whole, and nothing else ever does."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from origin.seal.frames import FRAME, HEADER, TAG, Damaged, Opener, Sealer, covering, stored_length, stored_range

BLOB, KEY = bytes(range(16)), bytes(range(32))
OTHER = bytes(31) + b"\1"
SIZES = st.sampled_from([0, 1, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME, 3 * FRAME - 7])
KEYS = st.sampled_from([KEY, None])


def plaintext(size: int) -> bytes:
    return bytes(index * 31 % 251 for index in range(size))


def sealed(size: int, key: bytes | None = KEY, blob: bytes = BLOB) -> bytearray:
    plain = plaintext(size)
    sealer = Sealer(blob, key)
    out = bytearray(stored_length(size) - HEADER)
    written = sealer.seal_into(memoryview(plain), memoryview(out), last=True)
    assert written == len(out)
    return bytearray(sealer.header) + out


def opened(
    data: bytes | bytearray, size: int, start: int = 0, end: int | None = None, key: bytes | None = KEY
) -> bytes:
    end = size if end is None else end
    first, after = covering(start, end) if end > start else (0, 1)
    offset, length = stored_range(first, after, size)
    plain = Opener(BLOB, key, size, bytes(data[:HEADER])).open(first, data[offset : offset + length])
    return bytes(plain[start - first * FRAME : end - first * FRAME])


@given(size=SIZES, key=KEYS)
@settings(deadline=None, max_examples=30)
def test_what_is_sealed_is_opened(size: int, key: bytes | None) -> None:
    data = sealed(size, key)
    assert len(data) == stored_length(size)
    assert opened(data, size, key=key) == plaintext(size)


def test_a_blob_sealed_piece_by_piece_is_the_same_blob() -> None:
    size = 3 * FRAME + 5
    plain = memoryview(plaintext(size))
    sealer = Sealer(BLOB, KEY)
    data, out = bytearray(sealer.header), bytearray(2 * (FRAME + TAG))
    for start in (0, FRAME, 2 * FRAME):
        count = sealer.seal_into(plain[start : start + FRAME], memoryview(out), last=False)
        data += out[:count]
    count = sealer.seal_into(plain[3 * FRAME :], memoryview(out), last=True)
    assert data + out[:count] == sealed(size)


@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_a_range_opens_its_frames_alone(data: st.DataObject) -> None:
    size = 3 * FRAME - 7
    start = data.draw(st.integers(0, size - 1))
    end = data.draw(st.integers(start + 1, size))
    body = sealed(size)
    first, after = covering(start, end)
    offset, length = stored_range(first, after, size)
    # Everything outside the covered frames may be gone.
    blanked = bytearray(len(body))
    blanked[:HEADER] = body[:HEADER]
    blanked[offset : offset + length] = body[offset : offset + length]
    assert opened(blanked, size, start, end) == plaintext(size)[start:end]


@given(data=st.data(), size=SIZES, key=KEYS)
@settings(deadline=None, max_examples=150)
def test_a_flipped_bit_is_never_returned(data: st.DataObject, size: int, key: bytes | None) -> None:
    body = sealed(size, key)
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Damaged):
        opened(body, size, key=key)


@given(data=st.data(), size=SIZES, key=KEYS)
@settings(deadline=None, max_examples=60)
def test_a_truncated_blob_is_never_returned(data: st.DataObject, size: int, key: bytes | None) -> None:
    body = sealed(size, key)
    cut = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(Damaged):
        opened(body[:cut], size, key=key)


@pytest.mark.parametrize("key", [KEY, None])
def test_a_blob_cut_at_a_frame_is_no_shorter_blob(key: bytes | None) -> None:
    body = sealed(2 * FRAME, key)
    with pytest.raises(Damaged):
        opened(body[: stored_length(FRAME)], FRAME, key=key)


@pytest.mark.parametrize("key", [KEY, None])
def test_swapped_frames_are_never_returned(key: bytes | None) -> None:
    body = sealed(3 * FRAME, key)
    one, two = HEADER, HEADER + FRAME + TAG
    length = FRAME + TAG
    swapped = body[:one] + body[two : two + length] + body[one : one + length] + body[two + length :]
    with pytest.raises(Damaged):
        opened(swapped, 3 * FRAME, key=key)


@pytest.mark.parametrize("key", [KEY, None])
def test_the_frames_of_another_blob_are_never_returned(key: bytes | None) -> None:
    mine, other = sealed(FRAME, key), sealed(FRAME, key, blob=bytes(16))
    with pytest.raises(Damaged):
        opened(mine[:HEADER] + other[HEADER:], FRAME, key=key)
    with pytest.raises(Damaged):
        opened(other, FRAME, key=key)


def test_another_key_is_refused_by_the_header() -> None:
    for key in (OTHER, None):
        with pytest.raises(Damaged):
            Opener(BLOB, key, 5, bytes(sealed(5)[:HEADER]))


def test_equal_plaintexts_look_different_under_different_keys() -> None:
    assert sealed(FRAME)[HEADER:] != sealed(FRAME, OTHER)[HEADER:]
