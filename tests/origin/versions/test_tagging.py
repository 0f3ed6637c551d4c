"""Promises of tags: kept, counted, replaced, copied, and held to their limits."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.origin.api.conftest import Origin
from tests.origin.api.test_post import policy, post, signed
from tests.origin.versions.support import put, refused

Tags = dict[str, str]

WRONG: dict[str, list[dict[str, str]]] = {
    "too long a key": [{"Key": "k" * 129, "Value": ""}],
    "too long a value": [{"Key": "k", "Value": "v" * 257}],
    "a key twice": [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}],
    "a reserved key": [{"Key": "aws:k", "Value": "v"}],
    "a character that is none of theirs": [{"Key": "k!", "Value": "v"}],
}


def tag_set(tags: Tags) -> dict[str, list[dict[str, str]]]:
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


def tags_of(s3: Any, bucket: str, key: str, **which: str) -> Tags:
    answer = s3.get_object_tagging(Bucket=bucket, Key=key, **which)
    return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}


def test_tags_of_an_object_are_replaced_as_a_whole(s3: Any, bucket: str) -> None:
    put(s3, bucket, "k")
    assert tags_of(s3, bucket, "k") == {}
    most = {f"key {number}": f"ä+-=._:/@{number}" for number in range(10)}
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=tag_set(most))
    assert tags_of(s3, bucket, "k") == most
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=tag_set({"k" * 128: "v" * 256, "empty": ""}))
    assert tags_of(s3, bucket, "k") == {"k" * 128: "v" * 256, "empty": ""}
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=tag_set({}))
    assert tags_of(s3, bucket, "k") == {}


def test_removing_tags_succeeds_whether_there_are_any(s3: Any, bucket: str) -> None:
    put(s3, bucket, "k", Tagging="a=1")
    for _ in range(2):
        gone = s3.delete_object_tagging(Bucket=bucket, Key="k")
        assert gone["ResponseMetadata"]["HTTPStatusCode"] == 204
        assert tags_of(s3, bucket, "k") == {}


def test_a_write_may_bring_tags_and_a_read_counts_them(origin: Origin, s3: Any, bucket: str) -> None:
    put(s3, bucket, "k", Tagging=urlencode({"a b": "1+2=3", "ä": ""}), ACL="public-read")
    assert tags_of(s3, bucket, "k") == {"a b": "1+2=3", "ä": ""}
    for read in (s3.get_object, s3.head_object):
        headers = read(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPHeaders"]
        assert headers["x-amz-tagging-count"] == "2"
    assert "x-amz-tagging-count" not in origin.ask("GET", f"/{bucket}/k", signed=False).headers
    put(s3, bucket, "k")
    assert "x-amz-tagging-count" not in s3.head_object(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPHeaders"]


def test_an_upload_in_parts_brings_the_tags_it_began_with(s3: Any, bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", Tagging="a=1")["UploadId"]
    which = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    etag = s3.upload_part(**which, PartNumber=1, Body=b"part")["ETag"]
    s3.complete_multipart_upload(**which, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    assert tags_of(s3, bucket, "k") == {"a": "1"}


def test_a_copy_keeps_the_tags_or_replaces_them(s3: Any, bucket: str) -> None:
    put(s3, bucket, "k", Tagging="a=1")
    source = {"Bucket": bucket, "Key": "k"}
    s3.copy_object(Bucket=bucket, Key="same", CopySource=source)
    assert tags_of(s3, bucket, "same") == {"a": "1"}
    s3.copy_object(Bucket=bucket, Key="kept", CopySource=source, Tagging="b=2", TaggingDirective="COPY")
    assert tags_of(s3, bucket, "kept") == {"a": "1"}
    s3.copy_object(Bucket=bucket, Key="new", CopySource=source, Tagging="b=2", TaggingDirective="REPLACE")
    assert tags_of(s3, bucket, "new") == {"b": "2"}
    s3.copy_object(Bucket=bucket, Key="none", CopySource=source, TaggingDirective="REPLACE")
    assert tags_of(s3, bucket, "none") == {}
    wrong = {"Bucket": bucket, "Key": "x", "CopySource": source, "TaggingDirective": "MERGE"}
    assert refused(s3.copy_object, **wrong) == ("InvalidArgument", 400)


def test_a_form_may_bring_tags(origin: Origin, s3: Any, bucket: str) -> None:
    document = policy(bucket, ["starts-with", "$tagging", ""])
    tagging = "<Tagging><TagSet><Tag><Key>a b</Key><Value>1</Value></Tag></TagSet></Tagging>"
    assert post(origin, bucket, {"key": "k", "tagging": tagging, **signed(document)}).status == 204
    assert tags_of(s3, bucket, "k") == {"a b": "1"}
    assert post(origin, bucket, {"key": "k", "tagging": "a=1", **signed(document)}).code == "MalformedXML"


def test_tags_belong_to_a_version(s3: Any, versioned: str) -> None:
    first = put(s3, versioned, "k", Tagging="n=1")
    second = put(s3, versioned, "k", Tagging="n=2")
    done = s3.put_object_tagging(Bucket=versioned, Key="k", VersionId=first, Tagging=tag_set({"n": "one"}))
    assert done["VersionId"] == first
    assert tags_of(s3, versioned, "k", VersionId=str(first)) == {"n": "one"}
    assert tags_of(s3, versioned, "k") == {"n": "2"}
    assert s3.get_object_tagging(Bucket=versioned, Key="k")["VersionId"] == second
    s3.delete_object_tagging(Bucket=versioned, Key="k", VersionId=first)
    assert tags_of(s3, versioned, "k", VersionId=str(first)) == {}


def test_what_is_not_there_has_no_tags(s3: Any, bucket: str) -> None:
    which = {"Bucket": bucket, "Key": "never"}
    assert refused(s3.get_object_tagging, **which) == ("NoSuchKey", 404)
    assert refused(s3.put_object_tagging, **which, Tagging=tag_set({"a": "b"})) == ("NoSuchKey", 404)
    assert refused(s3.delete_object_tagging, **which) == ("NoSuchKey", 404)


@pytest.mark.parametrize("name", WRONG)
def test_tags_beyond_a_limit_are_refused_and_nothing_changes(s3: Any, bucket: str, name: str) -> None:
    put(s3, bucket, "k", Tagging="a=1")
    wrong = {"TagSet": WRONG[name]}
    assert refused(s3.put_object_tagging, Bucket=bucket, Key="k", Tagging=wrong) == ("InvalidTag", 400)
    assert refused(s3.put_bucket_tagging, Bucket=bucket, Tagging=wrong) == ("InvalidTag", 400)
    assert tags_of(s3, bucket, "k") == {"a": "1"}


def test_an_object_has_ten_tags_and_a_bucket_fifty(s3: Any, bucket: str) -> None:
    put(s3, bucket, "k")
    eleven = {str(number): "" for number in range(11)}
    assert refused(s3.put_object_tagging, Bucket=bucket, Key="k", Tagging=tag_set(eleven)) == ("BadRequest", 400)
    assert refused(s3.put_object, Bucket=bucket, Key="k", Tagging=urlencode(eleven)) == ("BadRequest", 400)
    fifty = {str(number): "" for number in range(50)}
    s3.put_bucket_tagging(Bucket=bucket, Tagging=tag_set(fifty))
    over = tag_set(fifty | {"more": ""})
    assert refused(s3.put_bucket_tagging, Bucket=bucket, Tagging=over) == ("BadRequest", 400)


def test_a_tag_of_the_tagging_header_may_lack_its_value(s3: Any, bucket: str) -> None:
    put(s3, bucket, "k", Tagging="a=1&bare")
    assert tags_of(s3, bucket, "k") == {"a": "1", "bare": ""}


@pytest.mark.parametrize("header", ["a=1&a=2", "a=1&", "=1", "a=%FF"])
def test_a_tagging_header_that_is_no_query_is_refused(origin: Origin, bucket: str, header: str) -> None:
    reply = origin.ask("PUT", f"/{bucket}/k", {"x-amz-tagging": header}, b"x")
    assert (reply.status, reply.code) == (400, "InvalidArgument")
    assert origin.ask("GET", f"/{bucket}/k").status == 404


@pytest.mark.parametrize("document", ["<Tagging/>", "<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>", "x"])
def test_a_document_that_is_no_tagging_is_malformed(origin: Origin, bucket: str, document: str) -> None:
    assert origin.ask("PUT", f"/{bucket}?tagging", body=document.encode()).code == "MalformedXML"


def test_tags_of_a_bucket_live_and_end(s3: Any, bucket: str) -> None:
    assert refused(s3.get_bucket_tagging, Bucket=bucket) == ("NoSuchTagSet", 404)
    s3.put_bucket_tagging(Bucket=bucket, Tagging=tag_set({"team": "ä", "cost": "7"}))
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tag_set({"team": "ä", "cost": "7"})["TagSet"]
    s3.delete_bucket_tagging(Bucket=bucket)
    assert refused(s3.get_bucket_tagging, Bucket=bucket) == ("NoSuchTagSet", 404)
