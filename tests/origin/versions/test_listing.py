"""Promises of ListObjectVersions: AWS's order, pages that fit together, every parameter."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.origin.api.conftest import Origin
from tests.origin.versions.support import put

Entry = tuple[str, str]


def entries_of(document: bytes) -> list[Entry]:
    """Keys and version ids, versions and markers together, in the order of the document."""
    found = re.findall(r"<(?:Version|DeleteMarker)><Key>(.*?)</Key><VersionId>(.*?)</VersionId>", document.decode())
    return [(key, version) for key, version in found]


def fill(s3: Any, bucket: str) -> list[Entry]:
    """Versions and markers of some keys; returns them in the order they must be listed in."""
    made: dict[str, list[Entry]] = {}
    for _ in range(2):
        for key in ("a", "d/1", "d/2", "e e", "z"):
            made.setdefault(key, []).insert(0, (key, str(put(s3, bucket, key))))
    for key in ("a", "d/1"):
        made[key].insert(0, (key, s3.delete_object(Bucket=bucket, Key=key)["VersionId"]))
    return [entry for key in sorted(made) for entry in made[key]]


def test_versions_and_markers_are_listed_by_key_and_the_newest_first(origin: Origin, s3: Any, versioned: str) -> None:
    expected = fill(s3, versioned)
    assert entries_of(origin.ask("GET", f"/{versioned}?versions").body) == expected


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_pages_together_are_the_whole_listing(s3: Any, versioned: str, size: int) -> None:
    expected = fill(s3, versioned)
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=versioned, PaginationConfig={"PageSize": size})
    listed: list[Entry] = []
    for page in pages:
        kinds = page.get("Versions", []) + page.get("DeleteMarkers", [])
        assert len(kinds) <= size
        listed += [(entry["Key"], entry["VersionId"]) for entry in kinds]
    assert sorted(listed) == sorted(expected)
    assert len(set(listed)) == len(expected)


def test_a_page_begins_behind_the_version_that_is_marked(origin: Origin, s3: Any, versioned: str) -> None:
    expected = fill(s3, versioned)
    for place, (key, version) in enumerate(expected, start=1):
        query = f"versions&key-marker={key.replace(' ', '%20')}&version-id-marker={version}"
        assert entries_of(origin.ask("GET", f"/{versioned}?{query}").body) == expected[place:]
    behind = [entry for entry in expected if entry[0] > "d/1"]
    assert entries_of(origin.ask("GET", f"/{versioned}?versions&key-marker=d/1").body) == behind


def test_a_page_goes_on_behind_a_version_that_was_removed_meanwhile(origin: Origin, s3: Any, versioned: str) -> None:
    expected = fill(s3, versioned)
    for key, version in expected[:4]:
        s3.delete_object(Bucket=versioned, Key=key, VersionId=version)
    key, version = expected[3]
    query = f"versions&key-marker={key}&version-id-marker={version}"
    assert entries_of(origin.ask("GET", f"/{versioned}?{query}").body) == expected[4:]


def test_no_version_is_overlooked_where_the_marked_null_version_is_gone(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old = put(s3, bucket, "k")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    put(s3, bucket, "k")
    page = s3.list_object_versions(Bucket=bucket, MaxKeys=1)
    assert (page["NextKeyMarker"], page["NextVersionIdMarker"]) == ("k", "null")
    s3.delete_object(Bucket=bucket, Key="k", VersionId="null")
    rest = s3.list_object_versions(Bucket=bucket, KeyMarker="k", VersionIdMarker="null")
    assert [entry["VersionId"] for entry in rest["Versions"]] == [old]


def test_prefix_and_delimiter_fold_versions(s3: Any, versioned: str) -> None:
    fill(s3, versioned)
    page = s3.list_object_versions(Bucket=versioned, Delimiter="/")
    assert [entry["Prefix"] for entry in page["CommonPrefixes"]] == ["d/"]
    assert {entry["Key"] for entry in page["Versions"]} == {"a", "e e", "z"}
    assert page["Delimiter"] == "/"
    page = s3.list_object_versions(Bucket=versioned, Prefix="d/")
    assert [entry["Key"] for entry in page["Versions"]] == ["d/1", "d/1", "d/2", "d/2"]
    assert (page["Prefix"], page["IsTruncated"]) == ("d/", False)
    page = s3.list_object_versions(Bucket=versioned, Delimiter="/", MaxKeys=4)
    assert (page["IsTruncated"], page["NextKeyMarker"], "NextVersionIdMarker" in page) == (True, "d/", False)
    page = s3.list_object_versions(Bucket=versioned, Delimiter="/", KeyMarker="d/")
    assert {entry["Key"] for entry in page["Versions"]} == {"e e", "z"}


def test_an_entry_says_what_its_version_is(s3: Any, versioned: str) -> None:
    put(s3, versioned, "k", b"abc", StorageClass="STANDARD_IA")
    s3.delete_object(Bucket=versioned, Key="k")
    page = s3.list_object_versions(Bucket=versioned)
    (version,), (marker,) = page["Versions"], page["DeleteMarkers"]
    assert (version["Size"], version["StorageClass"], version["IsLatest"]) == (3, "STANDARD_IA", False)
    assert version["ETag"] == '"900150983cd24fb0d6963f7d28e17f72"'
    assert version["ChecksumAlgorithm"] == ["CRC32"]
    assert marker["IsLatest"] is True
    assert version["Owner"]["ID"] == marker["Owner"]["ID"]
    assert version["LastModified"] <= marker["LastModified"]


def test_keys_are_encoded_where_asked_for(origin: Origin, s3: Any, versioned: str) -> None:
    put(s3, versioned, "e e/+")
    page = origin.ask("GET", f"/{versioned}?versions&encoding-type=url&prefix=e%20e").body.decode()
    assert "<Key>e%20e/%2B</Key>" in page
    assert "<Prefix>e%20e</Prefix>" in page
    assert "<EncodingType>url</EncodingType>" in page


def test_nothing_is_listed_where_nothing_is_asked_for(s3: Any, versioned: str) -> None:
    put(s3, versioned, "k")
    page = s3.list_object_versions(Bucket=versioned, MaxKeys=0)
    assert (page["IsTruncated"], "Versions" in page) == (False, False)


@pytest.mark.parametrize(
    "query",
    [
        "version-id-marker=null",
        "key-marker=k&version-id-marker=",
        "key-marker=k&version-id-marker=junk",
        "max-keys=-1",
        "encoding-type=base64",
    ],
)
def test_a_listing_with_a_bad_value_is_refused(origin: Origin, versioned: str, query: str) -> None:
    reply = origin.ask("GET", f"/{versioned}?versions&{query}")
    assert (reply.status, reply.code) == (400, "InvalidArgument")


def test_only_who_may_list_lists_versions(origin: Origin, versioned: str) -> None:
    assert origin.ask("GET", f"/{versioned}?versions", signed=False).status == 403
