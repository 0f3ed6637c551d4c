"""Promises about multipart uploads, asked with boto3 of a real origin process."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from tests.origin.api.conftest import Origin

PART = 5 * 1024 * 1024


def code_of(caught: pytest.ExceptionInfo[ClientError]) -> str:
    code: str = caught.value.response["Error"]["Code"]
    return code


def test_a_large_file_goes_up_in_parts_and_comes_down_whole(s3: Any, bucket: str, tmp_path: Any) -> None:
    body = b"".join(hashlib.sha256(str(number).encode()).digest() for number in range(12 * 1024 * 1024 // 32))
    source = tmp_path / "source"
    source.write_bytes(body)
    parts = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)
    extra = {"ContentType": "video/mp4", "Metadata": {"a": "1"}, "ACL": "public-read"}
    s3.upload_file(str(source), bucket, "big", ExtraArgs=extra, Config=parts)
    head = s3.head_object(Bucket=bucket, Key="big")
    digests = b"".join(hashlib.md5(body[at : at + PART]).digest() for at in range(0, len(body), PART))
    assert head["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-3"'
    assert (head["ContentLength"], head["ContentType"], head["Metadata"]) == (len(body), "video/mp4", {"a": "1"})
    target = tmp_path / "target"
    s3.download_file(bucket, "big", str(target))
    assert target.read_bytes() == body
    ranged = s3.get_object(Bucket=bucket, Key="big", Range=f"bytes={PART - 2}-{PART + 1}")
    assert ranged["Body"].read() == body[PART - 2 : PART + 2]


def test_parts_are_listed_in_pages(s3: Any, bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    for number in (3, 1, 2):
        s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=number, Body=b"%d" % number)
    first = s3.list_parts(Bucket=bucket, Key="k", UploadId=upload, MaxParts=2)
    assert ([part["PartNumber"] for part in first["Parts"]], first["IsTruncated"]) == ([1, 2], True)
    rest = s3.list_parts(Bucket=bucket, Key="k", UploadId=upload, PartNumberMarker=first["NextPartNumberMarker"])
    assert ([part["Size"] for part in rest["Parts"]], rest["IsTruncated"]) == ([1], False)


def test_an_aborted_upload_is_gone(s3: Any, bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="a b/ä")["UploadId"]
    listed = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert [(entry["Key"], entry["UploadId"]) for entry in listed] == [("a b/ä", upload)]
    s3.abort_multipart_upload(Bucket=bucket, Key="a b/ä", UploadId=upload)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    with pytest.raises(ClientError) as caught:
        s3.upload_part(Bucket=bucket, Key="a b/ä", UploadId=upload, PartNumber=1, Body=b"x")
    assert code_of(caught) == "NoSuchUpload"


@pytest.mark.parametrize("shape", ['"{}"', "{}", "&quot;{}&quot;"])
@pytest.mark.parametrize("namespace", ["", ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'])
def test_complete_takes_tags_and_xml_in_every_shape(
    origin: Origin, s3: Any, bucket: str, shape: str, namespace: str
) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    etag = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"x")["ETag"].strip('"')
    part = f"<Part><PartNumber>1</PartNumber><ETag>{shape.format(etag)}</ETag></Part>"
    body = f"<CompleteMultipartUpload{namespace}>{part}</CompleteMultipartUpload>".encode()
    reply = origin.ask("POST", f"/{bucket}/k?uploadId={upload}", body=body)
    assert reply.status == 200
    text = reply.body.decode()
    assert f"<Bucket>{bucket}</Bucket><Key>k</Key>" in text
    assert f"<Location>{origin.url}/{bucket}/k</Location>" in text


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ([(1, "0" * 32)], "InvalidPart"),
        ([(9, None)], "InvalidPart"),
        ([(2, None), (1, None)], "InvalidPartOrder"),
        ([(1, None), (2, None)], "EntityTooSmall"),
        ([], "MalformedXML"),
    ],
)
def test_a_completion_that_does_not_fit_is_refused(s3: Any, bucket: str, parts: Any, code: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    tags = {
        number: s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=number, Body=b"x")["ETag"]
        for number in (1, 2)
    }
    named = [{"PartNumber": number, "ETag": tag or tags.get(number, '"x"')} for number, tag in parts]
    with pytest.raises(ClientError) as caught:
        s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload={"Parts": named})
    assert code_of(caught) == code
    with pytest.raises(ClientError):
        s3.head_object(Bucket=bucket, Key="k")


@pytest.mark.parametrize("number", ["0", "10001", "x", "-1", ""])
def test_a_part_number_out_of_bounds_is_refused(origin: Origin, s3: Any, bucket: str, number: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    reply = origin.ask("PUT", f"/{bucket}/k?partNumber={number}&uploadId={upload}", body=b"x")
    assert (reply.status, reply.code) == (400, "InvalidArgument")


def test_ten_thousand_and_one_parts_are_refused(origin: Origin, s3: Any, bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    parts = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>x</ETag></Part>" for number in range(1, 10_002))
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    reply = origin.ask("POST", f"/{bucket}/k?uploadId={upload}", body=body)
    assert (reply.status, reply.code) == (400, "MalformedXML")
