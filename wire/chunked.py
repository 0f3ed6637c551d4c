"""The aws-chunked body: lengths, chunk signatures and trailers inside the HTTP body.

The rule of this file: data leaves the decoder as it comes, so nothing is buffered but one header line; whoever
stores it must not let it live before `finish` has returned. Which of the kinds a body is, x-amz-content-sha256
says, never Content-Encoding (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from enum import Enum, auto

from wire.refusals import Refusal
from wire.sigv4 import SignatureChain

MAX_LINE = 1024
MAX_TRAILERS = 16
MEAN_CHUNK = 256
"""The least mean size of chunks, in bytes, once FREE_CHUNKS have come: framing must not outweigh the data."""
FREE_CHUNKS = 4096

_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;chunk-signature=([0-9a-f]{64}))?")
_TRAILER_SIGNATURE = "x-amz-trailer-signature"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of streamed payload."""

    signed: bool
    trailer: bool


KINDS = {
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": Kind(signed=True, trailer=False),
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": Kind(signed=True, trailer=True),
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER": Kind(signed=False, trailer=True),
}


def kind_of(payload: str) -> Kind | None:
    """The kind that an x-amz-content-sha256 value names, None for a body that is not aws-chunked.

    Raises Refusal (NotImplemented) for a STREAMING-… word that is not one of ours.
    """
    kind = KINDS.get(payload)
    if kind is None and payload.startswith("STREAMING-"):
        raise Refusal("NotImplemented", f"The payload kind {payload} is not supported.")
    return kind


class _State(Enum):
    HEADER = auto()
    DATA = auto()
    DATA_END = auto()
    TRAILER = auto()
    DONE = auto()


class ChunkedDecoder:
    """Decodes one body. `length` is x-amz-decoded-content-length, in bytes.

    `chain` verifies the chunk signatures of the signed kinds; `announced` are the names in x-amz-trailer.
    """

    def __init__(
        self,
        kind: Kind,
        length: int,
        *,
        chain: SignatureChain | None = None,
        announced: frozenset[str] = frozenset(),
    ) -> None:
        if kind.signed and chain is None:
            raise ValueError("a signed body needs a signature chain")
        self._kind = kind
        self._length = length
        self._chain = chain if kind.signed else None
        self._announced = announced
        self._state = _State.HEADER
        self._line = bytearray()
        self._left = 0
        self._decoded = 0
        self._chunks = 0
        self._claimed = b""
        self._hash = hashlib.sha256()
        self.trailers: dict[str, str] = {}
        """The trailer's fields by lower-case name; complete once `finish` has returned."""

    def feed(self, data: bytes) -> list[bytes]:
        """The decoded pieces of the next raw bytes.

        Raises Refusal: InvalidRequest (framing), InvalidChunkSizeError, IncompleteBody (more data than announced),
        SignatureDoesNotMatch, MalformedTrailerError.
        """
        pieces: list[bytes] = []
        view = memoryview(data)
        at = 0
        while at < len(view):
            if self._state is _State.DATA:
                piece = bytes(view[at : at + self._left])
                at += len(piece)
                self._take(piece)
                pieces.append(piece)
            else:
                end = data.find(b"\n", at)
                stop = len(data) if end < 0 else end + 1
                self._line += view[at:stop]
                at = stop
                if len(self._line) > MAX_LINE:
                    raise _malformed("a line of its framing is too long")
                if end >= 0:
                    line = bytes(self._line)
                    self._line.clear()
                    self._read_line(line)
        return pieces

    def finish(self) -> None:
        """Say that the raw body has ended. Raises Refusal if the decoded body is not complete."""
        if self._state is not _State.DONE or self._decoded != self._length:
            raise Refusal(
                "IncompleteBody",
                "You did not provide the number of bytes specified by the x-amz-decoded-content-length header",
            )

    def _take(self, piece: bytes) -> None:
        self._left -= len(piece)
        self._decoded += len(piece)
        if self._chain is not None:
            self._hash.update(piece)
        if self._left == 0:
            self._state = _State.DATA_END

    def _read_line(self, line: bytes) -> None:
        if not line.endswith(b"\r\n"):
            # Some clients end a trailer's field with a bare LF before the CRLF of its line.
            if self._state is _State.TRAILER:
                self._line += line[:-1]
                return
            raise _malformed("a line of its framing does not end in CRLF")
        text = line[:-2]
        match self._state:
            case _State.HEADER:
                self._start_chunk(text)
            case _State.DATA_END:
                if text:
                    raise _malformed("a chunk is longer than its header says")
                self._end_chunk()
                self._state = _State.HEADER
            case _State.TRAILER:
                self._read_trailer(text)
            case _:
                raise _malformed("something follows its end")

    def _start_chunk(self, line: bytes) -> None:
        match = _CHUNK_LINE.fullmatch(line)
        if match is None or (match[2] is None) == self._kind.signed:
            raise _malformed("a chunk header is malformed")
        self._left = int(match[1], 16)
        self._claimed = match[2] or b""
        if self._decoded + self._left > self._length:
            raise Refusal("IncompleteBody", "The body is longer than x-amz-decoded-content-length says")
        if self._left:
            self._chunks += 1
            if self._chunks > FREE_CHUNKS + self._decoded // MEAN_CHUNK:
                raise Refusal("InvalidChunkSizeError", "The body is cut into too many small chunks")
            self._state = _State.DATA
            return
        self._end_chunk()
        self._state = _State.TRAILER

    def _end_chunk(self) -> None:
        if self._chain is None:
            return
        _compare(self._chain.chunk(self._hash.hexdigest()), self._claimed)
        self._hash = hashlib.sha256()

    def _read_trailer(self, line: bytes) -> None:
        if not line:
            self._end_trailer()
            self._state = _State.DONE
            return
        name, colon, value = line.decode("latin-1").partition(":")
        name = name.strip().lower()
        known = name in self._announced or (name == _TRAILER_SIGNATURE and self._kind.signed)
        if not colon or not self._kind.trailer or not known or name in self.trailers:
            raise _malformed_trailer()
        self.trailers[name] = value.strip()
        if len(self.trailers) > MAX_TRAILERS:
            raise _malformed_trailer()

    def _end_trailer(self) -> None:
        claimed = self.trailers.pop(_TRAILER_SIGNATURE, None)
        if self._announced - self.trailers.keys():
            raise _malformed_trailer()
        if self._chain is None or not self._kind.trailer:
            return
        if claimed is None:
            raise _malformed_trailer()
        canonical = "".join(f"{name}:{value}\n" for name, value in sorted(self.trailers.items()))
        _compare(self._chain.trailer(hashlib.sha256(canonical.encode("latin-1")).hexdigest()), claimed.encode())


def _compare(expected: str, claimed: bytes) -> None:
    if not hmac.compare_digest(expected.encode(), claimed):
        raise Refusal("SignatureDoesNotMatch", "The signature of a chunk does not match its data.")


def _malformed(what: str) -> Refusal:
    return Refusal("InvalidRequest", f"The aws-chunked body is malformed: {what}.")


def _malformed_trailer() -> Refusal:
    return Refusal(
        "MalformedTrailerError",
        "The request contained trailing data that was not well-formed or did not conform to our published schema.",
    )
