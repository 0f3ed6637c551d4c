"""Several parts of one body as multipart/byteranges (RFC 9110 §14.6, §15.3.7.2).

The rule of this file: nothing of the body is held; the parts are read one after the other, as they were asked for.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

from edge.message import Body
from wire.ranges import Part, content_range


class Multipart:
    """Some parts of a body whose length is known; it closes the body."""

    def __init__(self, body: Body, size: int, parts: tuple[Part, ...], content_type: str | None) -> None:
        self._body = body
        boundary = secrets.token_hex(16)  # which no body can be made to hold
        self.content_type = f"multipart/byteranges; boundary={boundary}"
        typed = "" if content_type is None else f"Content-Type: {content_type}\r\n"
        self._parts = [
            (f"\r\n--{boundary}\r\n{typed}Content-Range: {content_range(*part, size)}\r\n\r\n".encode(), part)
            for part in parts
        ]
        self._end = f"\r\n--{boundary}--\r\n".encode()
        self.length = sum(len(head) + part.length for head, part in self._parts) + len(self._end)

    async def blocks(self, start: int, stop: int | None) -> AsyncIterator[bytes]:
        """See Body. Always whole: parts have no ranges of their own."""
        assert (start, stop) in ((0, None), (0, self.length)), "parts are given whole"
        for head, part in self._parts:
            yield head
            async for block in self._body.blocks(part.start, part.end + 1):
                yield block
        yield self._end

    def close(self) -> None:
        """See Body."""
        self._body.close()
