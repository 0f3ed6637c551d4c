"""Promises about Signature Version 2: headers and URLs work, what they cover is covered, and it can be turned off."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.origin.api.conftest import ACCESS, SECRET, Origin, running
from wire import sigv2

V2 = Config(signature_version="s3")


@pytest.fixture(scope="module")
def modern(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    with running(tmp_path_factory.mktemp("modern") / "data", ORIGIN_SIGV2="false", ORIGIN_SYNC="false") as one:
        yield one


def test_a_client_of_version_2_writes_reads_lists_and_deletes(origin: Origin, bucket: str) -> None:
    old = origin.s3(config=V2)
    key = "a b+\u00e4/\u65e5"
    old.put_object(Bucket=bucket, Key=key, Body=b"x", ACL="private", Metadata={"a": "1  2"}, ContentType="text/x")
    assert old.get_object(Bucket=bucket, Key=key, ResponseContentType="a/b")["ContentType"] == "a/b"
    assert [entry["Key"] for entry in old.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    upload = old.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    etag = old.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=1, Body=b"y")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    old.complete_multipart_upload(Bucket=bucket, Key="m", UploadId=upload, MultipartUpload=parts)
    old.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "m"}, {"Key": key}]})
    assert old.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_a_virtual_host_is_part_of_what_is_signed(origin: Origin, bucket: str) -> None:
    date = formatdate(usegmt=False, localtime=False)
    text = f"PUT\n\n\n{date}\n/{bucket}/k"
    headers = {
        "Host": f"{bucket}.s3.example.test",
        "Date": date,
        "Authorization": f"AWS {ACCESS}:{sigv2.sign(SECRET, text)}",
    }
    assert origin.ask("PUT", "/k", headers, b"x", signed=False).status == 200


@pytest.mark.parametrize("method", ["get_object", "put_object"])
def test_a_presigned_url_of_version_2_works_and_ends(origin: Origin, s3: Any, bucket: str, method: str) -> None:
    s3.put_object(Bucket=bucket, Key="k +", Body=b"x")
    old = origin.s3(config=V2)
    params = {"Bucket": bucket, "Key": "k +"}
    extra = {"ACL": "public-read", "ContentType": "image/png"} if method == "put_object" else {}
    url = old.generate_presigned_url(method, Params={**params, **extra}, ExpiresIn=60)
    assert "AWSAccessKeyId=" in url
    verb = {"get_object": "GET", "put_object": "PUT"}[method]
    request = Request(url, method=verb, data=b"y" if extra else None)
    if extra:
        request.add_header("Content-Type", "image/png")
    with urlopen(request) as answer:
        assert answer.status == 200
    parts = urlsplit(old.generate_presigned_url(method, Params=params, ExpiresIn=-60))
    reply = origin.ask(verb, f"{parts.path}?{parts.query}", signed=False)
    assert (reply.status, reply.code) == (403, "AccessDenied")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"method": "DELETE"}, "SignatureDoesNotMatch"),
        ({"target": "/{bucket}/other"}, "SignatureDoesNotMatch"),
        ({"target": "/{bucket}/k?acl"}, "SignatureDoesNotMatch"),
        ({"x-amz-acl": "public-read"}, "SignatureDoesNotMatch"),
        ({"access": "NOBODY"}, "InvalidAccessKeyId"),
        ({"date": -3600}, "RequestTimeTooSkewed"),
        ({"date": None}, "AccessDenied"),
        ({"authorization": "AWS nonsense"}, "InvalidArgument"),
    ],
)
def test_what_the_signature_covers_cannot_be_changed(
    origin: Origin, bucket: str, change: dict[str, Any], code: str
) -> None:
    offset = change.get("date", 0)
    date = "" if offset is None else formatdate(time.time() + offset, usegmt=True)
    signature = sigv2.sign(SECRET, f"GET\n\n\n{date}\n/{bucket}/k")
    headers = {"Authorization": change.get("authorization", f"AWS {change.get('access', ACCESS)}:{signature}")}
    headers |= {
        name: value for name, value in {"Date": date, **change}.items() if name in ("Date", "x-amz-acl") and value
    }
    target = change.get("target", "/{bucket}/k").format(bucket=bucket)
    assert origin.ask(change.get("method", "GET"), target, headers, signed=False).code == code


def test_it_can_be_turned_off(modern: Origin) -> None:
    with pytest.raises(ClientError, match="InvalidRequest"):
        modern.s3(config=V2).list_buckets()
    modern.s3().create_bucket(Bucket="kept")
    url = modern.s3(config=V2).generate_presigned_url("list_objects", Params={"Bucket": "kept"})
    parts = urlsplit(url)
    assert modern.ask("GET", f"{parts.path}?{parts.query}", signed=False).code == "InvalidRequest"
