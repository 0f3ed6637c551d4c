"""Sending an answer: bytes, a read in progress, or something that takes its time.

The rule of this file: an answer whose head has gone out never turns into another one. If its bytes cannot be
delivered the connection is closed short, so the client sees that something is missing.
"""

from __future__ import annotations

import asyncio
import os
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import msgspec
import structlog
from aiohttp.web import BaseRequest, Response, StreamResponse

from origin.api.s3 import xml
from origin.api.s3.call import Answer, Finished, Pending
from origin.service.reading import Reading

SERVER = "Facet"
PATIENCE = 5.0
"""How long a pending result may take, in seconds, before white space is sent, and between white space."""

SLICE = 256 * 1024
"""Bytes that a client must take within the time a body may stand still."""

ErrorElement = Callable[[Exception], bytes]
R = TypeVar("R", bound=StreamResponse)


class Ids(msgspec.Struct, frozen=True):
    """The two ids that name a request in answers and logs."""

    request: str
    host: str

    @classmethod
    def new(cls) -> Ids:
        """Random ids in AWS's shapes."""
        random = os.urandom(32)
        return cls(random[:8].hex().upper(), b64encode(random[8:]).decode())

    def headers(self) -> dict[str, str]:
        """The headers of every answer."""
        return {"x-amz-request-id": self.request, "x-amz-id-2": self.host, "Server": SERVER}


async def send(
    request: BaseRequest,
    answer: Answer,
    headers: Mapping[str, str],
    error_element: ErrorElement,
    *,
    close: bool,
    stall: float,
    patience: float = PATIENCE,
) -> StreamResponse:
    """Send the answer with these headers. `close` ends the connection afterwards; `stall` is how long, in seconds, a
    client may take nothing.

    Raises what a pending result raises, as long as nothing has been sent; later errors go into the 200 through
    `error_element`, as AWS documents for CopyObject and CompleteMultipartUpload.
    """
    match answer.body:
        case Reading() as reading:
            return await _send_reading(request, answer.status, headers, reading, close=close, stall=stall)
        case Pending(result):
            return await _send_pending(request, headers, result, error_element, close=close, patience=patience)
        case body:
            return _prepared(Response(status=answer.status, headers=headers, body=_body(request, headers, body)), close)


def _body(request: BaseRequest, headers: Mapping[str, str], body: bytes) -> bytes | None:
    """The body, or None where the head alone says how long one would be (HEAD)."""
    return None if request.method == "HEAD" and "Content-Length" in headers else body


def _prepared(response: R, close: bool) -> R:
    if close:
        response.force_close()
    return response


async def _send_reading(
    request: BaseRequest, status: int, headers: Mapping[str, str], reading: Reading, *, close: bool, stall: float
) -> StreamResponse:
    async with reading:
        response = _prepared(StreamResponse(status=status, headers=headers), close)
        response.content_length = reading.length
        await response.prepare(request)
        try:
            async for chunk in reading.chunks():
                view = memoryview(chunk)
                for at in range(0, len(view), SLICE):
                    async with asyncio.timeout(stall):
                        await response.write(view[at : at + SLICE])
        except ConnectionError:
            request.protocol.force_close()
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
        except Exception:
            structlog.get_logger().exception("read ended short", request_id=headers["x-amz-request-id"])
            request.protocol.force_close()
    return response


async def _send_pending(
    request: BaseRequest,
    headers: Mapping[str, str],
    result: Awaitable[Finished],
    error_element: ErrorElement,
    *,
    close: bool,
    patience: float,
) -> StreamResponse:
    task = asyncio.ensure_future(result)
    # Work that was begun ends even if the client leaves; its error is then nobody's.
    _begun.add(task)
    task.add_done_callback(_ended)
    await asyncio.wait({task}, timeout=patience)
    if task.done():
        done = task.result()
        return _prepared(Response(headers={**headers, **done.headers}, body=xml.PROLOG + done.element), close)
    response = _prepared(StreamResponse(headers=headers), close)
    await response.prepare(request)
    try:
        await response.write(xml.PROLOG)
        while not task.done():
            await response.write(b" ")
            await asyncio.wait({task}, timeout=patience)
        error = task.exception()
        await response.write(error_element(error) if isinstance(error, Exception) else task.result().element)
    except ConnectionError:
        request.protocol.force_close()
    return response


_begun: set[asyncio.Future[Finished]] = set()
"""Pending work; the event loop alone would not keep it alive."""


def _ended(task: asyncio.Future[Finished]) -> None:
    _begun.discard(task)
    if not task.cancelled():
        task.exception()
