"""Promises of copies: what they keep of their source, what they do not, and what is said of their bytes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.origin.api.conftest import Origin, running

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    """An origin whose objects are written in pieces of 1 MiB at most."""
    data = tmp_path_factory.mktemp("small") / "data"
    with running(data, ORIGIN_MAX_PUT="1 MiB", ORIGIN_MIN_PART="1", ORIGIN_SYNC="false") as one:
        yield one


def md5(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'


def refused(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def joined(s3: Any, bucket: str, key: str, parts: list[bytes], **options: Any) -> Any:
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key, **options)["UploadId"]
    done = []
    for number, part in enumerate(parts, start=1):
        sent = s3.upload_part(
            Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=part,
            **{name: value for name, value in options.items() if name == "ChecksumAlgorithm"},
        )  # fmt: skip
        named = {name: value for name, value in sent.items() if name.startswith("Checksum") and name != "ChecksumType"}
        done.append({"PartNumber": number, "ETag": sent["ETag"], **(named if options else {})})
    return s3.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": done})


@pytest.mark.parametrize("options", [{}, {"ChecksumAlgorithm": "SHA256"}, {"ChecksumAlgorithm": "CRC32"}])
def test_a_copy_of_an_object_of_parts_is_one_of_one_part(s3: Any, bucket: str, options: Any) -> None:
    parts = [os.urandom(5 * MIB), b"the end"]
    assert joined(s3, bucket, "k", parts, **options)["ETag"].endswith('-2"')
    copy = s3.copy_object(Bucket=bucket, Key="c", CopySource=f"{bucket}/k")["CopyObjectResult"]
    assert copy["ETag"] == md5(b"".join(parts))
    assert copy["ChecksumType"] == "FULL_OBJECT"
    name = f"Checksum{options.get('ChecksumAlgorithm', 'CRC64NVME')}"
    direct = s3.put_object(
        Bucket=bucket, Key="d", Body=b"".join(parts), ChecksumAlgorithm=name.removeprefix("Checksum")
    )
    assert copy[name] == direct[name]
    head = s3.head_object(Bucket=bucket, Key="c", PartNumber=1)
    assert (head["ContentLength"], "PartsCount" in head) == (5 * MIB + 7, False)
    assert s3.get_object(Bucket=bucket, Key="c")["Body"].read() == b"".join(parts)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="again")["UploadId"]
    part = s3.upload_part_copy(
        Bucket=bucket, Key="again", UploadId=upload, PartNumber=1, CopySource=f"{bucket}/c"
    )["CopyPartResult"]  # fmt: skip
    assert part["ETag"] == copy["ETag"]
    s3.complete_multipart_upload(
        Bucket=bucket, Key="again", UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )  # fmt: skip
    assert s3.get_object(Bucket=bucket, Key="again")["Body"].read() == b"".join(parts)


def test_a_copy_may_choose_another_checksum(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"abc", ChecksumAlgorithm="SHA1")
    assert "ChecksumSHA1" in s3.copy_object(Bucket=bucket, Key="c", CopySource=f"{bucket}/k")["CopyObjectResult"]
    copy = s3.copy_object(Bucket=bucket, Key="c", CopySource=f"{bucket}/k", ChecksumAlgorithm="SHA256")
    assert copy["CopyObjectResult"]["ChecksumSHA256"] == "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
    assert copy["CopyObjectResult"]["ETag"] == md5(b"abc")


def test_a_copy_keeps_neither_storage_class_nor_redirect(s3: Any, bucket: str) -> None:
    s3.put_object(
        Bucket=bucket, Key="k", Body=b"x", StorageClass="STANDARD_IA", WebsiteRedirectLocation="/elsewhere",
        CacheControl="no-cache", Metadata={"a": "b"},
    )  # fmt: skip
    s3.copy_object(Bucket=bucket, Key="c", CopySource=f"{bucket}/k")
    head = s3.head_object(Bucket=bucket, Key="c")
    assert "StorageClass" not in head
    assert "WebsiteRedirectLocation" not in head
    assert (head["CacheControl"], head["Metadata"]) == ("no-cache", {"a": "b"})
    s3.copy_object(Bucket=bucket, Key="c", CopySource=f"{bucket}/k", WebsiteRedirectLocation="/new")
    assert s3.head_object(Bucket=bucket, Key="c")["WebsiteRedirectLocation"] == "/new"


@pytest.mark.parametrize(
    "change",
    [
        {"StorageClass": "STANDARD"},
        {"MetadataDirective": "REPLACE"},
        {"ServerSideEncryption": "AES256"},
        {"WebsiteRedirectLocation": "/x"},
    ],
)
def test_a_copy_onto_itself_wants_a_change(s3: Any, bucket: str, change: dict[str, str]) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    onto_itself = {"Bucket": bucket, "Key": "k", "CopySource": f"{bucket}/k"}
    assert refused(s3.copy_object, **onto_itself)[0] == "InvalidRequest"
    assert refused(s3.copy_object, **onto_itself, TaggingDirective="REPLACE", Tagging="a=b")[0] == "InvalidRequest"
    s3.copy_object(**onto_itself, **change)


def test_a_source_larger_than_one_put_is_refused(small: Origin) -> None:
    s3 = small.s3()
    s3.create_bucket(Bucket="large")
    joined(s3, "large", "k", [b"x" * MIB, b"y"])
    code, message = refused(s3.copy_object, Bucket="large", Key="c", CopySource="large/k")
    assert (code, message.endswith(f"copy source: {MIB}")) == ("InvalidRequest", True)


def test_a_whole_object_becomes_a_part_without_being_written_again(origin: Origin, s3: Any, bucket: str) -> None:
    body = os.urandom(300_000)
    etag = s3.put_object(Bucket=bucket, Key="k", Body=body)["ETag"]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m", ChecksumAlgorithm="SHA1")["UploadId"]
    copied = {"Bucket": bucket, "Key": "m", "UploadId": upload, "CopySource": f"{bucket}/k", "PartNumber": 1}
    with_checksum = s3.upload_part_copy(**copied)["CopyPartResult"]
    assert (with_checksum["ETag"], "ChecksumSHA1" in with_checksum) == (etag, True)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    copied["UploadId"] = upload
    assert s3.upload_part_copy(**copied)["CopyPartResult"]["ETag"] == etag
    assert s3.upload_part_copy(**copied, CopySourceRange="bytes=0-9")["CopyPartResult"]["ETag"] == md5(body[:10])
    part = s3.upload_part_copy(**copied)["CopyPartResult"]
    s3.delete_object(Bucket=bucket, Key="k")
    s3.complete_multipart_upload(
        Bucket=bucket, Key="m", UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )  # fmt: skip
    assert s3.get_object(Bucket=bucket, Key="m")["Body"].read() == body


def test_completing_again_answers_the_same_while_that_version_is_there(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    where = {"Bucket": bucket, "Key": "m"}
    upload = s3.create_multipart_upload(**where)["UploadId"]
    part = s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=b"x")
    complete = {
        **where, "UploadId": upload, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    }  # fmt: skip
    first = s3.complete_multipart_upload(**complete)
    s3.put_object(**where, Body=b"newer")
    again = s3.complete_multipart_upload(**complete)
    assert (again["ETag"], again["VersionId"]) == (first["ETag"], first["VersionId"])
    s3.delete_object(**where, VersionId=first["VersionId"])
    assert refused(s3.complete_multipart_upload, **complete)[0] == "NoSuchUpload"
