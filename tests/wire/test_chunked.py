"""Promises of wire/chunked.py: what is framed comes out whole, and nothing else comes out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wire import chunked
from wire.chunked import KINDS, ChunkedDecoder
from wire.refusals import Refusal
from wire.sigv4 import Scope, SignatureChain, signing_key

SCOPE = Scope("20130524", "us-east-1", "s3")
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
CRC = "x-amz-checksum-crc32c"


def chain() -> SignatureChain:
    return SignatureChain("20130524T000000Z", SCOPE, signing_key(SECRET, SCOPE), SEED)


def framed(kind: str, pieces: Sequence[bytes], trailers: dict[str, str] | None = None) -> bytes:
    """An aws-chunked body, made independently of the decoder."""
    signer = chain() if KINDS[kind].signed else None
    out = b""
    for piece in [*pieces, b""]:
        signature = f";chunk-signature={signer.chunk(hashlib.sha256(piece).hexdigest())}" if signer else ""
        out += f"{len(piece):x}{signature}\r\n".encode()
        out += piece + b"\r\n" if piece else b""
    for name, value in (trailers or {}).items():
        out += f"{name}:{value}\r\n".encode()
    if signer and KINDS[kind].trailer:
        text = "".join(f"{name}:{value}\n" for name, value in sorted((trailers or {}).items()))
        out += f"x-amz-trailer-signature:{signer.trailer(hashlib.sha256(text.encode()).hexdigest())}\r\n".encode()
    return out + b"\r\n"


def decoder(kind: str, length: int, trailers: dict[str, str] | None = None) -> ChunkedDecoder:
    signed = KINDS[kind].signed
    return ChunkedDecoder(KINDS[kind], length, chain=chain() if signed else None, announced=frozenset(trailers or {}))


def decoded(one: ChunkedDecoder, raw: bytes, step: int = 1 << 20) -> bytes:
    out = b"".join(piece for at in range(0, len(raw), step) for piece in one.feed(raw[at : at + step]))
    one.finish()
    return out


def code_of(one: ChunkedDecoder, raw: bytes) -> str:
    with pytest.raises(Refusal) as caught:
        decoded(one, raw)
    return caught.value.code


def test_the_example_of_the_aws_page_verifies() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html, the example with 66,560 bytes of "a"."""
    raw = (
        b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n"
        + b"a" * 65536
        + b"\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n"
        + b"a" * 1024
        + b"\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
    )
    assert decoded(decoder(SIGNED, 66560), raw) == b"a" * 66560


@settings(max_examples=60)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    pieces=st.lists(st.binary(min_size=1, max_size=300), max_size=6),
    step=st.integers(1, 400),
)
def test_however_it_is_cut_the_body_comes_out(kind: str, pieces: list[bytes], step: int) -> None:
    trailers = {CRC: "AAAAAA=="} if KINDS[kind].trailer else {}
    one = decoder(kind, sum(map(len, pieces)), trailers)
    assert decoded(one, framed(kind, pieces, trailers), step) == b"".join(pieces)
    assert one.trailers == trailers


@pytest.mark.parametrize("kind", [SIGNED, SIGNED_TRAILER])
def test_a_changed_byte_breaks_the_signature_of_its_chunk(kind: str) -> None:
    trailers = {CRC: "AAAAAA=="} if KINDS[kind].trailer else {}
    raw = framed(kind, [b"first chunk", b"second chunk"], trailers)
    assert code_of(decoder(kind, 23, trailers), raw.replace(b"second", b"zecond")) == "SignatureDoesNotMatch"


def test_chunks_cannot_change_places() -> None:
    signer = chain()
    one, two = (f";chunk-signature={signer.chunk(hashlib.sha256(piece).hexdigest())}" for piece in (b"1", b"2"))
    raw = f"1{two}\r\n2\r\n1{one}\r\n1\r\n".encode()
    assert code_of(decoder(SIGNED, 2), raw) == "SignatureDoesNotMatch"


def test_a_changed_trailer_breaks_its_signature() -> None:
    raw = framed(SIGNED_TRAILER, [b"x"], {CRC: "AAAAAA=="})
    one = decoder(SIGNED_TRAILER, 1, {CRC: ""})
    assert code_of(one, raw.replace(b"AAAAAA==", b"BBBBBB==")) == "SignatureDoesNotMatch"


@pytest.mark.parametrize("cut", [1, 3, 20, 50])
def test_a_body_that_ends_early_is_incomplete(cut: int) -> None:
    raw = framed(UNSIGNED_TRAILER, [b"some data"], {CRC: "AAAAAA=="})
    assert code_of(decoder(UNSIGNED_TRAILER, 9, {CRC: ""}), raw[:-cut]) == "IncompleteBody"


@pytest.mark.parametrize("length", [0, 8, 10])
def test_a_length_that_lies_is_refused(length: int) -> None:
    raw = framed(UNSIGNED_TRAILER, [b"some data"])
    assert code_of(decoder(UNSIGNED_TRAILER, length), raw) == "IncompleteBody"


@pytest.mark.parametrize(
    "raw",
    [
        b"zz\r\n",
        b"-1\r\n",
        b"1;chunk-signature=00\r\n",
        b"11111111111111111\r\nx",
        b"1\nx",
        b"1\r\nxx\r\n",
        b"1\r\nx\n0\r\n\r\n",
        b"x" * 2000,
        b"\r\n\r\n",
        b"0\r\n\r\nmore",
        b"1\r\nx\r\n0\r\n\r\nmore\r\n",
    ],
)
def test_broken_framing_is_refused(raw: bytes) -> None:
    assert code_of(decoder(UNSIGNED_TRAILER, 1), raw) in ("InvalidRequest", "IncompleteBody")


def test_an_unsigned_chunk_in_a_signed_body_is_refused() -> None:
    assert code_of(decoder(SIGNED, 1), b"1\r\nx\r\n0\r\n\r\n") == "InvalidRequest"


@pytest.mark.parametrize(
    "trailer", [b"x-amz-meta-a:1\r\n", b"no colon\r\n", b"x-amz-checksum-crc32c:a\r\nx-amz-checksum-crc32c:b\r\n"]
)
def test_a_trailer_that_was_not_announced_is_refused(trailer: bytes) -> None:
    one = decoder(UNSIGNED_TRAILER, 1, {CRC: ""})
    assert code_of(one, b"1\r\nx\r\n0\r\n" + trailer + b"\r\n") == "MalformedTrailerError"


def test_an_announced_trailer_that_does_not_come_is_refused() -> None:
    assert code_of(decoder(UNSIGNED_TRAILER, 1, {CRC: ""}), b"1\r\nx\r\n0\r\n\r\n") == "MalformedTrailerError"


def test_a_bare_line_feed_inside_a_trailer_line_is_tolerated() -> None:
    one = decoder(UNSIGNED_TRAILER, 1, {CRC: ""})
    assert decoded(one, b"1\r\nx\r\n0\r\nx-amz-checksum-crc32c:AAAAAA==\n\r\n\r\n") == b"x"
    assert one.trailers == {CRC: "AAAAAA=="}


def test_endless_tiny_chunks_are_refused() -> None:
    count = chunked.FREE_CHUNKS + 100
    assert code_of(decoder(UNSIGNED_TRAILER, count), b"1\r\nx\r\n" * count) == "InvalidChunkSizeError"


def test_an_unknown_streaming_kind_is_not_implemented() -> None:
    with pytest.raises(Refusal, match="NotImplemented"):
        chunked.kind_of("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD")
    assert chunked.kind_of("UNSIGNED-PAYLOAD") is None
