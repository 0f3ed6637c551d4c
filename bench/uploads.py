"""The peak memory of one upload, long and short: as one PUT, and in parts.

The rule of this file: bodies are made while they are sent, and every upload has a fresh origin, whose peak is its own.
"""

from __future__ import annotations

import http.client
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.table import Table

from bench.load import peak_memory
from bench.origins import BUCKET, Origin, origin

MIB = 1024 * 1024
SHORT, PART = 50_000_000, 64 * MIB
KEY = "long"
_PIECE = 8 * MIB


def _body(length: int, number: int) -> Iterator[bytes]:
    """`length` bytes that no other body has, in pieces."""
    rest = os.urandom(_PIECE - 16)
    for at in range(0, length, _PIECE):
        yield (number.to_bytes(8, "big") + at.to_bytes(8, "big") + rest)[: length - at]


def _send(one: Origin, target: str, body: Iterator[bytes], length: int) -> str:
    """One PUT; its ETag."""
    connection = http.client.HTTPConnection(*one.address, blocksize=256 * 1024)
    connection.request("PUT", target, body, {"Content-Length": str(length)})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, answer.status
    connection.close()
    return answer.headers["ETag"]


def single(one: Origin, length: int) -> None:
    """One PUT."""
    _send(one, one.target("put_object", Key=KEY), _body(length, 0), length)


def parts(one: Origin, length: int) -> None:
    """A multipart upload, one part after the other."""
    s3 = one.s3()
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key=KEY)["UploadId"]
    done = []
    for number, start in enumerate(range(0, length, PART), start=1):
        size = min(PART, length - start)
        where = {"Bucket": BUCKET, "Key": KEY, "UploadId": upload, "PartNumber": number}
        url = s3.generate_presigned_url("upload_part", Params=where, ExpiresIn=86_400)
        etag = _send(one, str(url).removeprefix(one.url), _body(size, number), size)
        done.append({"PartNumber": number, "ETag": etag})
    s3.complete_multipart_upload(Bucket=BUCKET, Key=KEY, UploadId=upload, MultipartUpload={"Parts": done})


def table(folder: Path, length: int) -> Table:
    """Measure both ways at both lengths."""
    made = Table("upload", "peak MB", "x", "goal", title="Memory of one upload")
    ways: tuple[tuple[str, Callable[[Origin, int], None]], ...] = (("one PUT", single), ("in parts", parts))
    for name, way in ways:
        peaks = {}
        for size in (SHORT, length):
            with origin(folder / f"{way.__name__}{size}") as one:
                way(one, size)
                peaks[size] = peak_memory([one.pid])
            ratio = peaks[size] / peaks[SHORT]
            goal = "<= 1.20" if size == length else ""
            made.add_row(f"{size / 1e6:,.0f} MB, {name}", f"{peaks[size] / 1e6:.0f}", f"{ratio:.2f}", goal)
    return made
