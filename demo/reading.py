"""One row of the table: a picture read twice by one reader, and everything that has to be true of it.

The rule of this file: nothing the edge says is believed. Type, size, orientation, colours, frames and transparency
are found by decoding the bytes here, and compared with the source.
"""

from __future__ import annotations

import http.client
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pyvips

from demo.clients import Reader

_LOADERS = {
    "image/avif": pyvips.Image.heifload_buffer,
    "image/webp": pyvips.Image.webpload_buffer,
    "image/jpeg": pyvips.Image.jpegload_buffer,
    "image/png": pyvips.Image.pngload_buffer,
    "image/gif": pyvips.Image.gifload_buffer,
    "image/svg+xml": pyvips.Image.svgload_buffer,
}
_MANY_FRAMES = ("image/webp", "image/gif")
_GLANCE = 24  # pixels of the small copies that are compared
_ALIKE = 9.0  # the mean difference of 8-bit values up to which two glances show the same picture


@dataclass(frozen=True)
class Source:
    """An uploaded picture, and what it looks like upright."""

    name: str
    kind: str
    body: bytes

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, upright."""
        return size_of(self.kind, self.body)


@dataclass(frozen=True)
class Question:
    """One URL, asked by one reader. width is the URL's w, 0 where it has none."""

    reader: Reader
    source: Source
    url: str
    width: int

    @property
    def shown(self) -> str:
        """The URL's last part."""
        return self.url.rsplit("/", 1)[1]


@dataclass(frozen=True)
class Answer:
    """What came back: names of fields in lower case; the time from the question to the last byte, in seconds."""

    status: int
    fields: dict[str, str]
    body: bytes
    seconds: float

    @property
    def kind(self) -> str:
        """The media type, without parameters."""
        return self.fields.get("content-type", "").split(";")[0].strip().lower()

    @property
    def hit(self) -> bool:
        """Whether the edge says that it answered from its store."""
        return "hit" in [part.strip() for part in self.fields.get("cache-status", "").split(";")]


@dataclass
class Row:
    """A question with its first and second answer, and the sentences that say what is wrong with them."""

    question: Question
    cold: Answer
    hit: Answer
    pixels: tuple[int, int] = (0, 0)
    wrong: list[str] = field(default_factory=list)


class Connection:
    """A reader's kept connection to the edge."""

    def __init__(self, edge: str, timeout: float = 60) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(edge).netloc, timeout=timeout)

    def ask(self, question: Question) -> Answer:
        """Ask once; every field goes out as the reader has it."""
        parts = urlsplit(question.url)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        started = time.perf_counter()
        self._connection.putrequest("GET", target, skip_accept_encoding=True)
        for name, value in question.reader.fields.items():
            self._connection.putheader(name, value)
        self._connection.endheaders()
        answer = self._connection.getresponse()
        body = answer.read()
        seconds = time.perf_counter() - started
        return Answer(answer.status, {n.lower(): v for n, v in answer.getheaders()}, body, seconds)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def read(connection: Connection, question: Question) -> Row:
    """Ask twice and judge both answers."""
    row = Row(question, connection.ask(question), connection.ask(question))
    judge(row)
    return row


def judge(row: Row) -> None:
    """Find the pixels of a row and everything that is wrong with it."""
    _judge_answers(row)
    if row.cold.status != 200:
        return
    try:
        row.pixels = size_of(row.cold.kind, row.cold.body)
        _judge_picture(row)
    except pyvips.Error as error:
        row.wrong.append(f"does not decode: {str(error).strip().splitlines()[0]}")


def size_of(kind: str, body: bytes) -> tuple[int, int]:
    """Width and height of one frame, upright, in pixels. Raises pyvips.Error for what does not decode."""
    image = _decode(kind, body, every_frame=False).autorot()
    return image.width, image.height


def _decode(kind: str, body: bytes, *, every_frame: bool) -> Any:
    if kind not in _LOADERS:
        raise pyvips.Error(f"no picture has the type {kind or '(none)'}")
    options = {"n": -1} if every_frame and kind in _MANY_FRAMES else {}
    return _LOADERS[kind](body, fail_on="truncated", **options)


def _judge_answers(row: Row) -> None:
    """Status, type, fields and the second answer."""
    cold, hit, reader, source = row.cold, row.hit, row.question.reader, row.question.source
    _expect(row, cold.status == 200, f"status {cold.status}")
    _expect(row, cold.kind == source.kind or cold.kind in reader.named, f"{cold.kind} was not asked for")
    _expect(row, "accept" in cold.fields.get("vary", "").lower(), "no Vary: Accept")
    _expect(row, cold.fields.get("access-control-allow-origin") == "*", "no CORS")
    _expect(row, cold.fields.get("x-content-type-options") == "nosniff", "no nosniff")
    _expect(row, cold.fields.get("content-length") == str(len(cold.body)), "Content-Length is not the body's")
    _expect(row, cold.fields.get("etag", "W/").startswith('"'), "no strong ETag")
    _expect(row, hit.hit, f"the second answer is not a hit ({hit.fields.get('cache-status')})")
    _expect(row, hit.body == cold.body, "the second answer has other bytes")
    _expect(row, hit.fields.get("etag") == cold.fields.get("etag"), "the second answer has another ETag")


def _judge_picture(row: Row) -> None:
    """Pixels, looks, frames, transparency and bytes, against the source."""
    cold, source, width = row.cold, row.question.source, row.question.width
    if cold.kind == source.kind == "image/svg+xml":
        _expect(row, cold.body == source.body, "the drawing was changed")
        return
    across, down = source.size
    wanted = (width, round(down * width / across)) if width else (across, down)
    close = all(abs(got - want) <= 1 for got, want in zip(row.pixels, wanted, strict=True))
    _expect(row, close, f"{row.pixels[0]}×{row.pixels[1]} instead of {wanted[0]}×{wanted[1]}")
    if not width:
        _expect(row, len(cold.body) <= len(source.body), "larger than the source")
        if not row.question.reader.named & {"image/avif", "image/webp"}:
            _expect(row, cold.body == source.body, "not the stored bytes")
    before, after = _decode(source.kind, source.body, every_frame=True), _decode(cold.kind, cold.body, every_frame=True)
    _expect(row, _frames(after) == _frames(before), f"{_frames(after)} frames instead of {_frames(before)}")
    _expect(row, after.hasalpha() == before.hasalpha(), "transparency was lost or invented")
    difference = (_glance(cold.body) - _glance(source.body)).abs().avg()
    _expect(row, difference <= _ALIKE, f"it does not look like the source (difference {difference:.1f})")


def _frames(image: Any) -> int:
    return int(image.get("n-pages")) if image.get_typeof("n-pages") else 1


def _glance(body: bytes) -> Any:
    """A small upright sRGB copy of the first frame on white: what the eye compares."""
    small = pyvips.Image.thumbnail_buffer(body, _GLANCE, height=_GLANCE, size="force", export_profile="srgb")
    return small.flatten(background=255) if small.hasalpha() else small


def _expect(row: Row, holds: bool, otherwise: str) -> None:
    if not holds:
        row.wrong.append(otherwise)
