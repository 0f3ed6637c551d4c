"""Promises of versioning: what becomes of an object in each state of its bucket, and what its versions answer."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.origin.api.conftest import Origin
from tests.origin.versions.support import body_of, headers_of, history, put, refusal, refused

OTHER = "f" * 32


def suspend(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})


def test_a_state_is_kept_and_shown(s3: Any, bucket: str) -> None:
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    for status in ("Enabled", "Suspended", "Enabled"):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == status


@pytest.mark.parametrize(
    ("document", "code", "status"),
    [
        ("<VersioningConfiguration/>", "IllegalVersioningConfigurationException", 400),
        ("<VersioningConfiguration><Status>On</Status></VersioningConfiguration>", "MalformedXML", 400),
        ("<Versioning/>", "MalformedXML", 400),
        (
            "<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete></VersioningConfiguration>",
            "AccessDenied",
            403,
        ),
    ],
)
def test_a_state_that_cannot_be_is_refused(origin: Origin, bucket: str, document: str, code: str, status: int) -> None:
    reply = origin.ask("PUT", f"/{bucket}?versioning", body=document.encode())
    assert (reply.status, reply.code) == (status, code)


def test_mfa_delete_may_be_named_as_disabled(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled", "MFADelete": "Disabled"})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


def test_a_bucket_that_was_never_versioned_shows_no_ids(s3: Any, bucket: str) -> None:
    written = s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    read = s3.get_object(Bucket=bucket, Key="k")
    assert "VersionId" not in written | read
    assert history(s3, bucket) == [("k", "null", True, False)]
    assert body_of(s3, bucket, "k", "null") == b"x"


def test_an_enabled_bucket_keeps_every_version(s3: Any, versioned: str) -> None:
    ids = [put(s3, versioned, "k", b"%d" % number) for number in range(3)]
    assert len(set(ids)) == 3
    assert body_of(s3, versioned, "k") == b"2"
    assert [body_of(s3, versioned, "k", version) for version in ids] == [b"0", b"1", b"2"]
    assert [entry[1:3] for entry in history(s3, versioned)] == [(ids[2], True), (ids[1], False), (ids[0], False)]
    assert s3.head_object(Bucket=versioned, Key="k", VersionId=ids[0])["VersionId"] == ids[0]
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=versioned)["Contents"]] == ["k"]


def test_what_was_there_before_versioning_is_the_null_version(s3: Any, bucket: str) -> None:
    put(s3, bucket, "k", b"old")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_object(Bucket=bucket, Key="k")["VersionId"] == "null"
    new = put(s3, bucket, "k", b"new")
    assert (body_of(s3, bucket, "k"), body_of(s3, bucket, "k", "null")) == (b"new", b"old")
    s3.delete_object(Bucket=bucket, Key="k", VersionId="null")
    assert [entry[1] for entry in history(s3, bucket)] == [new]


def test_a_suspended_bucket_overwrites_the_null_version_alone(s3: Any, versioned: str) -> None:
    kept = put(s3, versioned, "k", b"kept")
    suspend(s3, versioned)
    assert [put(s3, versioned, "k", body) for body in (b"one", b"two")] == ["null", "null"]
    assert [entry[1] for entry in history(s3, versioned)] == ["null", kept]
    assert body_of(s3, versioned, "k") == b"two"
    assert body_of(s3, versioned, "k", kept) == b"kept"


def test_a_delete_hides_the_key_behind_a_marker(s3: Any, versioned: str) -> None:
    version = put(s3, versioned, "k", b"x")
    gone = s3.delete_object(Bucket=versioned, Key="k")
    assert (gone["DeleteMarker"], gone["ResponseMetadata"]["HTTPStatusCode"]) == (True, 204)
    assert set(history(s3, versioned)) == {("k", gone["VersionId"], True, True), ("k", version, False, False)}
    assert body_of(s3, versioned, "k", version) == b"x"
    assert "Contents" not in s3.list_objects_v2(Bucket=versioned)
    back = s3.delete_object(Bucket=versioned, Key="k", VersionId=gone["VersionId"])
    assert (back["DeleteMarker"], back["VersionId"]) == (True, gone["VersionId"])
    assert body_of(s3, versioned, "k") == b"x"


def test_every_delete_makes_a_marker_even_of_a_key_that_never_was(s3: Any, versioned: str) -> None:
    markers = {s3.delete_object(Bucket=versioned, Key="never")["VersionId"] for _ in range(2)}
    assert {entry[1] for entry in history(s3, versioned)} == markers
    assert len(markers) == 2


def test_a_suspended_delete_puts_a_null_marker_in_place_of_the_null_version(s3: Any, versioned: str) -> None:
    kept = put(s3, versioned, "k", b"kept")
    suspend(s3, versioned)
    put(s3, versioned, "k", b"null")
    gone = s3.delete_object(Bucket=versioned, Key="k")
    assert (gone["DeleteMarker"], gone["VersionId"]) == (True, "null")
    s3.delete_object(Bucket=versioned, Key="k")
    assert set(history(s3, versioned)) == {("k", "null", True, True), ("k", kept, False, False)}
    assert put(s3, versioned, "k", b"again") == "null"
    assert set(history(s3, versioned)) == {("k", "null", True, False), ("k", kept, False, False)}


def test_the_version_before_a_removed_one_becomes_the_latest(s3: Any, versioned: str) -> None:
    first, second = put(s3, versioned, "k", b"1"), put(s3, versioned, "k", b"2")
    gone = s3.delete_object(Bucket=versioned, Key="k", VersionId=second)
    assert ("DeleteMarker" in gone, gone["VersionId"]) == (False, second)
    assert s3.get_object(Bucket=versioned, Key="k")["VersionId"] == first
    s3.delete_object(Bucket=versioned, Key="k", VersionId=first)
    assert refused(s3.get_object, Bucket=versioned, Key="k") == ("NoSuchKey", 404)
    assert history(s3, versioned) == []


def test_a_key_behind_a_marker_is_not_found_and_says_why(s3: Any, versioned: str) -> None:
    put(s3, versioned, "k")
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    answer = refusal(s3.get_object, Bucket=versioned, Key="k")
    assert answer["Error"]["Code"] == "NoSuchKey"
    for headers in (headers_of(answer), headers_of(refusal(s3.head_object, Bucket=versioned, Key="k"))):
        assert (headers["x-amz-delete-marker"], headers["x-amz-version-id"]) == ("true", marker)


@pytest.mark.parametrize("operation", ["get_object", "head_object", "get_object_tagging", "get_object_acl"])
def test_a_marker_asked_for_by_its_id_is_not_allowed(s3: Any, versioned: str, operation: str) -> None:
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    answer = refusal(getattr(s3, operation), Bucket=versioned, Key="k", VersionId=marker)
    headers = headers_of(answer)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 405
    assert (headers["x-amz-delete-marker"], headers["allow"]) == ("true", "DELETE")
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT", headers["last-modified"])


def test_a_version_that_is_not_there_is_not_found_and_one_that_is_none_is_refused(s3: Any, versioned: str) -> None:
    put(s3, versioned, "k")
    for missing in (OTHER, "null"):
        assert refused(s3.get_object, Bucket=versioned, Key="k", VersionId=missing) == ("NoSuchVersion", 404)
        assert s3.delete_object(Bucket=versioned, Key="k", VersionId=missing)["VersionId"] == missing
    assert refused(s3.get_object, Bucket=versioned, Key="k", VersionId="made up") == ("InvalidArgument", 400)
    assert refused(s3.delete_object, Bucket=versioned, Key="k", VersionId="made up") == ("InvalidArgument", 400)
    assert len(history(s3, versioned)) == 1


def test_anonymous_readers_do_not_learn_what_is_hidden(origin: Origin, s3: Any, versioned: str) -> None:
    version = put(s3, versioned, "k")
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    for target in (f"k?versionId={version}", f"k?versionId={marker}", f"k?versionId={OTHER}", "k"):
        reply = origin.ask("GET", f"/{versioned}/{target}", signed=False)
        assert (reply.status, "x-amz-delete-marker" in reply.headers) == (403, False)


def test_many_versions_are_deleted_at_once_each_with_its_own_answer(s3: Any, versioned: str) -> None:
    first, second = put(s3, versioned, "a", b"1"), put(s3, versioned, "a", b"2")
    marker = s3.delete_object(Bucket=versioned, Key="b")["VersionId"]
    named = [{"Key": "a", "VersionId": first}, {"Key": "b", "VersionId": marker}, {"Key": "c"}]
    named += [{"Key": "a", "VersionId": "junk"}]
    done = s3.delete_objects(Bucket=versioned, Delete={"Objects": named})
    answers = {entry["Key"]: entry for entry in done["Deleted"]}
    assert answers["a"] == {"Key": "a", "VersionId": first}
    assert answers["b"] == {"Key": "b", "VersionId": marker, "DeleteMarker": True, "DeleteMarkerVersionId": marker}
    assert answers["c"]["DeleteMarker"] is True
    assert "VersionId" not in answers["c"]
    assert [(entry["Key"], entry["VersionId"], entry["Code"]) for entry in done["Errors"]] == [
        ("a", "junk", "InvalidArgument")
    ]
    assert {entry[1] for entry in history(s3, versioned)} == {second, answers["c"]["DeleteMarkerVersionId"]}
    again = s3.delete_objects(Bucket=versioned, Delete={"Objects": named[:2]})
    assert len(again["Deleted"]) == 2


def test_a_copy_is_made_of_the_version_that_is_named(s3: Any, versioned: str) -> None:
    first = put(s3, versioned, "k", b"first", Metadata={"n": "1"})
    put(s3, versioned, "k", b"second")
    source = {"Bucket": versioned, "Key": "k", "VersionId": first}
    copy = s3.copy_object(Bucket=versioned, Key="k", CopySource=source)
    assert copy["CopySourceVersionId"] == first
    assert copy["VersionId"] == s3.head_object(Bucket=versioned, Key="k")["VersionId"]
    read = s3.get_object(Bucket=versioned, Key="k")
    assert (read["Body"].read(), read["Metadata"]) == (b"first", {"n": "1"})


def test_a_marker_is_no_source(s3: Any, versioned: str) -> None:
    put(s3, versioned, "k")
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    source = {"Bucket": versioned, "Key": "k"}
    assert refused(s3.copy_object, Bucket=versioned, Key="c", CopySource=source) == ("NoSuchKey", 404)
    named = source | {"VersionId": marker}
    assert refused(s3.copy_object, Bucket=versioned, Key="c", CopySource=named) == ("InvalidRequest", 400)
    upload = s3.create_multipart_upload(Bucket=versioned, Key="c")["UploadId"]
    part = {"Bucket": versioned, "Key": "c", "UploadId": upload, "PartNumber": 1, "CopySource": named}
    assert refused(s3.upload_part_copy, **part) == ("InvalidRequest", 400)


def test_a_completed_upload_is_a_version(s3: Any, versioned: str) -> None:
    old = put(s3, versioned, "k", b"old")
    upload = s3.create_multipart_upload(Bucket=versioned, Key="k")["UploadId"]
    which = {"Bucket": versioned, "Key": "k", "UploadId": upload}
    etag = s3.upload_part(**which, PartNumber=1, Body=b"part")["ETag"]
    done = s3.complete_multipart_upload(**which, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    assert [entry[1] for entry in history(s3, versioned)] == [done["VersionId"], old]


def test_an_acl_belongs_to_a_version(origin: Origin, s3: Any, versioned: str) -> None:
    first = put(s3, versioned, "k", b"1")
    second = put(s3, versioned, "k", b"2")
    s3.put_object_acl(Bucket=versioned, Key="k", ACL="public-read", VersionId=first)
    assert origin.ask("GET", f"/{versioned}/k?versionId={first}", signed=False).status == 200
    assert origin.ask("GET", f"/{versioned}/k?versionId={second}", signed=False).status == 403
    assert origin.ask("GET", f"/{versioned}/k", signed=False).status == 403


def test_a_bucket_with_versions_or_markers_is_not_empty(s3: Any, versioned: str) -> None:
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    assert refused(s3.delete_bucket, Bucket=versioned) == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket=versioned, Key="k", VersionId=marker)
    s3.delete_bucket(Bucket=versioned)


def test_conditions_of_a_write_ask_the_latest_version(s3: Any, versioned: str) -> None:
    put(s3, versioned, "k", b"1", IfNoneMatch="*")
    etag = s3.head_object(Bucket=versioned, Key="k")["ETag"]
    assert refused(put_in, s3=s3, bucket=versioned, IfNoneMatch="*") == ("PreconditionFailed", 412)
    put(s3, versioned, "k", b"2", IfMatch=etag)
    assert refused(put_in, s3=s3, bucket=versioned, IfMatch=etag) == ("PreconditionFailed", 412)
    s3.delete_object(Bucket=versioned, Key="k")
    assert refused(put_in, s3=s3, bucket=versioned, IfMatch="*") == ("NoSuchKey", 404)
    put(s3, versioned, "k", b"3", IfNoneMatch="*")
    assert len(history(s3, versioned)) == 4


def put_in(s3: Any, bucket: str, **conditions: str) -> None:
    put(s3, bucket, "k", b"refused", **conditions)


def test_conditions_of_a_delete_ask_the_latest_version(s3: Any, versioned: str) -> None:
    old = put(s3, versioned, "k", b"old")
    put(s3, versioned, "k", b"new")
    etag = s3.head_object(Bucket=versioned, Key="k")["ETag"]
    wrong = {"Bucket": versioned, "Key": "k", "IfMatch": '"0"'}
    assert refused(s3.delete_object, **wrong) == ("PreconditionFailed", 412)
    assert refused(s3.delete_object, **wrong, VersionId=old) == ("PreconditionFailed", 412)
    objects = [{"Key": "k", "ETag": '"0"'}]
    (error,) = s3.delete_objects(Bucket=versioned, Delete={"Objects": objects})["Errors"]
    assert error["Code"] == "PreconditionFailed"
    assert len(history(s3, versioned)) == 2
    assert s3.delete_object(Bucket=versioned, Key="k", IfMatch=etag)["DeleteMarker"] is True
    assert refused(s3.delete_object, Bucket=versioned, Key="k", IfMatch="*") == ("PreconditionFailed", 412)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"x-amz-if-match-size": "3"}, True),
        ({"x-amz-if-match-size": "4"}, False),
        ({"x-amz-if-match-last-modified-time": "Thu, 01 Jan 1970 00:00:00 GMT"}, False),
    ],
)
def test_a_delete_may_name_size_and_time(
    origin: Origin, s3: Any, bucket: str, condition: dict[str, str], holds: bool
) -> None:
    put(s3, bucket, "k", b"abc")
    reply = origin.ask("DELETE", f"/{bucket}/k", condition)
    assert reply.status == (204 if holds else 412)


def test_a_condition_that_cannot_be_read_is_refused(origin: Origin, s3: Any, bucket: str) -> None:
    put(s3, bucket, "k")
    for condition in ({"x-amz-if-match-size": "many"}, {"x-amz-if-match-last-modified-time": "soon"}):
        assert origin.ask("DELETE", f"/{bucket}/k", condition).code == "InvalidArgument"
    assert body_of(s3, bucket, "k") == b"x"
