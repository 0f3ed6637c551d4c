"""Types by content: passive ones alone, and only where nobody has said better."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.policy.sniff import by_content, worth_a_look

OCTETS = "application/octet-stream"
HEADS = {
    "image/jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF",
    "image/png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "image/gif": b"GIF89a\1\0\1\0",
    "image/webp": b"RIFF\x24\0\0\0WEBPVP8 ",
    "image/avif": b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miaf",
    "image/heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "video/mp4": b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41",
    "video/quicktime": b"\0\0\0\x14ftypqt  \0\0\2\0qt  ",
    "audio/mp4": b"\0\0\0\x20ftypM4A \0\0\2\0isomiso2",
    "video/webm": bytes.fromhex("1a45dfa39f4286810142f7810142f2810442f381084282847765626d"),
    "audio/mpeg": b"ID3\x04\0\0\0\0\0\0",
    "audio/ogg": b"OggS\0\2" + bytes(20) + b"\1\x13OpusHead",
    "video/ogg": b"OggS\0\2" + bytes(20) + b"\1\x2a\x80theora",
    "audio/flac": b"fLaC\0\0\0\x22",
    "audio/wav": b"RIFF\x24\0\0\0WAVEfmt ",
}
ACTIVE = (
    b"<!DOCTYPE html><script>alert(1)</script>",
    b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    b"<?xml version='1.0'?><svg/>",
    b"%PDF-1.7",
    b"#!/bin/sh",
    b"alert(1)",
    b"MZ\x90\0",
    b"{}",
)


@pytest.mark.parametrize("content_type", HEADS)
def test_a_nameless_body_is_what_its_bytes_are(content_type: str) -> None:
    for vague in (OCTETS, "", "binary/octet-stream"):
        assert worth_a_look(vague)
        assert by_content(vague, HEADS[content_type]) == content_type


@pytest.mark.parametrize("head", ACTIVE)
def test_nothing_that_runs_is_ever_recognised(head: bytes) -> None:
    for said in (OCTETS, "image/jpeg", "image/png"):
        assert by_content(said, head) == said


def test_a_picture_under_another_pictures_type_gets_its_own() -> None:
    assert by_content("image/png", HEADS["image/jpeg"]) == "image/jpeg"
    assert by_content("image/svg+xml", HEADS["image/png"]) == "image/png"
    assert by_content("image/jpg", HEADS["image/jpeg"]) == "image/jpg"
    assert by_content("image/apng", HEADS["image/png"]) == "image/apng"


@pytest.mark.parametrize("said", ["text/html", "text/plain", "video/mp4", "application/json", "application/pdf"])
def test_other_types_are_left_to_their_upstream(said: str) -> None:
    assert not worth_a_look(said)
    assert by_content(said, HEADS["image/png"]) == said


def test_a_picture_never_becomes_a_film() -> None:
    assert by_content("image/jpeg", HEADS["video/mp4"]) == "image/jpeg"


@given(st.binary(max_size=600))
def test_any_bytes_have_a_passive_type(head: bytes) -> None:
    found = by_content(OCTETS, head)
    assert found == OCTETS or (found.startswith(("image/", "video/", "audio/")) and "svg" not in found)
