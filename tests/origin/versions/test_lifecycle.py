"""Promises of lifecycle configurations over S3: kept as they were written, refused as AWS does, and carried out."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from tests.origin.api.conftest import PATIENCE, Origin, running
from tests.origin.versions.support import headers_of, put, refused

RULES: dict[str, dict[str, Any]] = {
    "days": {"Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 3}},
    "date": {"Filter": {"Prefix": ""}, "Expiration": {"Date": datetime(2030, 1, 1, tzinfo=UTC)}},
    "the old place of a prefix": {"Prefix": "a ", "Expiration": {"Days": 1}},
    "a tag": {"Filter": {"Tag": {"Key": "k", "Value": "v"}}, "Expiration": {"Days": 1}},
    "a size": {"Filter": {"ObjectSizeGreaterThan": 500}, "Expiration": {"Days": 1}},
    "and": {
        "Filter": {
            "And": {
                "Prefix": "a/",
                "Tags": [{"Key": "k", "Value": "v"}, {"Key": "l", "Value": ""}],
                "ObjectSizeGreaterThan": 1,
                "ObjectSizeLessThan": 9,
            }
        },
        "Expiration": {"Days": 1},
    },
    "markers": {"Filter": {"Prefix": ""}, "Expiration": {"ExpiredObjectDeleteMarker": True}},
    "past versions": {
        "Filter": {"Prefix": ""},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 2, "NewerNoncurrentVersions": 5},
    },
    "moves": {
        "Filter": {"Prefix": ""},
        "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 90, "StorageClass": "GLACIER"}],
        "Expiration": {"Days": 365},
    },
    "moves by date": {
        "Filter": {"Prefix": ""},
        "Transitions": [{"Date": datetime(2030, 1, 1, tzinfo=UTC), "StorageClass": "GLACIER_IR"}],
    },
    "moves of past versions": {
        "Filter": {"Prefix": ""},
        "NoncurrentVersionTransitions": [
            {"NoncurrentDays": 30, "NewerNoncurrentVersions": 2, "StorageClass": "ONEZONE_IA"},
            {"NoncurrentDays": 60, "StorageClass": "DEEP_ARCHIVE"},
        ],
    },
    "uploads": {"Filter": {"Prefix": ""}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
}


def configure(s3: Any, bucket: str, *rules: dict[str, Any]) -> None:
    named = [{"ID": f"rule {number}", "Status": "Enabled"} | rule for number, rule in enumerate(rules)]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": named})


@pytest.mark.parametrize("name", RULES)
def test_a_rule_reads_back_as_it_was_written(s3: Any, bucket: str, name: str) -> None:
    written = {"ID": "r", "Status": "Disabled"} | RULES[name]
    configure(s3, bucket, written)
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == [written]


def test_a_configuration_lives_and_ends(s3: Any, bucket: str) -> None:
    missing = ("NoSuchLifecycleConfiguration", 404)
    assert refused(s3.get_bucket_lifecycle_configuration, Bucket=bucket) == missing
    configure(s3, bucket, *RULES.values())
    assert len(s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]) == len(RULES)
    configure(s3, bucket, RULES["days"])
    assert len(s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]) == 1
    s3.delete_bucket_lifecycle(Bucket=bucket)
    assert refused(s3.get_bucket_lifecycle_configuration, Bucket=bucket) == missing


def test_a_rule_without_an_id_gets_one(s3: Any, bucket: str) -> None:
    unnamed = [{"Status": "Enabled"} | RULES["days"], {"Status": "Enabled"} | RULES["uploads"]]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": unnamed})
    ids = {rule["ID"] for rule in s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]}
    assert len(ids) == 2
    assert "" not in ids


@pytest.mark.parametrize(
    ("rule", "code", "status"),
    [
        ("<Status>enabled</Status><Prefix/><Expiration><Days>1</Days></Expiration>", "MalformedXML", 400),
        ("<Prefix/><Expiration><Days>1</Days></Expiration>", "MalformedXML", 400),
        ("<Status>Enabled</Status><Expiration><Days>1</Days></Expiration>", "MalformedXML", 400),
        (
            "<Status>Enabled</Status><Prefix/><Filter/><Expiration><Days>1</Days></Expiration>",
            "MalformedXML",
            400,
        ),
        ("<Status>Enabled</Status><Prefix/>", "InvalidRequest", 400),
        ("<Status>Enabled</Status><Prefix/><Expiration/>", "MalformedXML", 400),
        ("<Status>Enabled</Status><Prefix/><Expiration><Days>x</Days></Expiration>", "MalformedXML", 400),
        ("<Status>Enabled</Status><Prefix/><Expiration><Days>0</Days></Expiration>", "InvalidArgument", 400),
        ("<Status>Enabled</Status><Prefix/><Expiration><Date>20200101</Date></Expiration>", "MalformedXML", 400),
        (
            "<Status>Enabled</Status><Prefix/><Expiration><Date>2030-01-01T01:00:00Z</Date></Expiration>",
            "InvalidArgument",
            400,
        ),
        (
            "<Status>Enabled</Status><Prefix/><Expiration><Days>1</Days>"
            "<ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
            "MalformedXML",
            400,
        ),
        (
            "<Status>Enabled</Status><Filter><Prefix>a</Prefix><ObjectSizeLessThan>5</ObjectSizeLessThan></Filter>"
            "<Expiration><Days>1</Days></Expiration>",
            "MalformedXML",
            400,
        ),
        (
            "<Status>Enabled</Status><Prefix/><NoncurrentVersionExpiration><NewerNoncurrentVersions>1"
            "</NewerNoncurrentVersions></NoncurrentVersionExpiration>",
            "MalformedXML",
            400,
        ),
        (
            "<Status>Enabled</Status><Prefix/><Transition><Date>20220927</Date><StorageClass>GLACIER</StorageClass>"
            "</Transition>",
            "MalformedXML",
            400,
        ),
        (
            "<Status>Enabled</Status><Prefix/><Transition><Days>1</Days><StorageClass>STANDARD</StorageClass>"
            "</Transition>",
            "MalformedXML",
            400,
        ),
        (
            "<Status>Enabled</Status><Prefix/><Transition><Days>29</Days><StorageClass>STANDARD_IA</StorageClass>"
            "</Transition>",
            "InvalidArgument",
            400,
        ),
    ],
)
def test_a_rule_that_cannot_be_is_refused(origin: Origin, bucket: str, rule: str, code: str, status: int) -> None:
    body = f"<LifecycleConfiguration><Rule>{rule}</Rule></LifecycleConfiguration>".encode()
    reply = origin.ask("PUT", f"/{bucket}?lifecycle", body=body)
    assert (reply.status, reply.code) == (status, code)
    assert origin.ask("GET", f"/{bucket}?lifecycle").code == "NoSuchLifecycleConfiguration"


def test_a_configuration_without_rules_is_malformed(origin: Origin, bucket: str) -> None:
    assert origin.ask("PUT", f"/{bucket}?lifecycle", body=b"<LifecycleConfiguration/>").code == "MalformedXML"


def test_an_object_says_when_it_ends_and_by_which_rule(s3: Any, bucket: str) -> None:
    configure(
        s3,
        bucket,
        {"Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 5}},
        {"Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 3}},
        {"Filter": {"Tag": {"Key": "k", "Value": "v"}}, "Expiration": {"Days": 1}},
    )
    written = s3.put_object(Bucket=bucket, Key="logs/1", Body=b"x")
    for answer in (written, s3.head_object(Bucket=bucket, Key="logs/1"), s3.get_object(Bucket=bucket, Key="logs/1")):
        found = re.fullmatch(r'expiry-date="(.+)", rule-id="(.+)"', answer["Expiration"])
        assert found is not None
        end = parsedate_to_datetime(found[1])
        assert (end.hour, end.minute, end.second, found[2]) == (0, 0, 0, "rule%201")
        assert timedelta(days=3) <= end - datetime.now(UTC) + timedelta(minutes=5) < timedelta(days=4, minutes=5)
    put(s3, bucket, "tagged", Tagging="k=v")
    assert 'rule-id="rule%202"' in s3.head_object(Bucket=bucket, Key="tagged")["Expiration"]
    put(s3, bucket, "other")
    assert "x-amz-expiration" not in headers_of(s3.head_object(Bucket=bucket, Key="other"))


def test_a_past_version_has_no_expiration(s3: Any, versioned: str) -> None:
    configure(s3, versioned, {"Filter": {"Prefix": ""}, "Expiration": {"Days": 5}})
    first = put(s3, versioned, "k")
    put(s3, versioned, "k")
    assert "Expiration" not in s3.head_object(Bucket=versioned, Key="k", VersionId=first)
    assert "Expiration" in s3.head_object(Bucket=versioned, Key="k")


def test_an_upload_says_when_it_is_aborted_and_by_which_rule(s3: Any, bucket: str) -> None:
    soon = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}}
    configure(s3, bucket, {"Filter": {"Prefix": "a/"}} | soon)
    before = datetime.now(UTC)
    made = s3.create_multipart_upload(Bucket=bucket, Key="a/k")
    assert timedelta(days=2) <= made["AbortDate"] - before <= timedelta(days=3)
    assert made["AbortRuleId"] == "rule%200"
    listed = s3.list_parts(Bucket=bucket, Key="a/k", UploadId=made["UploadId"])
    assert (listed["AbortDate"], listed["AbortRuleId"]) == (made["AbortDate"], made["AbortRuleId"])
    assert "AbortDate" not in s3.create_multipart_upload(Bucket=bucket, Key="b/k")


def test_the_smallest_object_that_moves_is_said_and_kept(s3: Any, bucket: str) -> None:
    rule = {"ID": "r", "Status": "Enabled"} | RULES["moves"]
    name = "TransitionDefaultMinimumObjectSize"
    for asked, kept in (({}, "all_storage_classes_128K"), ({name: "varies_by_storage_class"}, None)):
        wanted = kept or asked[name]
        made = s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]}, **asked)
        assert made[name] == wanted
        assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)[name] == wanted


@pytest.fixture
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    """An origin whose lifecycle days last a second."""
    data = tmp_path_factory.mktemp("quick") / "data"
    with running(data, ORIGIN_LIFECYCLE_DAY="1", ORIGIN_SYNC="false") as one:
        yield one


def test_a_running_origin_sweeps_in_days_of_a_second_and_keeps_what_is_locked(quick: Origin) -> None:
    s3 = quick.s3()
    s3.create_bucket(Bucket="vault", ObjectLockEnabledForBucket=True)
    until = datetime.now(UTC) + timedelta(hours=1)
    locked = put(s3, "vault", "k", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=until)
    for _ in range(3):
        put(s3, "vault", "k")
    s3.create_multipart_upload(Bucket="vault", Key="k")
    everything = {"Filter": {"Prefix": ""}}
    configure(
        s3,
        "vault",
        everything | {"Expiration": {"Days": 1}},
        everything | {"NoncurrentVersionExpiration": {"NoncurrentDays": 1}},
        everything | {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}},
    )
    deadline = time.monotonic() + PATIENCE
    while True:
        page = s3.list_object_versions(Bucket="vault")
        left = [entry["VersionId"] for entry in page.get("Versions", [])]
        uploads = s3.list_multipart_uploads(Bucket="vault").get("Uploads", [])
        if (left, uploads) == ([locked], []):
            break
        assert time.monotonic() < deadline, (left, uploads)
    assert [marker["IsLatest"] for marker in page["DeleteMarkers"]] == [True]
