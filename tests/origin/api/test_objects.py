"""Promises about objects, asked with boto3 and by hand of a real origin process."""

from __future__ import annotations

import base64
import hashlib
import zlib
from datetime import UTC, datetime
from email.header import decode_header
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.origin.api.conftest import Origin

KEYS = [
    "plain.txt",
    "with space",
    "plus+plus",
    "per%cent",
    "per%2Fcent",
    "//double//slash//",
    "/leading",
    "trailing/",
    "../dots/./..",
    "..",
    ".",
    "日本/ключ/🎈",
    "q?mark",
    "hash#tag",
    "amp&eq=;,:@",
    "urn:oid:123",
    "quote'\"<>",
    "k" * 1024,
]


def code_of(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key[:20])
def test_any_key_round_trips(s3: Any, bucket: str, key: str) -> None:
    body = key.encode()
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert [entry["Key"] for entry in s3.list_objects(Bucket=bucket)["Contents"]] == [key]
    s3.delete_object(Bucket=bucket, Key=key)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_key_over_1024_bytes_is_too_long(s3: Any, bucket: str) -> None:
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="ä" * 513, Body=b"")
    assert code_of(caught) == ("KeyTooLongError", 400)


def test_headers_and_metadata_are_kept(s3: Any, bucket: str) -> None:
    kept = {
        "ContentType": "image/jpeg",
        "CacheControl": "public, max-age=315576000, immutable",
        "ContentDisposition": "inline; filename*=UTF-8''%C3%A4.jpg",
        "ContentEncoding": "gzip",
        "ContentLanguage": "de",
    }
    put = s3.put_object(
        Bucket=bucket, Key="k", Body=b"bytes", Metadata={"mtime": "1.5", "note": "a b"},
        Expires=datetime(2030, 1, 1, tzinfo=UTC), StorageClass="STANDARD_IA", **kept,
    )  # fmt: skip
    assert put["ETag"] == f'"{hashlib.md5(b"bytes").hexdigest()}"'
    for answer in (s3.get_object(Bucket=bucket, Key="k"), s3.head_object(Bucket=bucket, Key="k")):
        assert {name: answer[name] for name in kept} == kept
        assert answer["Metadata"] == {"mtime": "1.5", "note": "a b"}
        assert answer["ContentLength"] == 5
        assert answer["ETag"] == put["ETag"]
        assert answer["AcceptRanges"] == "bytes"
        assert answer["StorageClass"] == "STANDARD_IA"
        assert answer["ExpiresString"] == "Tue, 01 Jan 2030 00:00:00 GMT"


def test_a_type_not_given_is_s3s_default(s3: Any, bucket: str, origin: Origin) -> None:
    assert origin.ask("PUT", f"/{bucket}/k", body=b"x").status == 200
    assert s3.head_object(Bucket=bucket, Key="k")["ContentType"] == "binary/octet-stream"


def test_aws_chunked_is_never_stored_as_an_encoding(s3: Any, bucket: str, origin: Origin) -> None:
    headers = {"Content-Encoding": "gzip, aws-chunked"}
    assert origin.ask("PUT", f"/{bucket}/k", headers, b"x").status == 200
    assert s3.head_object(Bucket=bucket, Key="k")["ContentEncoding"] == "gzip"
    assert origin.ask("PUT", f"/{bucket}/k", {"Content-Encoding": "aws-chunked"}, b"x").status == 200
    assert "ContentEncoding" not in s3.head_object(Bucket=bucket, Key="k")


def test_a_compressed_upload_is_stored_as_it_was_sent(bucket: str, origin: Origin) -> None:
    body = zlib.compress(b"text" * 1000, wbits=31)
    assert origin.ask("PUT", f"/{bucket}/k", {"Content-Encoding": "gzip"}, body).status == 200
    assert origin.ask("GET", f"/{bucket}/k", {"Accept-Encoding": "identity"}).body == body


