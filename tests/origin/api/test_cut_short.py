"""Promises about requests that lack something: a length, the end of a body, the end of a path."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from tests.origin.api.conftest import Origin, Reply, read

UNSIGNED = "UNSIGNED-PAYLOAD"


def half_closed(origin: Origin, method: str, target: str, headers: dict[str, str], sent: bytes = b"") -> Reply:
    """The answer to a client that closes its sending half and listens on."""
    with origin.connect() as connection:
        connection.sendall(origin.head(method, target, headers, payload=UNSIGNED, length=False) + sent)
        connection.shutdown(socket.SHUT_WR)
        return read(connection, method)


def test_a_body_that_ends_before_its_length_is_incomplete(origin: Origin, s3: Any, bucket: str) -> None:
    for sent in (b"", b"short", b"x" * 99_999):
        reply = half_closed(origin, "PUT", f"/{bucket}/k", {"Content-Length": "100000"}, sent)
        assert (reply.status, reply.code) == (400, "IncompleteBody"), len(sent)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_who_only_stops_sending_still_hears_the_answer(origin: Origin, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x" * 3_000_000)
    assert half_closed(origin, "GET", f"/{bucket}/k", {}).body == b"x" * 3_000_000
    assert half_closed(origin, "PUT", f"/{bucket}/whole", {"Content-Length": "5"}, b"whole").status == 200


@pytest.mark.parametrize("target", ["{}/k", "{}/k?x-id=PutObject", "{}/k?uploadId=u&partNumber=1"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "AWS4-HMAC-SHA256 nonsense"}])
def test_an_object_without_a_length_is_refused_before_anything_else(
    origin: Origin, bucket: str, target: str, headers: dict[str, str]
) -> None:
    reply = origin.ask("PUT", "/" + target.format(bucket), headers, signed=False, length=False)
    assert (reply.status, reply.code) == (411, "MissingContentLength")


def test_what_has_no_body_needs_no_length(origin: Origin, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for target, headers in (
        (f"/{bucket}?acl", {"x-amz-acl": "private"}),
        (f"/{bucket}/k?acl", {"x-amz-acl": "private"}),
        (f"/{bucket}/copy", {"x-amz-copy-source": f"{bucket}/k"}),
    ):
        assert origin.ask("PUT", target, headers, length=False).status == 200, target


@pytest.mark.parametrize(
    "query", ["uploadId=u", "versionId=v", "partNumber=1", "prefix=p", "max-keys=1", "retention=x"]
)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_buckets_name_with_what_belongs_to_an_object_touches_no_bucket(
    origin: Origin, s3: Any, bucket: str, method: str, query: str
) -> None:
    name = bucket if method == "DELETE" else f"{bucket}-new"
    assert origin.ask(method, f"/{name}?{query}").status in (400, 405)
    there = {one["Name"] for one in s3.list_buckets()["Buckets"]}
    assert bucket in there
    assert f"{bucket}-new" not in there


@pytest.mark.parametrize("method", ["DELETE", "POST"])
def test_a_request_that_names_a_part_ends_no_upload(origin: Origin, s3: Any, bucket: str, method: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    reply = origin.ask(method, f"/{bucket}/k?uploadId={upload}&partNumber=1")
    assert (reply.status, reply.code) == (400, "InvalidArgument")
    assert s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)["UploadId"] == upload
