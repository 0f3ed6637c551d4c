"""A multipart/form-data body, read as it comes: fields first, then one file (RFC 7578, RFC 2046 §5.1).

The rule of this file: fields are few and small and kept; the file is passed on and never kept. Whatever follows the
file is ignored, as S3 does (https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html).
"""

from __future__ import annotations

import re
from enum import Enum, auto

from wire.refusals import Refusal

MAX_FIELDS = 20 * 1024
"""The most bytes of everything but the file (AWS: 20 KB)."""
MAX_FIELD_HEAD = 8 * 1024
FILE = "file"

_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
_NAME = re.compile(r'[;\s]name="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_FILE_NAME = re.compile(r'[;\s]filename="((?:[^"\\]|\\.)*)"', re.IGNORECASE)


def boundary_of(content_type: str) -> bytes:
    """The boundary of a form. Raises Refusal (PreconditionFailed) for any other content type."""
    media, _, rest = content_type.partition(";")
    match = _BOUNDARY.search(rest)
    if media.strip().lower() != "multipart/form-data" or match is None:
        raise Refusal(
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
            Condition="Bucket POST must be of the enclosure-type multipart/form-data",
        )
    return (match[1] or match[2]).encode("latin-1", "replace")


class _State(Enum):
    FIELDS = auto()
    FILE = auto()
    DONE = auto()


class FormReader:
    """Reads one form. Feed it, and when `at_file` is true everything it returns is the file's bytes."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        # The first delimiter has no line break before it.
        self._buffer = bytearray(b"\r\n")
        self._state = _State.FIELDS
        self._kept = 0
        self.fields: dict[str, str] = {}
        """The fields before the file, by lower-case name."""
        self.file_name = ""
        self.at_file = False
        """Whether the file has begun: every field is known."""

    def feed(self, data: bytes) -> bytes:
        """The bytes of the file among the next bytes of the body.

        Raises Refusal: MalformedPOSTRequest, MaxPostPreDataLengthExceeded.
        """
        if self._state is _State.DONE:
            return b""
        self._buffer += data
        while self._state is _State.FIELDS and self._read_part():
            pass
        return self._file() if self._state is _State.FILE else b""

    def finish(self) -> None:
        """Say that the body has ended. Raises Refusal (MalformedPOSTRequest) where the form is not complete."""
        if self._state is not _State.DONE:
            raise _malformed()

    def _read_part(self) -> bool:
        """Read one whole field, or the head of the file; False where more bytes are needed."""
        begin = self._buffer.find(self._delimiter)
        if begin < 0 or len(self._buffer) < begin + len(self._delimiter) + 2:
            return self._wait()
        after = begin + len(self._delimiter)
        if self._buffer[after : after + 2] == b"--":
            self._state = _State.DONE
            return False
        head_end = self._buffer.find(b"\r\n\r\n", after)
        if head_end < 0:
            return self._wait()
        name, self.file_name = _disposition(bytes(self._buffer[after:head_end]))
        if name == FILE:
            del self._buffer[: head_end + 4]
            self._state = _State.FILE
            self.at_file = True
            return False
        end = self._buffer.find(self._delimiter, head_end + 2)
        if end < 0:
            return self._wait()
        self._kept += end
        if self._kept > MAX_FIELDS:
            raise _too_long()
        self.fields.setdefault(name, bytes(self._buffer[head_end + 4 : end]).decode("utf-8", "replace"))
        del self._buffer[:end]
        return True

    def _wait(self) -> bool:
        if len(self._buffer) > MAX_FIELDS + MAX_FIELD_HEAD:
            raise _too_long()
        return False

    def _file(self) -> bytes:
        """What is certain to belong to the file: all but what may be the beginning of a delimiter."""
        end = self._buffer.find(self._delimiter)
        if end < 0:
            end = max(0, len(self._buffer) - len(self._delimiter))
        else:
            self._state = _State.DONE
        piece = bytes(self._buffer[:end])
        del self._buffer[:end]
        return piece


def _disposition(head: bytes) -> tuple[str, str]:
    """The lower-case name and the file name of a part's head. Raises Refusal (MalformedPOSTRequest)."""
    for line in head.decode("utf-8", "replace").split("\r\n"):
        field, _, value = line.partition(":")
        if field.strip().lower() == "content-disposition":
            name, file_name = _NAME.search(value), _FILE_NAME.search(value)
            if name is not None:
                return name[1].lower(), "" if file_name is None else re.split(r"[/\\]", file_name[1])[-1]
    raise _malformed()


def _malformed() -> Refusal:
    return Refusal("MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data.")


def _too_long() -> Refusal:
    return Refusal("MaxPostPreDataLengthExceeded", "Your POST request fields preceding the upload file were too large.")