@pytest.mark.parametrize(
    ("asked", "status", "content_range", "body"),
    [
        ("bytes=0-1", 206, "bytes 0-1/10", b"01"),
        ("bytes=0-", 206, "bytes 0-9/10", b"0123456789"),
        ("bytes=4-100", 206, "bytes 4-9/10", b"456789"),
        ("bytes=-3", 206, "bytes 7-9/10", b"789"),
        ("bytes=-100", 206, "bytes 0-9/10", b"0123456789"),
        ("bytes=10-", 416, "bytes */10", None),
        ("bytes=-0", 416, "bytes */10", None),
        ("bytes=5-2", 200, None, b"0123456789"),
        ("lines=1-2", 200, None, b"0123456789"),
    ],
)
def test_a_range_is_answered_to_the_letter(
    s3: Any, bucket: str, origin: Origin, asked: str, status: int, content_range: str | None, body: bytes | None
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    reply = origin.ask("GET", f"/{bucket}/k", {"Range": asked})
    assert (reply.status, reply.headers.get("content-range")) == (status, content_range)
    assert reply.code == "InvalidRange" if body is None else reply.body == body
    head = origin.ask("HEAD", f"/{bucket}/k", {"Range": asked})
    assert (head.status, head.body) == (status, b"")
    if body is not None:
        assert head.headers["content-length"] == str(len(body))


def test_a_range_of_an_empty_object_is_not_satisfiable(s3: Any, bucket: str, origin: Origin) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    assert origin.ask("GET", f"/{bucket}/k", {"Range": "bytes=0-"}).status == 416
    assert origin.ask("GET", f"/{bucket}/k").body == b""


def test_if_range_falls_back_to_the_whole(s3: Any, bucket: str, origin: Origin) -> None:
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")["ETag"]
    good = origin.ask("GET", f"/{bucket}/k", {"Range": "bytes=0-1", "If-Range": etag})
    assert (good.status, good.body) == (206, b"01")
    stale = origin.ask("GET", f"/{bucket}/k", {"Range": "bytes=0-1", "If-Range": '"other"'})
    assert (stale.status, stale.body) == (200, b"0123456789")


def test_conditions_on_reads(s3: Any, bucket: str, origin: Origin) -> None:
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x", CacheControl="max-age=9")["ETag"]
    fresh = origin.ask("GET", f"/{bucket}/k", {"If-None-Match": etag})
    assert (fresh.status, fresh.body, fresh.headers["etag"]) == (304, b"", etag)
    assert fresh.headers["cache-control"] == "max-age=9"
    assert origin.ask("GET", f"/{bucket}/k", {"If-None-Match": '"other"'}).status == 200
    assert origin.ask("GET", f"/{bucket}/k", {"If-Match": etag.strip('"')}).status == 200
    failed = origin.ask("GET", f"/{bucket}/k", {"If-Match": '"other"'})
    assert (failed.status, failed.code) == (412, "PreconditionFailed")
    modified = fresh.headers["last-modified"]
    assert origin.ask("GET", f"/{bucket}/k", {"If-Modified-Since": modified}).status == 304
    assert origin.ask("HEAD", f"/{bucket}/k", {"If-None-Match": etag}).status == 304


def test_conditions_on_writes(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    assert code_of(caught) == ("PreconditionFailed", 412)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"


def test_response_headers_are_overridden_for_signed_readers_only(s3: Any, bucket: str, origin: Origin) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="public-read")
    shown = s3.get_object(Bucket=bucket, Key="k", ResponseContentType="text/x", ResponseCacheControl="no-store")
    assert (shown["ContentType"], shown["CacheControl"]) == ("text/x", "no-store")
    anonymous = origin.ask("GET", f"/{bucket}/k?response-content-type=text%2Fhtml", signed=False)
    assert (anonymous.status, anonymous.code) == (400, "InvalidRequest")
    split = origin.ask("GET", f"/{bucket}/k?response-content-type=a%0D%0ASet-Cookie:%20x")
    assert (split.status, split.code) == (400, "InvalidArgument")


def test_a_missing_key_is_no_such_key_and_a_missing_bucket_no_such_bucket(s3: Any, bucket: str) -> None:
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="nothing")
    assert code_of(caught) == ("NoSuchKey", 404)
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket="no-such-bucket-here", Key="k")
    assert code_of(caught) == ("NoSuchBucket", 404)


