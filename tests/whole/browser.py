"""Readers of the edge as they really ask: one connection, exact headers, nothing decoded or followed."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import pyvips

CHROME = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
SAFARI = (
    "image/webp,image/avif,image/jxl,image/heic,image/heic-sequence,"
    "video/*;q=0.8,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5"
)
OLD = "image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5"


@dataclass(frozen=True)
class Answer:
    """One answer; header names are lower case, repeated headers are kept apart."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes

    def __getitem__(self, name: str) -> str:
        values = [value for field, value in self.fields if field == name.lower()]
        assert len(values) == 1, f"{name}: {values}"
        return values[0]

    def get(self, name: str) -> str | None:
        values = [value for field, value in self.fields if field == name.lower()]
        assert len(values) < 2, f"{name}: {values}"
        return values[0] if values else None

    @property
    def type(self) -> str:
        return self["content-type"]

    def image(self) -> pyvips.Image:
        """The body decoded by libvips, upright."""
        return pyvips.Image.new_from_buffer(self.body, "", fail_on="truncated").autorot()

    @property
    def size(self) -> tuple[int, int]:
        image = self.image()
        return image.width, image.height


def ask(url: str, accept: str | None = None, *, method: str = "GET", **headers: str) -> Answer:
    """One request; keyword names have their underscores turned into hyphens."""
    parts = urlsplit(url)
    target = url.split(parts.netloc, 1)[1] or "/"
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    if accept is not None:
        fields["Accept"] = accept
    return request(parts.netloc, method, target, fields)


def request(address: str, method: str, target: str, fields: Mapping[str, str], body: bytes | None = None) -> Answer:
    """One request with the target sent exactly as given."""
    connection = http.client.HTTPConnection(address, timeout=60)
    try:
        connection.putrequest(method, target, skip_host="Host" in fields, skip_accept_encoding=True)
        for name, value in fields.items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return Answer(answer.status, tuple((name.lower(), value) for name, value in answer.getheaders()), answer.read())
    finally:
        connection.close()


def within(seconds: float, question: Callable[[], Answer], wanted: Callable[[Answer], bool]) -> Answer:
    """Ask until the answer is the wanted one; the last answer within `seconds` is the one that must be."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if wanted(answer) or time.monotonic() > deadline:
            assert wanted(answer), (answer.status, answer.fields)
            return answer
