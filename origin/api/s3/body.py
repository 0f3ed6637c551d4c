"""The body of a request: announced, awaited, decoded, bounded.

The rule of this file: nothing is read, and no client is told to send (100 Continue), before the first byte is
asked for, so whatever is refused from the head alone is refused with its final status. A body that stands still
is ended, a body that is larger than allowed is refused before it is read.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping

from aiohttp import ClientError
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import BaseRequest, RequestPayloadError
from msgspec.structs import replace

from origin.api.s3.authenticate import Identity
from origin.service.model import Expected
from wire import chunked
from wire.checksums import HEADER_PREFIX, Algorithm, for_header, for_name
from wire.refusals import Refusal
from wire.sigv4 import UNSIGNED_PAYLOAD

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
SDK_ALGORITHM = "x-amz-sdk-checksum-algorithm"
_NOT_VALUES = frozenset({f"{HEADER_PREFIX}mode", f"{HEADER_PREFIX}algorithm", f"{HEADER_PREFIX}type"})


class Body:
    """The body of one request. `stall` is how long it may stand still, in seconds."""

    def __init__(self, request: BaseRequest, headers: Mapping[str, str], identity: Identity, *, stall: float) -> None:
        self._request = request
        self._headers = headers
        self._identity = identity
        self._stall = stall
        self._kind = chunked.kind_of(identity.payload)
        self._announced = _announced(headers) if self._kind and self._kind.trailer else {}
        self._decoder: chunked.ChunkedDecoder | None = None
        if self._kind and self._kind.signed and identity.chain is None:
            raise Refusal("AccessDenied", "An anonymous request cannot have a signed body.")

    @property
    def length(self) -> int | None:
        """The decoded length in bytes, where the client said it."""
        name = "x-amz-decoded-content-length" if self._kind else "content-length"
        value = self._headers.get(name)
        if value is None:
            return None
        if not (value.isascii() and value.isdigit() and len(value) < 20):
            raise Refusal("InvalidArgument", f"{name} must be a number of bytes.", ArgumentName=name)
        return int(value)

    def demand_length(self, limit: int) -> int:
        """The decoded length, which must be given and be at most `limit` bytes.

        Raises Refusal: MissingContentLength, EntityTooLarge.
        """
        length = self.length
        if length is None:
            raise Refusal("MissingContentLength", "You must provide the Content-Length HTTP header.")
        if length > limit:
            raise Refusal(
                "EntityTooLarge",
                "Your proposed upload exceeds the maximum allowed size",
                ProposedSize=str(length),
                MaxSizeAllowed=str(limit),
            )
        return length

    def expected(self) -> Expected:
        """Everything the client says the body is. Raises Refusal: InvalidDigest, InvalidRequest."""
        return Expected(
            length=self.length,
            md5=_content_md5(self._headers),
            sha256=self._whole_sha256(),
            checksums=self._checksums(),
            algorithms=tuple(algorithm.name for algorithm in self._announced.values()),
            late=self._late,
        )

    def _checksums(self) -> dict[str, str]:
        """The checksum in the headers, which must be of the kind that an SDK says it computed.

        What a presigned URL says was computed before there was a body. Raises Refusal (InvalidRequest).
        """
        found, said = checksums_of(self._headers), self._headers.get(SDK_ALGORITHM)
        if said is None or self._identity.presigned:
            return found
        algorithm = for_name(said)
        given = {*found, *(one.name for one in self._announced.values())}
        if algorithm is None or (given and algorithm.name not in given):
            raise Refusal("InvalidRequest", f"Value for {SDK_ALGORITHM} header is invalid.")
        if not given:
            raise Refusal(
                "InvalidRequest",
                f"{SDK_ALGORITHM} specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were"
                " found.",
            )
        return found

    async def read(self, limit: int, *, of_object: bool = False) -> bytes:
        """The whole body of at most `limit` bytes, checked against everything the client says it is.

        With `of_object` the checksum headers speak of an object, not of this body (CompleteMultipartUpload).
        Raises Refusal: MaxMessageLengthExceeded, BadDigest, XAmzContentSHA256Mismatch and what iterating raises.
        """
        data = bytearray()
        async for piece in self:
            data += piece
            if len(data) > limit:
                raise Refusal("MaxMessageLengthExceeded", "Your request was too big.", MaxMessageLengthBytes=str(limit))
        body = bytes(data)
        expected = self.expected()
        _check(body, replace(expected, checksums={}) if of_object else expected)
        return body

    @property
    def vouched(self) -> bool:
        """Whether the client gave anything that protects the body on its way."""
        expected = self.expected()
        return bool(expected.md5 or expected.sha256 or expected.checksums or expected.algorithms)

    @property
    def unread(self) -> bool:
        """Whether a part of the body has not come yet."""
        return not self._request.content.is_eof()

    @property
    def awaits_continue(self) -> bool:
        """Whether the client waits for 100 Continue before it sends."""
        return self._headers.get("expect", "").lower() == "100-continue"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self.awaits_continue and self._request.version >= (1, 1):
            await self._request.writer.write(CONTINUE)
            self._request.writer.output_size = 0
        if self._kind is None:
            async for piece in self._raw():
                yield piece
            return
        self._decoder = chunked.ChunkedDecoder(
            self._kind,
            self.length or 0,
            chain=self._identity.chain,
            announced=frozenset(self._announced),
        )
        async for raw in self._raw():
            for piece in self._decoder.feed(raw):
                yield piece
        self._decoder.finish()

    async def _raw(self) -> AsyncIterator[bytes]:
        content = self._request.content
        while True:
            try:
                piece = content.read_nowait()  # what has come needs no watch over whether it comes
                if not piece and not content.is_eof():
                    async with asyncio.timeout(self._stall):
                        piece = await content.readany()
            except TimeoutError:
                raise Refusal(
                    "RequestTimeout",
                    "Your socket connection to the server was not read from or written to within the timeout "
                    "period. Idle connections will be closed.",
                ) from None
            except (RequestPayloadError, HttpProcessingError, ClientError, ConnectionError) as error:
                raise Refusal(
                    "IncompleteBody",
                    "You did not provide the number of bytes specified by the Content-Length HTTP header",
                ) from error
            if not piece:
                return
            yield piece

    def _whole_sha256(self) -> str | None:
        payload = self._identity.payload
        return None if self._kind or payload == UNSIGNED_PAYLOAD else payload

    def _late(self) -> Mapping[str, str]:
        trailers = self._decoder.trailers if self._decoder else {}
        return {
            algorithm.name: _checksum_value(algorithm, trailers[name]) for name, algorithm in self._announced.items()
        }


def _announced(headers: Mapping[str, str]) -> dict[str, Algorithm]:
    """The algorithms whose checksums x-amz-trailer announces, by trailer name."""
    found: dict[str, Algorithm] = {}
    for name in headers.get("x-amz-trailer", "").split(","):
        name = name.strip().lower()
        if not name:
            continue
        algorithm = for_header(name)
        if algorithm is None:
            raise Refusal("InvalidRequest", "The value specified in the x-amz-trailer header is not supported")
        found[name] = algorithm
    return found


def _content_md5(headers: Mapping[str, str]) -> bytes | None:
    value = headers.get("content-md5")
    if value is None:
        return None
    try:
        digest = base64.b64decode(value, validate=True)
    except binascii.Error:
        digest = b""
    if len(digest) != 16:
        raise Refusal("InvalidDigest", "The Content-MD5 you specified was invalid.")
    return digest


def checksums_of(headers: Mapping[str, str]) -> dict[str, str]:
    """The checksum that a header gives: algorithm → base64. More than one is refused, as on AWS."""
    found: dict[str, str] = {}
    for name, value in headers.items():
        if not name.startswith(HEADER_PREFIX) or name in _NOT_VALUES:
            continue
        algorithm = for_header(name)
        if algorithm is None:
            raise Refusal("InvalidRequest", f"The checksum of the header {name} is not supported.")
        found[algorithm.name] = _checksum_value(algorithm, value)
    if len(found) > 1:
        raise Refusal(
            "InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    return found


def _checksum_value(algorithm: Algorithm, value: str) -> str:
    try:
        algorithm.decode(value)
    except ValueError:
        raise Refusal("InvalidRequest", f"Value for {algorithm.header} header is invalid.") from None
    return value


def _check(body: bytes, expected: Expected) -> None:
    """Check a whole body in memory against what is expected of it."""
    if expected.length is not None and len(body) != expected.length:
        raise Refusal("IncompleteBody", "The body is not as long as announced.")
    if expected.sha256 is not None and not _same(hashlib.sha256(body).hexdigest(), expected.sha256):
        raise Refusal(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
            ClientComputedContentSHA256=expected.sha256,
        )
    if expected.md5 is not None and hashlib.md5(body, usedforsecurity=False).digest() != expected.md5:
        raise Refusal("BadDigest", "The Content-MD5 you specified did not match what we received.")
    for name, value in {**expected.checksums, **expected.late()}.items():
        algorithm = for_header(HEADER_PREFIX + name)
        if algorithm is not None and not _same(algorithm.of(body), value):
            raise Refusal("BadDigest", f"The {name} you specified did not match the calculated checksum.")


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode())
