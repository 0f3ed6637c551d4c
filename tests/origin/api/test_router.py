"""Promises of the router: one row of the table or a refusal, and a path that is never changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.schema import Settings
from origin.api.s3.handlers import HANDLERS
from origin.api.s3.hosts import Hosts
from origin.api.s3.probes import PROBES
from origin.api.s3.router import PARAMETERS, Route, route, split_target
from origin.service.operations import SUBRESOURCES, TABLE, Level, operation
from wire.canonical import first_values
from wire.refusals import Refusal

SETTINGS = Settings.model_validate(
    {
        "origin": {
            "hosts": ["files.example.com"],
            "domains": ["s3.example.com", "eu.s3.example.com"],
            "bucket_hosts": ["media.example.com", "files.example.com"],
        },
        "nginx": {"s3_host": "store.example.com"},
    }
)
HOSTS = Hosts(SETTINGS)


def routed(method: str, target: str, host: str = "localhost:9000", **headers: str) -> Route:
    lines = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    path, query = split_target(target)
    return route(method, path, first_values(query), lines, HOSTS)


def code_of(method: str, target: str, **headers: str) -> str:
    with pytest.raises(Refusal) as caught:
        routed(method, target, **headers)
    return caught.value.code


@pytest.mark.parametrize(
    ("method", "target", "name"),
    [
        ("GET", "/", "ListBuckets"),
        ("GET", "/?x-id=ListBuckets", "ListBuckets"),
        ("GET", "/b", "ListObjects"),
        ("GET", "/b/", "ListObjects"),
        ("GET", "/b?list-type=2&fetch-owner=true", "ListObjectsV2"),
        ("GET", "/b?location", "GetBucketLocation"),
        ("GET", "/b/?location=", "GetBucketLocation"),
        ("PUT", "/b", "CreateBucket"),
        ("PUT", "/b/", "CreateBucket"),
        ("HEAD", "/b", "HeadBucket"),
        ("DELETE", "/b", "DeleteBucket"),
        ("POST", "/b?delete", "DeleteObjects"),
        ("POST", "/b/?delete=", "DeleteObjects"),
        ("GET", "/b?uploads", "ListMultipartUploads"),
        ("PUT", "/b/k?x-id=PutObject", "PutObject"),
        ("GET", "/b/k?versionId=1", "GetObject"),
        ("GET", "/b/k?partNumber=1", "GetObject"),
        ("POST", "/b/k?uploads", "CreateMultipartUpload"),
        ("POST", "/b/k?uploads=", "CreateMultipartUpload"),
        ("PUT", "/b/k?partNumber=1&uploadId=u", "UploadPart"),
        ("GET", "/b/k?uploadId=u&max-parts=3", "ListParts"),
        ("POST", "/b/k?uploadId=u", "CompleteMultipartUpload"),
        ("DELETE", "/b/k?uploadId=u", "AbortMultipartUpload"),
        ("PUT", "/b/k?acl", "PutObjectAcl"),
        ("GET", "/b?prefix=&delimiter=&marker=", "ListObjects"),
        ("GET", "http://localhost:9000/b/k", "GetObject"),
    ],
)
def test_a_request_is_the_operation_that_aws_documents(method: str, target: str, name: str) -> None:
    assert routed(method, target).operation.name == name


def test_a_copy_source_makes_a_copy_of_a_put() -> None:
    assert routed("PUT", "/b/k", x_amz_copy_source="b/o").operation.name == "CopyObject"
    assert routed("PUT", "/b/k?partNumber=1&uploadId=u", x_amz_copy_source="b/o").operation.name == "UploadPartCopy"


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE", "HEAD"])
@pytest.mark.parametrize("target", ["/b?frobnicate", "/b/k?frobnicate", "/b/k?frobnicate=", "/?frobnicate"])
def test_a_subresource_nobody_knows_is_not_implemented(method: str, target: str) -> None:
    assert code_of(method, target) == "NotImplemented"


@pytest.mark.parametrize("level", [Level.BUCKET, Level.OBJECT])
@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS"])
def test_no_known_subresource_falls_through_to_the_plain_operation(level: Level, method: str) -> None:
    target = "/b" if level is Level.BUCKET else "/b/k"
    for name in SUBRESOURCES[level]:
        try:
            found = routed(method, f"{target}?{name}").operation.subresource
        except Refusal as refusal:
            found = refusal.code
        assert found in (name, "MethodNotAllowed", "NotImplemented")


@pytest.mark.parametrize(
    ("method", "target", "code"),
    [
        ("PUT", "/b/k?partNumber=1", "InvalidArgument"),
        ("PUT", "/b/k?versionId=1", "InvalidArgument"),
        ("GET", "/b/k?acl&tagging", "InvalidArgument"),
        ("PATCH", "/b/k", "MethodNotAllowed"),
        ("PUT", "/", "MethodNotAllowed"),
        ("PUT", "//name", "InvalidBucketName"),
        ("GET", "/b/%ff", "InvalidURI"),
    ],
)
def test_what_has_no_meaning_is_refused(method: str, target: str, code: str) -> None:
    assert code_of(method, target) == code


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("name", sorted(PARAMETERS - {"versionId", "x-id"}))
def test_a_parameter_of_another_operation_never_falls_through_to_a_plain_write(method: str, name: str) -> None:
    assert code_of(method, f"/b/k?{name}=1") == "InvalidArgument"
    assert code_of(method, f"/b/k?{name}") == "InvalidArgument"
    assert routed("GET", f"/b/k?{name}=1").operation.name == "GetObject"


@pytest.mark.parametrize("target", ["*", "b/k", "ftp://h/b", ""])
def test_a_target_in_another_form_is_refused(target: str) -> None:
    with pytest.raises(Refusal, match="InvalidURI"):
        split_target(target)


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        ("a+b", "a+b"),
        ("a%2Bb", "a+b"),
        ("a%2520b", "a%20b"),
        ("/", "/"),
        ("//x//", "//x//"),
        ("../../etc/passwd", "../../etc/passwd"),
        ("%2e%2e/x", "../x"),
        (".", "."),
        ("a%2Fb", "a/b"),
        ("a;b:c@d&e=f$g,h!i*j'k(l)~", "a;b:c@d&e=f$g,h!i*j'k(l)~"),
        ("%E6%97%A5%E6%9C%AC", "日本"),
        ("a%00b", "a\x00b"),
        ("a#b", "a#b"),
        ("urn:oid:123", "urn:oid:123"),
    ],
)
def test_a_key_is_what_its_path_spells(raw: str, key: str) -> None:
    assert routed("GET", f"/b/{raw}").key == key
    assert routed("GET", f"/{raw}", host="b.s3.example.com").key == key


@given(st.text(min_size=1))
def test_any_utf8_key_survives_the_path(key: str) -> None:
    raw = "".join(f"%{byte:02X}" for byte in key.encode("utf-8", "replace"))
    assert routed("GET", f"/b/{raw}").key == key.encode("utf-8", "replace").decode()


@pytest.mark.parametrize(
    ("host", "bucket"),
    [
        ("b.s3.example.com", "b"),
        ("B.S3.Example.com:443", "b"),
        ("a.b.s3.example.com.", "a.b"),
        ("b.eu.s3.example.com", "b"),
        ("media.example.com", "media.example.com"),
    ],
)
def test_a_virtual_host_names_its_bucket(host: str, bucket: str) -> None:
    found = routed("GET", "/b/k", host=host)
    assert (found.bucket, found.key, found.virtual) == (bucket, "b/k", True)


@pytest.mark.parametrize(
    "host",
    [
        "localhost:9000",
        "127.0.0.1:9000",
        "[::1]:9000",
        "10.1.2.3",
        "s3.example.com",
        "eu.s3.example.com",
        "files.example.com",
        "store.example.com",
        "unknown.example.org",
        "",
    ],
)
def test_the_servers_own_names_are_never_buckets(host: str) -> None:
    found = routed("GET", "/b/k", host=host)
    assert (found.bucket, found.key, found.virtual) == ("b", "k", False)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "s3.example.com", "files.example.com", "store.example.com"])
def test_names_of_the_server_are_reserved(name: str) -> None:
    assert HOSTS.reserves(name)
    assert not HOSTS.reserves("media.example.com")


def test_every_supported_operation_has_one_handler_and_no_other_has() -> None:
    assert set(HANDLERS) == {row.name for row in TABLE if row.supported}
    assert not set(HANDLERS) & set(PROBES)


def test_probes_only_ever_read_or_take_away_what_is_not_there() -> None:
    assert all(operation(name).method in ("GET", "DELETE") for name in PROBES)
