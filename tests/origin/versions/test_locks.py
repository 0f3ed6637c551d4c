"""Promises of object lock over S3: configurations, retentions, legal holds, and what they refuse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.origin.api.conftest import Origin
from tests.origin.versions.support import body_of, put, refused

SOON = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
LATER = SOON + timedelta(hours=1)
DENIED = ("AccessDenied", 403)


def retention(mode: str, until: datetime = SOON) -> dict[str, Any]:
    return {"Mode": mode, "RetainUntilDate": until}


def default(**period: int) -> dict[str, Any]:
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", **period}}
    return {"ObjectLockEnabled": "Enabled", "Rule": rule}


@pytest.fixture
def held(s3: Any, locked: str) -> dict[str, str]:
    """A version of key k in a bucket with object lock."""
    return {"Bucket": locked, "Key": "k", "VersionId": str(put(s3, locked, "k", b"held"))}


def test_a_bucket_made_with_lock_is_versioned_for_good(s3: Any, locked: str) -> None:
    assert s3.get_bucket_versioning(Bucket=locked)["Status"] == "Enabled"
    configuration = s3.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"]
    assert configuration == {"ObjectLockEnabled": "Enabled"}
    suspended = {"Bucket": locked, "VersioningConfiguration": {"Status": "Suspended"}}
    assert refused(s3.put_bucket_versioning, **suspended) == ("InvalidBucketState", 409)


def test_a_versioned_bucket_can_be_given_lock_and_another_cannot(s3: Any, bucket: str) -> None:
    asked = {"Bucket": bucket, "ObjectLockConfiguration": default(Days=1)}
    missing = ("ObjectLockConfigurationNotFoundError", 404)
    assert refused(s3.get_object_lock_configuration, Bucket=bucket) == missing
    assert refused(s3.put_object_lock_configuration, **asked) == ("InvalidBucketState", 409)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object_lock_configuration(**asked)
    assert s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"] == default(Days=1)


@pytest.mark.parametrize(
    ("configuration", "code"),
    [
        ({"ObjectLockEnabled": "Disabled"}, "MalformedXML"),
        (
            {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "governance", "Days": 1}}},
            "MalformedXML",
        ),
        (default(), "MalformedXML"),
        (default(Days=1, Years=1), "MalformedXML"),
        (default(Days=0), "InvalidArgument"),
        (default(Years=-1), "InvalidArgument"),
        (default(Days=36501), "InvalidArgument"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(
    s3: Any, locked: str, configuration: dict[str, Any], code: str
) -> None:
    asked = {"Bucket": locked, "ObjectLockConfiguration": configuration}
    assert refused(s3.put_object_lock_configuration, **asked) == (code, 400)
    kept = s3.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"]
    assert kept == {"ObjectLockEnabled": "Enabled"}


@pytest.mark.parametrize(("period", "days"), [({"Days": 3}, 3), ({"Years": 2}, 730)])
def test_new_objects_get_the_default_retention(s3: Any, locked: str, period: dict[str, int], days: int) -> None:
    s3.put_object_lock_configuration(Bucket=locked, ObjectLockConfiguration=default(**period))
    put(s3, locked, "k")
    head = s3.head_object(Bucket=locked, Key="k")
    assert head["ObjectLockMode"] == "GOVERNANCE"
    assert abs(head["ObjectLockRetainUntilDate"] - head["LastModified"] - timedelta(days=days)) < timedelta(seconds=2)
    put(s3, locked, "own", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=SOON)
    assert s3.head_object(Bucket=locked, Key="own")["ObjectLockMode"] == "COMPLIANCE"


def test_a_locked_write_must_bring_a_digest(origin: Origin, s3: Any, locked: str) -> None:
    s3.put_object_lock_configuration(Bucket=locked, ObjectLockConfiguration=default(Days=1))
    reply = origin.ask("PUT", f"/{locked}/k", body=b"x")
    assert (reply.status, reply.code) == (400, "InvalidRequest")
    assert "Content-MD5" in reply.body.decode()


@pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE"])
def test_a_retained_version_cannot_be_removed(s3: Any, held: dict[str, str], mode: str) -> None:
    s3.put_object_retention(**held, Retention=retention(mode))
    shown = s3.get_object_retention(**held)["Retention"]
    assert shown == retention(mode)
    assert refused(s3.delete_object, **held) == DENIED
    objects = [{"Key": "k", "VersionId": held["VersionId"]}, {"Key": "other"}]
    done = s3.delete_objects(Bucket=held["Bucket"], Delete={"Objects": objects})
    assert [error["Code"] for error in done["Errors"]] == ["AccessDenied"]
    assert [entry["Key"] for entry in done["Deleted"]] == ["other"]
    assert body_of(s3, held["Bucket"], "k", held["VersionId"]) == b"held"


def test_a_locked_key_can_be_hidden_and_written_anew(s3: Any, held: dict[str, str]) -> None:
    s3.put_object_retention(**held, Retention=retention("COMPLIANCE"))
    bucket = held["Bucket"]
    assert s3.delete_object(Bucket=bucket, Key="k")["DeleteMarker"] is True
    put(s3, bucket, "k", b"new")
    assert body_of(s3, bucket, "k") == b"new"
    assert body_of(s3, bucket, "k", held["VersionId"]) == b"held"


def test_governance_yields_to_who_asks_and_compliance_to_nobody(s3: Any, held: dict[str, str]) -> None:
    s3.put_object_retention(**held, Retention=retention("COMPLIANCE"))
    assert refused(s3.delete_object, **held, BypassGovernanceRetention=True) == DENIED
    bucket = held["Bucket"]
    version = put(s3, bucket, "g", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=SOON)
    which = {"Bucket": bucket, "Key": "g", "VersionId": version}
    assert refused(s3.delete_object, **which) == DENIED
    s3.delete_object(**which, BypassGovernanceRetention=True)
    version = put(s3, bucket, "g", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=SOON)
    objects = {"Objects": [{"Key": "g", "VersionId": version}]}
    assert "Errors" not in s3.delete_objects(Bucket=bucket, Delete=objects, BypassGovernanceRetention=True)


@pytest.mark.parametrize(
    ("old", "new", "plain", "bypassed"),
    [
        (retention("GOVERNANCE"), retention("GOVERNANCE", LATER), True, True),
        (retention("GOVERNANCE", LATER), retention("GOVERNANCE"), False, True),
        (retention("GOVERNANCE"), retention("COMPLIANCE"), False, True),
        (retention("GOVERNANCE"), {}, False, True),
        (retention("COMPLIANCE"), retention("COMPLIANCE", LATER), True, True),
        (retention("COMPLIANCE", LATER), retention("COMPLIANCE"), False, False),
        (retention("COMPLIANCE"), retention("GOVERNANCE", LATER), False, False),
        (retention("COMPLIANCE"), {}, False, False),
    ],
)
@pytest.mark.parametrize("bypass", [False, True])
def test_a_retention_only_grows_unless_governance_is_bypassed(
    s3: Any, held: dict[str, str], old: dict[str, Any], new: dict[str, Any], plain: bool, bypassed: bool, bypass: bool
) -> None:
    s3.put_object_retention(**held, Retention=old)
    change = {**held, "Retention": new, "BypassGovernanceRetention": bypass}
    allowed = bypassed if bypass else plain
    if allowed:
        s3.put_object_retention(**change)
    else:
        assert refused(s3.put_object_retention, **change) == DENIED
    kept = new if allowed else old
    if kept:
        assert s3.get_object_retention(**held)["Retention"] == kept
    else:
        assert refused(s3.get_object_retention, **held) == ("NoSuchObjectLockConfiguration", 404)


def test_a_legal_hold_yields_to_nobody(s3: Any, held: dict[str, str]) -> None:
    assert refused(s3.get_object_legal_hold, **held) == ("NoSuchObjectLockConfiguration", 404)
    for status in ("ON", "OFF"):
        s3.put_object_legal_hold(**held, LegalHold={"Status": status})
        assert s3.get_object_legal_hold(**held)["LegalHold"] == {"Status": status}
        assert s3.head_object(**held)["ObjectLockLegalHoldStatus"] == status
        if status == "ON":
            assert refused(s3.delete_object, **held, BypassGovernanceRetention=True) == DENIED
    s3.delete_object(**held)


def test_a_copy_and_an_upload_bring_their_own_lock(s3: Any, held: dict[str, str]) -> None:
    bucket = held["Bucket"]
    s3.put_object_retention(**held, Retention=retention("COMPLIANCE"))
    source = {"Bucket": bucket, "Key": "k"}
    s3.copy_object(Bucket=bucket, Key="free", CopySource=source)
    assert "ObjectLockMode" not in s3.head_object(Bucket=bucket, Key="free")
    lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": SOON, "ObjectLockLegalHoldStatus": "ON"}
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=source, **lock)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts", **lock)["UploadId"]
    which = {"Bucket": bucket, "Key": "parts", "UploadId": upload}
    etag = s3.upload_part(**which, PartNumber=1, Body=b"part")["ETag"]
    s3.complete_multipart_upload(**which, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    for key in ("copy", "parts"):
        head = s3.head_object(Bucket=bucket, Key=key)
        assert {name: head[name] for name in lock} == lock
        version = head["VersionId"]
        assert refused(s3.delete_object, Bucket=bucket, Key=key, VersionId=version) == DENIED


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"mode": "COMPLIANCE"}, "InvalidArgument"),
        ({"retain-until-date": "2099-01-01T00:00:00Z"}, "InvalidArgument"),
        ({"mode": "governance", "retain-until-date": "2099-01-01T00:00:00Z"}, "InvalidArgument"),
        ({"mode": "GOVERNANCE", "retain-until-date": "2001-01-01T00:00:00Z"}, "InvalidArgument"),
        ({"mode": "GOVERNANCE", "retain-until-date": "tomorrow"}, "InvalidArgument"),
        ({"legal-hold": "on"}, "InvalidArgument"),
    ],
)
@pytest.mark.parametrize("how", ["put", "copy", "upload"])
def test_a_lock_that_makes_no_sense_writes_nothing(
    origin: Origin, s3: Any, locked: str, headers: dict[str, str], code: str, how: str
) -> None:
    put(s3, locked, "source")
    lines = {f"x-amz-object-lock-{name}": value for name, value in headers.items()}
    lines |= {"x-amz-copy-source": f"{locked}/source"} if how == "copy" else {}
    method, target = ("POST", "k?uploads") if how == "upload" else ("PUT", "k")
    reply = origin.ask(method, f"/{locked}/{target}", lines, b"x" if how == "put" else b"")
    assert (reply.status, reply.code) == (400, code)
    assert origin.ask("GET", f"/{locked}/k").status == 404


@pytest.mark.parametrize(
    ("subresource", "document"),
    [
        ("retention", "<Retention><Mode>governance</Mode><RetainUntilDate>{}</RetainUntilDate></Retention>"),
        ("retention", "<Retention><Mode>GOVERNANCE</Mode></Retention>"),
        ("retention", "<Retention><RetainUntilDate>{}</RetainUntilDate></Retention>"),
        ("retention", "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>soon</RetainUntilDate></Retention>"),
        ("legal-hold", "<LegalHold/>"),
        ("legal-hold", "<LegalHold><Status>on</Status></LegalHold>"),
    ],
)
def test_a_document_that_is_no_lock_is_malformed(
    origin: Origin, held: dict[str, str], subresource: str, document: str
) -> None:
    body = document.format("2099-01-01T00:00:00Z").encode()
    reply = origin.ask("PUT", f"/{held['Bucket']}/k?{subresource}", body=body)
    assert (reply.status, reply.code) == (400, "MalformedXML")


def test_a_retention_in_the_past_is_refused(s3: Any, held: dict[str, str]) -> None:
    past = retention("GOVERNANCE", SOON - timedelta(days=1))
    assert refused(s3.put_object_retention, **held, Retention=past) == ("InvalidArgument", 400)


def test_nothing_is_locked_in_a_bucket_without_lock(s3: Any, versioned: str) -> None:
    put(s3, versioned, "k")
    which = {"Bucket": versioned, "Key": "k"}
    wanted = ("InvalidRequest", 400)
    assert refused(s3.get_object_retention, **which) == wanted
    assert refused(s3.get_object_legal_hold, **which) == wanted
    assert refused(s3.put_object_retention, **which, Retention=retention("GOVERNANCE")) == wanted
    assert refused(s3.put_object_legal_hold, **which, LegalHold={"Status": "ON"}) == wanted
    assert refused(s3.put_object, **which, Body=b"x", ObjectLockLegalHoldStatus="ON") == wanted
    assert refused(s3.create_multipart_upload, **which, ObjectLockLegalHoldStatus="ON") == wanted


def test_a_marker_cannot_be_locked(s3: Any, locked: str) -> None:
    marker = s3.delete_object(Bucket=locked, Key="k")["VersionId"]
    which = {"Bucket": locked, "Key": "k", "VersionId": marker}
    answer = refused(s3.put_object_retention, **which, Retention=retention("GOVERNANCE"))
    assert answer == ("MethodNotAllowed", 405)


def test_an_anonymous_reader_sees_no_lock(origin: Origin, s3: Any, locked: str) -> None:
    put(s3, locked, "k", ACL="public-read", ObjectLockLegalHoldStatus="OFF")
    assert "x-amz-object-lock-legal-hold" not in origin.ask("GET", f"/{locked}/k", signed=False).headers