@pytest.mark.parametrize("target", ["/no-such-bucket-here", "/no-such-bucket-here/k"])
def test_errors_of_head_have_no_body(origin: Origin, target: str) -> None:
    with origin.connect() as connection:
        connection.sendall(origin.head("HEAD", target))
        connection.sendall(origin.head("GET", "/", {"Connection": "close"}))
        received = b""
        while piece := connection.recv(65536):
            received += piece
    first, _, rest = received.partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 404")
    assert rest.startswith(b"HTTP/1.1 200")


def test_a_copy_keeps_or_replaces_metadata(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a b/ä+", Body=b"x", ContentType="text/a", Metadata={"one": "1"})
    source = {"Bucket": bucket, "Key": "a b/ä+"}
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource=source)["CopyObjectResult"]
    assert copied["ETag"] == f'"{hashlib.md5(b"x").hexdigest()}"'
    head = s3.head_object(Bucket=bucket, Key="copy")
    assert (head["ContentType"], head["Metadata"]) == ("text/a", {"one": "1"})
    s3.copy_object(
        Bucket=bucket, Key="copy", CopySource=f"/{bucket}/a b/ä+", MetadataDirective="REPLACE",
        ContentType="text/b", Metadata={"two": "2"},
    )  # fmt: skip
    head = s3.head_object(Bucket=bucket, Key="copy")
    assert (head["ContentType"], head["Metadata"]) == ("text/b", {"two": "2"})


