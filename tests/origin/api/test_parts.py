"""Promises about parts of objects: copying them, reading them one by one, their checksums and attributes."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import socket
import zlib
from typing import Any

import pytest
from aiohttp.web import Response
from botocore.exceptions import ClientError

from origin.api.listener import Listener
from tests.origin.api.conftest import Origin
from tests.origin.api.test_uploads import PART, code_of


def upload(s3: Any, bucket: str, key: str, bodies: list[bytes], **options: Any) -> Any:
    """A multipart upload, completed; every part names the checksums that came back."""
    made = s3.create_multipart_upload(Bucket=bucket, Key=key, **options)["UploadId"]
    named = []
    for number, body in enumerate(bodies, start=1):
        done = s3.upload_part(Bucket=bucket, Key=key, UploadId=made, PartNumber=number, Body=body, **algorithm(options))
        checksums = {name: value for name, value in done.items() if name.startswith("Checksum")}
        named.append({"PartNumber": number, "ETag": done["ETag"], **checksums})
    return s3.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=made, MultipartUpload={"Parts": named})


def algorithm(options: dict[str, Any]) -> dict[str, Any]:
    return {name: options[name] for name in ("ChecksumAlgorithm",) if name in options}


FIRST, SECOND = b"a" * PART, b"the second part"


def test_a_part_is_read_by_its_number(s3: Any, bucket: str) -> None:
    etag = upload(s3, bucket, "k", [FIRST, SECOND])["ETag"]
    for number, body in ((1, FIRST), (2, SECOND)):
        got = s3.get_object(Bucket=bucket, Key="k", PartNumber=number)
        head = s3.head_object(Bucket=bucket, Key="k", PartNumber=number)
        for answer in (got, head):
            assert (answer["PartsCount"], answer["ETag"], answer["ContentLength"]) == (2, etag, len(body))
            assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert got["Body"].read() == body
    assert got["ContentRange"] == f"bytes {PART}-{PART + len(SECOND) - 1}/{PART + len(SECOND)}"
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="k", PartNumber=3)
    assert code_of(caught) == "InvalidPartNumber"


def test_an_object_of_one_put_is_its_own_first_part(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"whole")
    got = s3.get_object(Bucket=bucket, Key="k", PartNumber=1)
    assert (got["Body"].read(), "PartsCount" in got) == (b"whole", False)
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="k", PartNumber=2)
    assert code_of(caught) == "InvalidPartNumber"


def test_a_part_is_copied_from_a_range_of_an_object(s3: Any, bucket: str) -> None:
    body = hashlib.shake_128(b"source").digest(PART + 1000)
    s3.put_object(Bucket=bucket, Key="source +ä", Body=body)
    source = {"Bucket": bucket, "Key": "source +ä"}
    made = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    spans = [f"bytes=500-{PART + 499}", "bytes=0-9"]
    parts = []
    for number, span in enumerate(spans, start=1):
        done = s3.upload_part_copy(
            Bucket=bucket, Key="k", UploadId=made, PartNumber=number, CopySource=source, CopySourceRange=span
        )["CopyPartResult"]
        parts.append({"PartNumber": number, "ETag": done["ETag"]})
    assert parts[1]["ETag"] == f'"{hashlib.md5(body[:10]).hexdigest()}"'
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=made, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body[500 : PART + 500] + body[:10]


@pytest.mark.parametrize("span", ["2-4", "bytes=0", "bytes=x-y", "bytes=-", "bytes=0-2,3-5", "bytes=3-2", "bytes=0-99"])
def test_a_range_that_is_none_copies_nothing(s3: Any, bucket: str, span: str) -> None:
    s3.put_object(Bucket=bucket, Key="source", Body=b"12345")
    made = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    with pytest.raises(ClientError) as caught:
        s3.upload_part_copy(
            Bucket=bucket, Key="k", UploadId=made, PartNumber=1, CopySource=f"{bucket}/source", CopySourceRange=span
        )
    assert code_of(caught) == "InvalidArgument"


def test_a_part_copy_holds_to_the_conditions_on_its_source(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="source", Body=b"12345")["ETag"]
    made = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    for condition in ({"CopySourceIfMatch": '"x"'}, {"CopySourceIfNoneMatch": etag}):
        with pytest.raises(ClientError) as caught:
            s3.upload_part_copy(
                Bucket=bucket, Key="k", UploadId=made, PartNumber=1, CopySource=f"{bucket}/source", **condition
            )
        assert code_of(caught) == "PreconditionFailed"


def b64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def test_a_composite_checksum_is_made_of_the_parts(s3: Any, bucket: str) -> None:
    done = upload(s3, bucket, "k", [FIRST, SECOND], ChecksumAlgorithm="SHA256")
    digests = [hashlib.sha256(body).digest() for body in (FIRST, SECOND)]
    value = b64(hashlib.sha256(b"".join(digests)).digest()) + "-2"
    assert (done["ChecksumSHA256"], done["ChecksumType"]) == (value, "COMPOSITE")
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (head["ChecksumSHA256"], head["ChecksumType"]) == (value, "COMPOSITE")
    assert "ChecksumSHA256" not in s3.head_object(Bucket=bucket, Key="k")
    part = s3.get_object(Bucket=bucket, Key="k", PartNumber=2, ChecksumMode="ENABLED")
    assert part["ChecksumSHA256"] == b64(digests[1])
    found = s3.get_object_attributes(
        Bucket=bucket, Key="k", ObjectAttributes=["ETag", "Checksum", "ObjectParts", "ObjectSize"], MaxParts=1
    )
    assert found["Checksum"] == {"ChecksumSHA256": value, "ChecksumType": "COMPOSITE"}
    assert (found["ETag"], found["ObjectSize"]) == (done["ETag"].strip('"'), PART + len(SECOND))
    listed = found["ObjectParts"]
    assert (listed["TotalPartsCount"], listed["IsTruncated"], listed["NextPartNumberMarker"]) == (2, True, 1)
    assert listed["Parts"] == [{"PartNumber": 1, "Size": PART, "ChecksumSHA256": b64(digests[0])}]


@pytest.mark.parametrize("name", ["CRC32", "CRC64NVME"])
def test_a_full_object_checksum_is_that_of_the_whole(s3: Any, bucket: str, name: str) -> None:
    done = upload(s3, bucket, "k", [FIRST, SECOND], ChecksumAlgorithm=name, ChecksumType="FULL_OBJECT")
    whole = s3.put_object(Bucket=bucket, Key="w", Body=FIRST + SECOND, ChecksumAlgorithm=name)
    assert (done[f"Checksum{name}"], done["ChecksumType"]) == (whole[f"Checksum{name}"], "FULL_OBJECT")
    if name == "CRC32":
        assert done["ChecksumCRC32"] == b64(zlib.crc32(FIRST + SECOND).to_bytes(4, "big"))


def test_a_wrong_checksum_of_the_whole_completes_nothing(s3: Any, bucket: str) -> None:
    made = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    done = s3.upload_part(Bucket=bucket, Key="k", UploadId=made["UploadId"], PartNumber=1, Body=b"x")
    named = {"Parts": [{"PartNumber": 1, "ETag": done["ETag"], "ChecksumCRC32": done["ChecksumCRC32"]}]}
    common = {"Bucket": bucket, "Key": "k", "UploadId": made["UploadId"], "MultipartUpload": named}
    for wrong, code in (
        ({"ChecksumCRC32": "AAAAAA=="}, "BadDigest"),
        ({"ChecksumType": "COMPOSITE"}, "InvalidRequest"),
        ({"MpuObjectSize": 2}, "InvalidRequest"),
    ):
        with pytest.raises(ClientError) as caught:
            s3.complete_multipart_upload(**common, **wrong)
        assert code_of(caught) == code
    assert s3.complete_multipart_upload(**common, ChecksumCRC32=done["ChecksumCRC32"], MpuObjectSize=1)


@pytest.mark.parametrize(
    "choice", [("SHA256", "FULL_OBJECT"), ("SHA1", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE"), ("MD4", None)]
)
def test_a_checksum_that_does_not_exist_begins_no_upload(origin: Origin, bucket: str, choice: Any) -> None:
    headers = {"x-amz-checksum-algorithm": choice[0], **({"x-amz-checksum-type": choice[1]} if choice[1] else {})}
    reply = origin.ask("POST", f"/{bucket}/k?uploads", headers)
    assert (reply.status, reply.code) == (400, "InvalidRequest")


def test_a_part_with_another_checksum_than_its_upload_is_refused(s3: Any, bucket: str) -> None:
    made = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="SHA256")["UploadId"]
    with pytest.raises(ClientError) as caught:
        s3.upload_part(Bucket=bucket, Key="k", UploadId=made, PartNumber=1, Body=b"x", ChecksumAlgorithm="SHA1")
    assert code_of(caught) == "InvalidRequest"


def test_what_comes_without_a_checksum_gets_one(origin: Origin, s3: Any, bucket: str) -> None:
    assert "x-amz-checksum-crc64nvme" in origin.ask("PUT", f"/{bucket}/k", body=b"x").headers
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert head["ChecksumType"] == "FULL_OBJECT"


def test_attributes_are_only_those_asked_for(origin: Origin, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    found = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["StorageClass"])
    assert {name for name in found if name != "ResponseMetadata"} == {"StorageClass", "LastModified"}
    for value in ("", "Nonsense"):
        reply = origin.ask("GET", f"/{bucket}/k?attributes", {"x-amz-object-attributes": value})
        assert (reply.status, reply.code) == (400, "InvalidArgument")


def test_uploads_are_listed_in_pages_and_under_prefixes(s3: Any, bucket: str) -> None:
    keys = ["a", "b", "b", "dir/1", "dir/2", "z"]
    for key in keys:
        s3.create_multipart_upload(Bucket=bucket, Key=key)
    found: list[str] = []
    options: dict[str, Any] = {}
    while True:
        page = s3.list_multipart_uploads(Bucket=bucket, MaxUploads=2, **options)
        found += [entry["Key"] for entry in page["Uploads"]]
        if not page["IsTruncated"]:
            break
        options = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
    assert found == keys
    folded = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [entry["Prefix"] for entry in folded["CommonPrefixes"]] == ["dir/"]
    assert [entry["Key"] for entry in folded["Uploads"]] == ["a", "b", "b", "z"]


def test_completing_again_answers_the_same(s3: Any, bucket: str) -> None:
    made = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    etag = s3.upload_part(Bucket=bucket, Key="k", UploadId=made, PartNumber=1, Body=b"x")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    answers = [
        s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=made, MultipartUpload=parts)["ETag"]
        for _ in range(2)
    ]
    assert answers[0] == answers[1]


def test_a_bucket_of_another_owner_than_expected_is_refused(s3: Any, bucket: str) -> None:
    owner = s3.list_buckets()["Owner"]["ID"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ExpectedBucketOwner=owner)
    for call in (
        lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"y", ExpectedBucketOwner="0" * 64),
        lambda: s3.list_objects_v2(Bucket=bucket, ExpectedBucketOwner="0" * 64),
        lambda: s3.copy_object(Bucket=bucket, Key="c", CopySource=f"{bucket}/k", ExpectedSourceBucketOwner="0" * 64),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert code_of(caught) == "AccessDenied"


async def test_a_head_that_comes_too_slowly_is_given_up() -> None:
    loop = asyncio.get_running_loop()

    async def handle(_request: Any) -> Response:
        return Response()

    listener = Listener(handle, idle=0.2)
    server = await loop.create_server(listener, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"GET / HTTP/1.1\r\nHost: h\r\nX-Slow: ")
    try:
        async with asyncio.timeout(10):
            assert await reader.read() == b""
    finally:
        writer.close()
        server.close()
        await listener.shutdown(1)


def test_connections_that_say_nothing_disturb_nobody(origin: Origin) -> None:
    silent = [socket.create_connection(origin.address) for _ in range(300)]
    try:
        assert origin.ask("GET", "/-/health", signed=False).status == 200
    finally:
        for connection in silent:
            connection.close()
