"""Promises about the headers that announce checksums: what an SDK says it computed must be there."""

from __future__ import annotations

import base64
import zlib
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.origin.api.conftest import Origin

SAID = "x-amz-sdk-checksum-algorithm"
CRC32 = base64.b64encode(zlib.crc32(b"x").to_bytes(4, "big")).decode()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({SAID: "CRC32"}, 400),
        ({SAID: "MD9"}, 400),
        ({SAID: "SHA256", "x-amz-checksum-crc32": CRC32}, 400),
        ({SAID: "CRC32", "x-amz-checksum-crc32": CRC32}, 200),
        ({SAID: "crc32", "x-amz-checksum-crc32": CRC32}, 200),
    ],
)
def test_the_algorithm_an_sdk_names_is_that_of_its_checksum(
    origin: Origin, bucket: str, headers: dict[str, str], status: int
) -> None:
    reply = origin.ask("PUT", f"/{bucket}/k", headers, b"x")
    assert (reply.status, reply.code) == (status, "InvalidRequest" if status == 400 else "")


def test_a_presigned_url_names_an_algorithm_before_there_is_a_body(origin: Origin, s3: Any, bucket: str) -> None:
    empty = {"x-amz-checksum-crc32": "AAAAAA==", SAID: "CRC32"}

    def hoist(request: Any, **_: Any) -> None:
        request.params.update(empty)

    s3.meta.events.register("before-sign.s3.PutObject", hoist)
    url = urlsplit(s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k"}))
    assert origin.ask("PUT", f"{url.path}?{url.query}", body=b"a real body", signed=False).status == 200
    assert origin.ask("GET", f"/{bucket}/k").body == b"a real body"