def test_a_copy_onto_itself_needs_a_change(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    source = {"Bucket": bucket, "Key": "k"}
    with pytest.raises(ClientError) as caught:
        s3.copy_object(Bucket=bucket, Key="k", CopySource=source)
    assert code_of(caught) == ("InvalidRequest", 400)
    s3.copy_object(Bucket=bucket, Key="k", CopySource=source, MetadataDirective="REPLACE", Metadata={"touched": "1"})
    assert s3.head_object(Bucket=bucket, Key="k")["Metadata"] == {"touched": "1"}


def test_a_copy_source_that_is_none_is_refused(origin: Origin, bucket: str) -> None:
    for source in ("", "/", "bucketonly", f"{bucket}/"):
        reply = origin.ask("PUT", f"/{bucket}/k", {"x-amz-copy-source": source})
        assert (reply.status, reply.code) == (400, "InvalidArgument"), source
    missing = origin.ask("PUT", f"/{bucket}/k", {"x-amz-copy-source": f"{bucket}/nothing"})
    assert (missing.status, missing.code) == (404, "NoSuchKey")


def test_delete_answers_204_even_for_nothing(s3: Any, bucket: str, origin: Origin) -> None:
    for _ in range(2):
        reply = origin.ask("DELETE", f"/{bucket}/nothing")
        assert (reply.status, reply.body) == (204, b"")


def test_many_objects_are_deleted_at_once(s3: Any, bucket: str) -> None:
    keys = ["a", "b/ä", "c&<d>", "e\x01f"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    names = [{"Key": key} for key in [*keys[:3], "never was"]]
    loud = s3.delete_objects(Bucket=bucket, Delete={"Objects": names})
    assert [entry["Key"] for entry in loud["Deleted"]] == [entry["Key"] for entry in names]
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    quiet = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a"}], "Quiet": True})
    assert "Deleted" not in quiet
    assert "Errors" not in quiet


def test_a_batch_delete_needs_something_that_vouches_for_it(origin: Origin, bucket: str) -> None:
    body = b"<Delete><Object><Key>k</Key></Object></Delete>"
    unsigned = {"payload": "UNSIGNED-PAYLOAD"}
    bare = origin.ask("POST", f"/{bucket}?delete", body=body, **unsigned)
    assert (bare.status, bare.code) == (400, "InvalidRequest")
    md5 = {"Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode()}
    assert origin.ask("POST", f"/{bucket}?delete=", md5, body, **unsigned).status == 200
    crc = {"x-amz-checksum-crc32": base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()}
    assert origin.ask("POST", f"/{bucket}/?delete", crc, body, **unsigned).status == 200
    wrong = origin.ask("POST", f"/{bucket}?delete", {"x-amz-checksum-crc32": "AAAAAA=="}, body, **unsigned)
    assert (wrong.status, wrong.code) == (400, "BadDigest")


@pytest.mark.parametrize(
    "body",
    [
        b"<Delete/>",
        b"<Delete><Object/></Delete>",
        b"not xml",
        b'<!DOCTYPE d [<!ENTITY e "x">]><Delete><Object><Key>&e;</Key></Object></Delete>',
        b"<Delete>" + b"<Object><Key>k</Key></Object>" * 1001 + b"</Delete>",
        b"<Delete>" + b"<a>" * 5000 + b"</a>" * 5000 + b"</Delete>",
    ],
)
def test_a_batch_delete_that_is_none_is_malformed(origin: Origin, bucket: str, body: bytes) -> None:
    reply = origin.ask("POST", f"/{bucket}?delete", body=body)
    assert (reply.status, reply.code) == (400, "MalformedXML")


def test_what_is_not_done_yet_is_refused_and_stores_nothing(origin: Origin, bucket: str) -> None:
    for header, value in {
        "x-amz-write-offset-bytes": "1",
    }.items():
        reply = origin.ask("PUT", f"/{bucket}/k", {header: value}, b"x")
        assert (reply.status, reply.code) == (501, "NotImplemented"), header
    assert origin.ask("GET", f"/{bucket}/k").status == 404


@pytest.mark.parametrize(
    "target",
    ["{}/k?torrent", "{}/k?encryption", "{}/k?nonsense", "{}?replication", "{}?analytics", "{}?nonsense"],
)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
def test_an_unknown_subresource_touches_nothing(s3: Any, origin: Origin, bucket: str, method: str, target: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"precious")
    reply = origin.ask(method, "/" + target.format(bucket), body=b"<x/>")
    never_set = {("DELETE", "{}?replication"): 204, ("DELETE", "{}?analytics"): 404}.get((method, target))
    assert reply.status in ((501, 405) if never_set is None else (never_set,))
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"precious"


@pytest.mark.parametrize(("sent", "read"), [("Grüße, 世界", "Grüße, 世界"), ("Gr\udcfc\udcdfe", "Grüße")])
def test_metadata_beyond_ascii_comes_back_as_encoded_words(origin: Origin, bucket: str, sent: str, read: str) -> None:
    assert origin.ask("PUT", f"/{bucket}/k", {"x-amz-meta-note": sent, "x-amz-meta-a": "plain"}, b"x").status == 200
    head = origin.ask("HEAD", f"/{bucket}/k").headers
    [(word, charset)] = decode_header(head["x-amz-meta-note"])
    assert (word.decode(charset), head["x-amz-meta-a"]) == (read, "plain")


@pytest.mark.parametrize("kind", ["GLACIER", "DEEP_ARCHIVE"])
def test_what_is_archived_is_readable_and_says_that_it_is_restored(s3: Any, bucket: str, kind: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass=kind)
    asked = {"Days": 1, "GlacierJobParameters": {"Tier": "Standard"}}
    assert s3.restore_object(Bucket=bucket, Key="k", RestoreRequest=asked)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert 'ongoing-request="false"' in s3.head_object(Bucket=bucket, Key="k")["Restore"]
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_what_is_not_archived_is_not_restored(s3: Any, origin: Origin, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass="STANDARD_IA")
    document = b"<RestoreRequest><Days>1</Days></RestoreRequest>"
    reply = origin.ask("POST", f"/{bucket}/k?restore", body=document)
    assert (reply.status, reply.code) == (403, "InvalidObjectState")
    assert origin.ask("POST", f"/{bucket}/none?restore", body=document).code == "NoSuchKey"
    assert origin.ask("POST", f"/{bucket}/k?restore", body=document.replace(b"1", b"0")).code == "InvalidArgument"
    assert "Restore" not in s3.head_object(Bucket=bucket, Key="k")


def test_a_failed_condition_is_named(s3: Any, origin: Origin, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    reply = origin.ask("GET", f"/{bucket}/k", {"If-Match": '"other"'})
    assert (reply.status, reply.code) == (412, "PreconditionFailed")
    assert b"<Condition>If-Match</Condition>" in reply.body


def test_a_range_beyond_the_end_is_named_beside_the_size(s3: Any, origin: Origin, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    reply = origin.ask("GET", f"/{bucket}/k", {"Range": "bytes=9-"})
    assert reply.status == 416
    assert b"<RangeRequested>bytes=9-</RangeRequested><ActualObjectSize>1</ActualObjectSize>" in reply.body
