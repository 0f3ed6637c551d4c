"""`facet migrate`, as people type it: what comes across, what a second run does, and what is said of failures."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen
from uuid import uuid4

import pytest

from tests.origin.api.conftest import ACCESS, SECRET, Origin
from tests.origin.migrate.conftest import WRONG, From, NewSource, body, client, migrate, upload

KEYS = ("plain", "a/b/c.txt", "ü +%41?#&=.jpg", "a//b/../c", "日本語/🦊", "trailing/", "quote\"'<>", "tilde~ space ")
MIB = 1024 * 1024


@pytest.fixture
def bucket() -> str:
    return f"t-{uuid4().hex[:12]}"


def histories(s3: Any, name: str) -> list[tuple[Any, ...]]:
    """Versions and markers with all that a listing says of them, but for ids and owners."""
    answer = s3.list_object_versions(Bucket=name)
    rows = [
        (one["Key"], one["LastModified"], one["IsLatest"], one.get("ETag"), one.get("Size"), one["VersionId"] == "null")
        for one in (*answer.get("Versions", ()), *answer.get("DeleteMarkers", ()))
    ]
    return sorted(rows, key=lambda row: (row[0], row[1], row[2]))


def test_objects_arrive_with_all_that_is_said_of_them(source: From, target: Origin, bucket: str) -> None:
    there, here = source.s3, client(target.url)
    for number, key in enumerate(KEYS):
        there.put_object(
            Bucket=source.bucket, Key=key, Body=os.urandom(10 + number), ContentType="text/x-odd; charset=utf-8",
            CacheControl="public, max-age=9", ContentDisposition='attachment; filename="a.txt"',
            ContentEncoding="br", ContentLanguage="de", Expires="Wed, 21 Oct 2015 07:28:00 GMT",
            Metadata={"number": str(number), "odd-name": "a, b"}, StorageClass="STANDARD_IA",
            Tagging="a=1&b=x%20y", ACL="public-read" if number % 2 else "private",
        )  # fmt: skip
    there.put_object(Bucket=source.bucket, Key="empty", Body=b"")
    done = migrate(target.data, source, bucket, "--verify")
    assert (done["copied"], done["failed"], done["verified"]) == (len(KEYS) + 1, 0, len(KEYS) + 1)
    for key in (*KEYS, "empty"):
        old, new = there.head_object(Bucket=source.bucket, Key=key), here.head_object(Bucket=bucket, Key=key)
        for name in (
            "ETag", "LastModified", "ContentLength", "ContentType", "CacheControl", "ContentDisposition",
            "ContentEncoding", "ContentLanguage", "ExpiresString", "Metadata", "StorageClass",
        ):  # fmt: skip
            assert old.get(name) == new.get(name), (key, name)
        assert body(there, source.bucket, key) == body(here, bucket, key)
        tags = [
            s3.get_object_tagging(Bucket=b, Key=key)["TagSet"] for s3, b in ((there, source.bucket), (here, bucket))
        ]
        assert tags[0] == tags[1]
        grants = here.get_object_acl(Bucket=bucket, Key=key)["Grants"]
        assert len(grants) == (2 if key in KEYS[1::2] else 1), key
    assert urlopen(f"{target.url}/{bucket}/a/b/c.txt").status == 200
    again = migrate(target.data, source, bucket)
    assert (again["copied"], again["unchanged"], again["refreshed"]) == (0, len(KEYS) + 1, 0)


def test_versions_markers_and_null_versions_keep_order_and_dates(source: From, target: Origin, bucket: str) -> None:
    there, here = source.s3, client(target.url)
    there.put_object(Bucket=source.bucket, Key="k", Body=b"before versioning")
    there.put_bucket_versioning(Bucket=source.bucket, VersioningConfiguration={"Status": "Enabled"})
    for text in (b"one", b"two"):
        there.put_object(Bucket=source.bucket, Key="k", Body=text)
    there.delete_object(Bucket=source.bucket, Key="k")
    there.put_object(Bucket=source.bucket, Key="gone", Body=b"x")
    there.delete_object(Bucket=source.bucket, Key="gone")
    done = migrate(target.data, source, bucket, "--verify")
    assert (done["copied"], done["markers"], done["failed"]) == (4, 2, 0)
    assert histories(here, bucket) == histories(there, source.bucket)
    assert here.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    listed = here.list_object_versions(Bucket=bucket, Prefix="k")["Versions"]
    assert [body(here, bucket, "k", VersionId=one["VersionId"]) for one in listed] == [
        b"two", b"one", b"before versioning",
    ]  # fmt: skip
    there.put_object(Bucket=source.bucket, Key="k", Body=b"three")
    again = migrate(target.data, source, bucket)
    assert (again["copied"], again["markers"], again["unchanged"]) == (1, 0, 6)
    assert histories(here, bucket) == histories(there, source.bucket)


def test_multipart_etags_and_parts_are_kept(source: From, target: Origin, bucket: str) -> None:
    there, here = source.s3, client(target.url)
    made = {
        "even": [os.urandom(5 * MIB), os.urandom(5 * MIB), os.urandom(1234)],
        "uneven": [os.urandom(5 * MIB), os.urandom(6 * MIB), os.urandom(5 * MIB + 1), b"z"],
        "one": [b"a single small part"],
    }
    for key, parts in made.items():
        upload(there, source.bucket, key, parts, ACL="public-read", Metadata={"x": "y"})
    done = migrate(target.data, source, bucket, "--verify")
    assert (done["copied"], done["verified"], done["failed"]) == (3, 3, 0)
    assert not [note for note in done["notes"] if "ETag" in note]
    for key, parts in made.items():
        old, new = there.head_object(Bucket=source.bucket, Key=key), here.head_object(Bucket=bucket, Key=key)
        assert (old["ETag"], old["Metadata"]) == (new["ETag"], new["Metadata"])
        assert body(here, bucket, key) == b"".join(parts)
        second = here.get_object(Bucket=bucket, Key=key, PartNumber=len(parts))
        assert (second["Body"].read(), second["PartsCount"]) == (parts[-1], len(parts))
    assert "Uploads" not in here.list_multipart_uploads(Bucket=bucket)


def test_metadata_beyond_ascii_arrives(facet: NewSource, target: Origin, bucket: str) -> None:
    source, here = facet(), client(target.url)
    word = "=?UTF-8?B?R3LDvMOfZSDimIM=?="  # Grüße ☃, as AWS sends it
    source.s3.put_object(Bucket=source.bucket, Key="k", Metadata={"name": word, "plain": "=?x"})
    migrate(target.data, source, bucket)
    assert here.head_object(Bucket=bucket, Key="k")["Metadata"] == {"name": word, "plain": "=?x"}


def test_a_later_run_brings_what_changed_and_only_that(moto: NewSource, target: Origin, bucket: str) -> None:
    source, here = moto(), client(target.url)
    there = source.s3
    for key in ("same", "changed", "acl", "tags", "gone"):
        there.put_object(Bucket=source.bucket, Key=key, Body=b"1", ACL="private")
    migrate(target.data, source, bucket)
    there.put_object(Bucket=source.bucket, Key="changed", Body=b"22", ACL="private")
    there.put_object_acl(Bucket=source.bucket, Key="acl", ACL="public-read")
    there.put_object_tagging(Bucket=source.bucket, Key="tags", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    there.delete_object(Bucket=source.bucket, Key="gone")
    here.put_object(Bucket=bucket, Key="mine", Body=b"written here")
    dry = migrate(target.data, source, bucket, "--dry-run", "--delete")
    assert (dry["copied"], dry["copied_bytes"], dry["removed"]) == (1, 2, 2)
    quick = migrate(target.data, source, bucket, "--quick")
    assert (quick["copied"], quick["refreshed"], quick["unchanged"]) == (1, 0, 3)
    done = migrate(target.data, source, bucket)
    assert (done["copied"], done["refreshed"], done["unchanged"], done["removed"]) == (0, 2, 2, 0)
    assert body(here, bucket, "changed") == b"22"
    assert urlopen(f"{target.url}/{bucket}/acl").status == 200
    assert here.get_object_tagging(Bucket=bucket, Key="tags")["TagSet"] == [{"Key": "a", "Value": "b"}]
    assert migrate(target.data, source, bucket, "--delete")["removed"] == 2
    assert {one["Key"] for one in here.list_objects_v2(Bucket=bucket)["Contents"]} == {"same", "changed", "acl", "tags"}


def test_what_was_written_here_later_is_not_covered(moto: NewSource, target: Origin, bucket: str) -> None:
    source, here = moto(), client(target.url)
    source.s3.put_object(Bucket=source.bucket, Key="k", Body=b"old")
    migrate(target.data, source, bucket)
    modified = source.s3.head_object(Bucket=source.bucket, Key="k")["LastModified"].timestamp()
    while True:
        here.put_object(Bucket=bucket, Key="k", Body=b"new")
        if here.head_object(Bucket=bucket, Key="k")["LastModified"].timestamp() > modified + 1:
            break
    done = migrate(target.data, source, bucket)
    assert (done["newer"], done["copied"]) == (1, 0)
    assert body(here, bucket, "k") == b"new"


def test_a_stopped_origin_takes_a_bucket_as_well(moto: NewSource, tmp_path: Path) -> None:
    source, data = moto(), tmp_path / "data"
    source.s3.put_object(Bucket=source.bucket, Key="k", Body=b"body")
    assert migrate(data, source, "offline", "--verify")["verified"] == 1
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"access_key": ACCESS, "secret_key": SECRET}))
    empty = {"SOURCE_ACCESS_KEY": "", "SOURCE_SECRET_KEY": ""}
    assert migrate(data, source, "offline", "--key-file", str(keys), **empty)["unchanged"] == 1


def test_errors_name_what_to_mend(facet: NewSource, target: Origin, bucket: str) -> None:
    source = facet()
    said = migrate(target.data, source, bucket, code=2, **WRONG)
    assert "SignatureDoesNotMatch" in said
    assert "SOURCE_SECRET_KEY" in said
    assert "another-secret" not in said
    assert "no source key was given" in migrate(
        target.data, source, bucket, code=2, SOURCE_ACCESS_KEY="", SOURCE_SECRET_KEY=""
    )
    assert "set both" in migrate(target.data, source, bucket, code=2, SOURCE_SECRET_KEY="")
    assert "there is no bucket nothing-here" in migrate(target.data, From(source.url, "nothing-here"), bucket, code=2)
    nowhere = From("http://127.0.0.1:9", "b")
    assert "http://127.0.0.1:9 (--from) cannot be reached" in migrate(target.data, nowhere, bucket, code=2)
    assert "--owner" in migrate(target.data, source, bucket, "--owner", "nobody", code=2)
    with pytest.raises(client(target.url).exceptions.ClientError):
        client(target.url).head_bucket(Bucket=bucket)


def test_settings_come_along_where_they_are_asked_for(source: From, target: Origin, bucket: str) -> None:
    there, here = source.s3, client(target.url)
    cors = [{"AllowedMethods": ["GET"], "AllowedOrigins": ["https://example.com"], "MaxAgeSeconds": 60}]
    there.put_bucket_cors(Bucket=source.bucket, CORSConfiguration={"CORSRules": cors})
    there.put_bucket_tagging(Bucket=source.bucket, Tagging={"TagSet": [{"Key": "team", "Value": "media"}]})
    rule = {
        "ID": "old", "Status": "Enabled", "Filter": {"Prefix": "tmp/"},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 3},
    }  # fmt: skip
    there.put_bucket_lifecycle_configuration(Bucket=source.bucket, LifecycleConfiguration={"Rules": [rule]})
    allow = {
        "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{source.bucket}/*",
    }  # fmt: skip
    policy = {"Version": "2012-10-17", "Statement": [allow]}
    there.put_bucket_policy(Bucket=source.bucket, Policy=json.dumps(policy))
    there.put_object(Bucket=source.bucket, Key="k", Body=b"x")
    done = migrate(target.data, source, bucket, "--settings")
    assert set(done["settings"]) >= {"cors", "tags", "lifecycle", "policy"}
    assert here.get_bucket_cors(Bucket=bucket)["CORSRules"] == cors
    assert here.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "team", "Value": "media"}]
    (kept,) = here.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert kept == rule
    assert f"arn:aws:s3:::{bucket}/*" in here.get_bucket_policy(Bucket=bucket)["Policy"]
    assert urlopen(f"{target.url}/{bucket}/k").status == 200


def test_owners_are_mapped_and_strangers_are_counted(moto: NewSource, target: Origin, bucket: str) -> None:
    source, here = moto(), client(target.url)
    there = source.s3
    there.put_object(Bucket=source.bucket, Key="k", Body=b"x", GrantRead='id="0123stranger"')
    owner = there.get_object_acl(Bucket=source.bucket, Key="k")["Owner"]["ID"]
    done = migrate(target.data, source, bucket)
    assert any("a grant of READ to 0123stranger is left out" in note for note in done["notes"])
    assert any("is not known here: the bucket's owner takes its place" in note for note in done["notes"])
    assert Path(done["details"]).read_text().count('"outcome":"note"') == sum(done["notes"].values())
    root = here.list_buckets()["Owner"]["ID"]
    assert [grant["Grantee"]["ID"] for grant in here.get_object_acl(Bucket=bucket, Key="k")["Grants"]] == [root]
    mapped = migrate(target.data, source, f"{bucket}-2", "--owner-map", "0123stranger=edge")
    assert not [note for note in mapped["notes"] if "left out" in note]
    assert len(here.get_object_acl(Bucket=f"{bucket}-2", Key="k")["Grants"]) == 2
    ours = [f"{owner}=root", "0123stranger=edge"]
    quiet = migrate(target.data, source, f"{bucket}-3", *(word for one in ours for word in ("--owner-map", one)))
    assert (quiet["notes"], quiet["details"]) == ({}, None)


def test_locks_are_kept_where_the_bucket_here_has_them(facet: NewSource, target: Origin, bucket: str) -> None:
    source, here = facet(), client(target.url)
    there, locked = source.s3, f"{source.bucket}-l"
    there.create_bucket(Bucket=locked, ObjectLockEnabledForBucket=True)
    until = datetime(2040, 1, 1, tzinfo=UTC)
    there.put_object(
        Bucket=locked, Key="k", Body=b"x", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until,
        ObjectLockLegalHoldStatus="ON",
    )  # fmt: skip
    here.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    assert migrate(target.data, From(source.url, locked), bucket)["copied"] == 1
    head = here.head_object(Bucket=bucket, Key="k")
    assert (head["ObjectLockMode"], head["ObjectLockRetainUntilDate"], head["ObjectLockLegalHoldStatus"]) == (
        "GOVERNANCE", until, "ON",
    )  # fmt: skip
