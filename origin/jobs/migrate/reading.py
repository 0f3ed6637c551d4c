"""One version at its source: what its headers, list and tags say, and where its parts end.

The rule of this file: what a header says is kept as it was said; what this origin cannot hold is left out with a note.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import Any

from msgspec.structs import replace

from origin.catalog.rows import UNLOCKED, Lock
from origin.jobs.migrate.history import Entry
from origin.jobs.migrate.source import Source, SourceError
from origin.service.acl import FULL_CONTROL, GROUPS, PERMISSIONS, Grant
from origin.service.adopting import Foreign
from origin.service.model import KEPT_HEADERS
from origin.service.parts import MOST_PARTS
from wire import checksums

META = "x-amz-meta-"
MIB = 1024 * 1024
GUESSES = (8, 5, 15, 16, 64, 100, 10, 20, 25, 32, 50, 128, 200, 256, 500, 512, 1024)
"""Part sizes in MiB that clients use unless told otherwise, the most usual ones first."""

ACCESS_TRIES = 3
"""How often a list or the tags are asked for, before the object is copied without them."""

_PARTS = re.compile(r"[0-9a-f]{32}-([0-9]{1,5})")
_MD5 = re.compile(r"[0-9a-f]{32}")
_ENCODED = re.compile(r"=\?[\w-]+\?[bBqQ]\?[^?]*\?=")

Note = Callable[[str], None]
Owners = Callable[[str], str | None]
"""The id here of an owner's id there; None for an owner whom nobody knows here."""


class Seen:
    """What was read of a version: `foreign` is all but its bytes."""

    def __init__(self, foreign: Foreign, head: dict[str, Any]) -> None:
        self.foreign = foreign
        encryption = head.get("ServerSideEncryption", "AES256")
        self.plain_md5 = encryption == "AES256" and "SSECustomerAlgorithm" not in head
        """Whether the ETag of a body that was not uploaded in parts is its MD5."""
        self.checksums: dict[str, str] = {
            name: head[f"Checksum{name}"] for name in checksums.ALGORITHMS if head.get(f"Checksum{name}")
        }
        self.checksum_type: str | None = head.get("ChecksumType")

    @property
    def parts(self) -> int | None:
        """How many parts the ETag speaks of; None for an object that was not uploaded in parts."""
        found = _PARTS.fullmatch(self.foreign.etag)
        return int(found[1]) if found and 1 <= int(found[1]) <= MOST_PARTS else None

    @property
    def md5(self) -> bytes | None:
        """The MD5 of the bytes, where the ETag is that."""
        whole = self.plain_md5 and _MD5.fullmatch(self.foreign.etag) is not None
        return bytes.fromhex(self.foreign.etag) if whole else None

    @property
    def whole_checksums(self) -> dict[str, str]:
        """The checksums that are those of the bytes from first to last."""
        return {} if self.checksum_type == "COMPOSITE" else {k: v for k, v in self.checksums.items() if "-" not in v}


def version_of(entry: Entry, versioned: bool) -> dict[str, str]:
    """The arguments that name a version to the source."""
    return {"VersionId": entry.version_id or "null"} if versioned else {}


async def look(source: Source, entry: Entry, versioned: bool, owners: Owners, bucket_owner: str, note: Note) -> Seen:
    """All of a version but its bytes. Raises SourceError."""
    version = version_of(entry, versioned)
    head = await source.call("head_object", Key=entry.key, ChecksumMode="ENABLED", **version)
    raw: dict[str, str] = head["ResponseMetadata"]["HTTPHeaders"]
    modified: datetime = head["LastModified"]
    date = entry.modified if int(entry.modified) == int(modified.timestamp()) else modified.timestamp()
    headers = {name: _text(raw[name]) for name in KEPT_HEADERS if raw.get(name) and "encryption" not in name}
    codings = [coding.strip() for coding in headers.pop("content-encoding", "").split(",")]
    if coding := ",".join(coding for coding in codings if coding and coding.lower() != "aws-chunked"):
        headers["content-encoding"] = coding
    foreign = Foreign(
        key=entry.key,
        version_id=entry.version_id,
        created=date,
        owner=bucket_owner,
        etag=head["ETag"].strip('"'),
        size=head["ContentLength"],
        content_type=_text(raw.get("content-type", "")) or "binary/octet-stream",
        headers=headers,
        metadata={name.removeprefix(META): _decoded(_text(raw[name])) for name in raw if name.startswith(META)},
        storage_class=raw.get("x-amz-storage-class") or entry.storage_class,
        lock=_lock(head),
    )
    return Seen(await with_access(source, foreign, entry, version, owners, bucket_owner, note), head)


