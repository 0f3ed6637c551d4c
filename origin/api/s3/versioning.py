"""Versioning of buckets, and the listing of versions, as S3 spells them.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html, …/API_GetBucketVersioning.html,
…/API_ListObjectVersions.html
"""

from __future__ import annotations

from origin.api.s3 import xml
from origin.api.s3.call import Answer, Call, xml_answer
from origin.api.s3.grants import owner_items
from origin.api.s3.listing import MAX_KEYS, Spell, common_prefixes, entry_items, speller
from origin.service.model import ObjectInfo
from origin.service.version_ids import NULL, Versioning
from wire.dates import iso8601
from wire.refusals import Refusal

MAX_CONFIGURATION = 64 * 1024

# A bucket that was never versioned has no Status.
_STATUS = {Versioning.NEVER: None, Versioning.ENABLED: "Enabled", Versioning.SUSPENDED: "Suspended"}
_STATES = {status: state for state, status in _STATUS.items() if status is not None}


async def get_bucket_versioning(call: Call) -> Answer:
    """GetBucketVersioning."""
    state = await call.service.versions.state(call.caller, call.bucket)
    return xml_answer("VersioningConfiguration", [("Status", _STATUS[state])])


async def put_bucket_versioning(call: Call) -> Answer:
    """PutBucketVersioning. There are no MFA devices, so MFA delete cannot be switched on."""
    root = xml.parse(await call.body.read(MAX_CONFIGURATION), "VersioningConfiguration")
    if (root.value("MfaDelete") or root.value("MFADelete")) == "Enabled":
        raise Refusal("AccessDenied", "Mfa Authentication must be used for this request")
    status = root.value("Status")
    if status is None:
        raise Refusal("IllegalVersioningConfigurationException", "The Versioning element must be specified")
    if status not in _STATES:
        raise xml.malformed()
    await call.service.versions.set_state(call.caller, call.bucket, _STATES[status])
    return Answer()


async def list_object_versions(call: Call) -> Answer:
    """ListObjectVersions: versions and delete markers, by key and the newest of a key first."""
    encoding, spell = speller(call)
    prefix, delimiter, key_marker = (call.query.get(name, "") for name in ("prefix", "delimiter", "key-marker"))
    version_marker = call.query.get("version-id-marker")
    if version_marker is not None and not key_marker:
        raise Refusal(
            "InvalidArgument", "A version-id marker cannot be specified without a key marker.",
            ArgumentName="version-id-marker", ArgumentValue=version_marker,
        )  # fmt: skip
    if version_marker == "":
        raise Refusal(
            "InvalidArgument", "A version-id marker cannot be empty.", ArgumentName="version-id-marker",
            ArgumentValue="",
        )  # fmt: skip
    limit = min(call.integer("max-keys", MAX_KEYS), MAX_KEYS)
    page = await call.service.listing.versions(
        call.caller, call.bucket, prefix=prefix, delimiter=delimiter, key_marker=key_marker,
        version_marker=version_marker, max_keys=limit,
    )  # fmt: skip
    listed: list[xml.Item] = [_entry(info, spell) for info in page.versions]
    return xml_answer(
        "ListVersionsResult",
        [
            ("Name", call.bucket),
            ("Prefix", spell(prefix)),
            ("KeyMarker", spell(key_marker)),
            ("VersionIdMarker", version_marker or ""),
            ("NextKeyMarker", None if page.next_key_marker is None else spell(page.next_key_marker)),
            ("NextVersionIdMarker", page.next_version_marker),
            ("MaxKeys", limit),
            ("Delimiter", spell(delimiter) or None),
            ("IsTruncated", page.truncated),
            *listed,
            *common_prefixes(page.prefixes, spell),
            ("EncodingType", encoding),
        ],
    )


def _entry(info: ObjectInfo, spell: Spell) -> xml.Item:
    which: list[xml.Item] = [
        ("Key", spell(info.key)),
        ("VersionId", info.version_id or NULL),
        ("IsLatest", info.latest),
    ]
    if info.delete_marker:
        owner = ("Owner", owner_items(info.owner))
        return "DeleteMarker", [*which, ("LastModified", iso8601(info.last_modified)), owner]
    return "Version", [*which, *entry_items(info, owner=True)]
