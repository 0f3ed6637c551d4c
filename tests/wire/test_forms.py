"""Promises about multipart forms: however the bytes are cut, fields and file are the same; limits hold."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.forms import MAX_FIELDS, FormReader, boundary_of
from wire.refusals import Refusal

BOUNDARY = b"----x"


def form(fields: dict[str, str], file: bytes, name: str = "a.txt") -> bytes:
    parts = [
        f'--{BOUNDARY.decode()}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    head = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: text/plain\r\n\r\n'
    return b"".join(parts) + b"--" + BOUNDARY + b"\r\n" + head.encode() + file + b"\r\n--" + BOUNDARY + b"--\r\n"


def read(data: bytes, cuts: list[int]) -> tuple[FormReader, bytes]:
    reader = FormReader(BOUNDARY)
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    file = b"".join(reader.feed(data[start:end]) for start, end in pairwise(edges))
    reader.finish()
    return reader, file


@given(st.binary(max_size=300), st.lists(st.integers(0, 2000), max_size=20))
def test_a_form_reads_the_same_however_it_is_cut(file: bytes, cuts: list[int]) -> None:
    if b"\r\n--" + BOUNDARY in b"\r\n" + file:
        return
    reader, got = read(form({"Key": "k/\u00e4", "acl": "private"}, file, r"C:\\dir\\a.txt"), cuts)
    assert (reader.fields, reader.file_name, got) == ({"key": "k/\u00e4", "acl": "private"}, "a.txt", file)


def test_what_follows_the_file_is_ignored() -> None:
    data = form({"key": "k"}, b"file").removesuffix(b"--\r\n")
    data += b'\r\nContent-Disposition: form-data; name="acl"\r\n\r\npublic-read\r\n--' + BOUNDARY + b"--\r\n"
    reader, got = read(data, [])
    assert (reader.fields, got) == ({"key": "k"}, b"file")


@pytest.mark.parametrize("cut", [9, 30, 80, 200])
def test_a_form_cut_off_is_refused(cut: int) -> None:
    with pytest.raises(Refusal, match="MalformedPOSTRequest"):
        read(form({"key": "k"}, b"file" * 100)[:-cut], [])


@pytest.mark.parametrize("fields", [{"key": "k" * MAX_FIELDS}, {f"x{number}": "y" * 50 for number in range(400)}])
def test_fields_are_bounded(fields: dict[str, str]) -> None:
    with pytest.raises(Refusal, match="MaxPostPreDataLengthExceeded"):
        read(form(fields, b""), list(range(0, 100_000, 1000)))


@pytest.mark.parametrize("value", ["", "text/plain", "multipart/form-data", "multipart/mixed; boundary=x"])
def test_another_content_type_is_no_form(value: str) -> None:
    with pytest.raises(Refusal, match="PreconditionFailed"):
        boundary_of(value)


@pytest.mark.parametrize("value", ["multipart/form-data; boundary=ab", 'multipart/form-data; boundary="ab"; x=y'])
def test_a_boundary_may_be_quoted(value: str) -> None:
    assert boundary_of(value) == b"ab"