async def with_access(
    source: Source, foreign: Foreign, entry: Entry, version: dict[str, str], owners: Owners, bucket_owner: str,
    note: Note,
) -> Foreign:  # fmt: skip
    """The version with the owner, list and tags it has now. Raises SourceError."""
    tags = await _if_given(source, "get_object_tagging", entry.key, version, note, "tags could not be read")
    acl = await _if_given(
        source, "get_object_acl", entry.key, version, note, "the ACL could not be read: what is new here is private"
    )
    there = entry.owner if acl is None else acl.get("Owner", {}).get("ID", entry.owner)
    owner = owners(there) if there else None
    if owner is None and there:
        note(f"owner {there} is not known here: the bucket's owner takes its place")
    owner = owner or bucket_owner
    return replace(
        foreign,
        owner=owner,
        grants=None if acl is None else _grants(acl, there, owner, owners, note),
        tags=None if tags is None else {one["Key"]: one["Value"] for one in tags.get("TagSet", [])},
    )


async def _if_given(
    source: Source, operation: str, key: str, version: dict[str, str], note: Note, else_: str
) -> dict[str, Any] | None:
    """What the source says of access; None, with a note, where it does not say. The object is not lost for that."""
    try:
        answer = await source.call_if_offered(operation, tries=ACCESS_TRIES, Key=key, **dict[str, Any](version))
    except SourceError as error:
        if error.code not in ("AccessDenied", "403", "InternalError", "500"):
            raise
        answer = None
    if answer is None:
        note(else_)
    return answer


def _grants(acl: dict[str, Any], there: str, owner: str, owners: Owners, note: Note) -> tuple[Grant, ...]:
    """The grants of a list, to owners here; its owner's own full control always stands."""
    found = [Grant(owner, FULL_CONTROL)]
    for one in acl.get("Grants", []):
        grantee, permission = one.get("Grantee", {}), one.get("Permission", "")
        name = grantee.get("URI") or grantee.get("ID") or grantee.get("EmailAddress") or grantee.get("DisplayName", "")
        to = name if name in GROUPS else owner if name == there else owners(name)
        if to is None or permission not in PERMISSIONS:
            note(f"a grant of {permission} to {name or 'nobody'} is left out: nobody here has that id")
        else:
            found.append(Grant(to, permission))
    return tuple(dict.fromkeys(found))


def _lock(head: dict[str, Any]) -> Lock:
    until: datetime | None = head.get("ObjectLockRetainUntilDate")
    mode, hold = head.get("ObjectLockMode"), head.get("ObjectLockLegalHoldStatus")
    if mode is None and hold is None:
        return UNLOCKED
    return Lock(
        mode=mode if until else None, until=until.timestamp() if until and mode else None,
        hold=None if hold is None else hold == "ON",
    )  # fmt: skip


async def layouts(source: Source, entry: Entry, versioned: bool, size: int, parts: int) -> list[list[int]]:
    """Sizes of the parts that an object may be made of, the likeliest first; told twice where the source tells.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html, partNumber; API_GetObjectAttributes.html.
    """
    told = await _told(source, entry, versioned, size, parts)
    if told is not None:
        return [told, told]
    fits = [mib * MIB for mib in GUESSES if -(-size // (mib * MIB)) == parts]
    even = -(-size // parts)
    rounded = -(-even // MIB) * MIB
    candidates = dict.fromkeys([*fits, rounded, even])
    good = [one for one in candidates if one and -(-size // one) == parts]
    return [[one] * (parts - 1) + [size - one * (parts - 1)] for one in good[:3]] or [[size]]


async def _told(source: Source, entry: Entry, versioned: bool, size: int, parts: int) -> list[int] | None:
    version: dict[str, Any] = {**version_of(entry, versioned)}

    async def of(number: int) -> int | None:
        try:
            head = await source.call("head_object", Key=entry.key, PartNumber=number, **version)
        except SourceError as error:
            if error.passing:
                raise
            return None
        return head["ContentLength"] if head.get("PartsCount") == parts else None

    first = await of(1)
    if first is not None:
        last = first if parts == 1 else await of(parts)
        if last is not None and first * (parts - 1) + last == size:
            return [first] * (parts - 1) + [last]
        sizes = [await of(number) for number in range(1, parts + 1)]
        found = [one for one in sizes if one is not None]
        return found if len(found) == parts and sum(found) == size else None
    try:
        answer = await source.call_if_offered(
            "get_object_attributes", Key=entry.key, ObjectAttributes=["ObjectParts"], MaxParts=MOST_PARTS, **version
        )
    except SourceError:
        return None
    listed = (answer or {}).get("ObjectParts", {}).get("Parts", [])
    found = [one["Size"] for one in sorted(listed, key=lambda one: one["PartNumber"])]
    return found if len(found) == parts and sum(found) == size else None


def _text(value: str) -> str:
    """A header's value as text: http.client reads Latin-1, most services mean UTF-8."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value


def _decoded(value: str) -> str:
    """Metadata beyond ASCII, which services send as encoded words (RFC 2047)."""
    if _ENCODED.search(value) is None:
        return value
    try:
        return str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, UnicodeError):
        return value
