"""An S3 client of few words for writers that outlive their server."""

from __future__ import annotations

from collections.abc import Mapping
from time import time
from urllib.parse import urlsplit

import aiohttp

from tests.faults.traffic import Deed, Verb
from wire import sigv4

ACCESS, SECRET = "FACETROOTKEY", "a-secret-for-tests-only"
BUCKET = "shelf"


class Refused(Exception):
    """The server answered, and not with success."""


class Client:
    """Signed requests to one origin. Raises aiohttp.ClientError where the server is gone."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self._host = urlsplit(url).netloc

    async def ask(
        self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """Status, body and headers of the answer."""
        path, _, query = target.partition("?")
        lines = {"Host": self._host, **(headers or {})}
        lines |= sigv4.sign_headers(
            method, path, query, list(lines.items()), access_key=ACCESS, secret=SECRET, now=time(),
            payload=sigv4.UNSIGNED_PAYLOAD,
        )  # fmt: skip
        async with self._session.request(method, self._url + target, data=body, headers=lines) as answer:
            return answer.status, await answer.read(), answer.headers

    async def must(
        self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[bytes, Mapping[str, str]]:
        """Body and headers of a successful answer. Raises Refused."""
        status, content, answered = await self.ask(method, target, body, headers)
        if status not in (200, 204) or b"<Error>" in content:
            raise Refused(f"{method} {target}: {status} {content[:500]!r}")
        return content, answered

    async def get(self, key: str) -> bytes | None:
        """The object's bytes, None where there is none. Raises Refused."""
        status, content, _ = await self.ask("GET", f"/{BUCKET}/{key}")
        if status == 404:
            return None
        if status != 200:
            raise Refused(f"GET {key}: {status} {content[:500]!r}")
        return content

    async def do(self, deed: Deed) -> None:
        """Make the change; returns when it is acknowledged. Raises Refused."""
        target = f"/{BUCKET}/{deed.key}"
        match deed.verb:
            case Verb.PUT:
                await self.must("PUT", target, deed.bodies[0])
            case Verb.DELETE:
                await self.must("DELETE", target)
            case Verb.COPY:
                await self.must("PUT", target, headers={"x-amz-copy-source": f"/{BUCKET}/{deed.source}"})
            case Verb.JOIN:
                await self._join(target, deed.bodies)

    async def _join(self, target: str, parts: tuple[bytes, ...]) -> None:
        content, _ = await self.must("POST", f"{target}?uploads=")
        upload = content.decode().partition("<UploadId>")[2].partition("</UploadId>")[0]
        named = ""
        for number, part in enumerate(parts, start=1):
            _, headers = await self.must("PUT", f"{target}?partNumber={number}&uploadId={upload}", part)
            named += f"<Part><PartNumber>{number}</PartNumber><ETag>{headers['ETag']}</ETag></Part>"
        body = f"<CompleteMultipartUpload>{named}</CompleteMultipartUpload>".encode()
        await self.must("POST", f"{target}?uploadId={upload}", body)
