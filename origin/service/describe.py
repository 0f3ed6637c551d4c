"""From rows to what protocols see, and the sealed digests between.

The rule of this file: ETags and checksums say what the plaintext is, so they are sealed in the catalog and opened
only here.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from origin.catalog.rows import BucketRow, Described, NewVersion, OwnerRow, PartRow, UploadRow, VersionRow
from origin.seal.keyring import NONCE_BYTES
from origin.service.encryption import VERIFIER, shown
from origin.service.model import Bucket, Expiration, ObjectInfo, Owner
from origin.service.multipart import PartInfo, UploadInfo
from origin.service.rules import expiration_of
from origin.service.stores import Stores
from origin.service.version_ids import shown_id

_VERSION = "version digests"
_PART = "part digests"


class Digests(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of the plaintext. `parts` is the number of parts of a multipart object.

    `part_checksums` are those of its parts, where its upload chose the algorithm.
    """

    etag: str
    checksums: dict[str, str] = {}
    checksum_type: str = "FULL_OBJECT"
    parts: int | None = None
    part_checksums: tuple[str, ...] = ()


_decoder = msgspec.json.Decoder(Digests)


def owner_of(row: OwnerRow) -> Owner:
    """The owner of a row."""
    return Owner(row.id, row.name, row.display)


def bucket_of(row: BucketRow) -> Bucket:
    """The bucket of a row."""
    return Bucket(row.name, owner_of(row.owner), row.created, row.region)


def seal_digests(stores: Stores, seal_id: bytes, digests: Digests, *, part: bool = False) -> bytes:
    """Digests as the catalog keeps them, for the row that has `seal_id`."""
    plain = msgspec.json.encode(digests)
    return stores.keys.seal(_PART if part else _VERSION, seal_id, plain, stores.random(NONCE_BYTES))


def digests_of(stores: Stores, row: VersionRow | NewVersion | PartRow) -> Digests:
    """The digests of a version or part."""
    context = _PART if isinstance(row, PartRow) else _VERSION
    return _decoder.decode(stores.keys.open(context, row.seal_id, row.digests))


def info_of(stores: Stores, bucket: BucketRow, row: VersionRow) -> ObjectInfo:
    """A version as protocols see it."""
    digests = Digests("") if row.marker else digests_of(stores, row)
    return _info(bucket, row, row.owner, digests, row.identity, latest=row.latest)


def read_info(stores: Stores, bucket: BucketRow, row: VersionRow) -> ObjectInfo:
    """A version as a read of it shows it: with its end, where the bucket's lifecycle gives it one."""
    info = info_of(stores, bucket, row)
    return replace(info, expiration=expiration_of(bucket, row)) if row.latest else info


def new_info(bucket: BucketRow, owner: OwnerRow, version: NewVersion, digests: Digests, identity: bytes) -> ObjectInfo:
    """A version that was just inserted, as protocols see it."""
    info = _info(bucket, version, owner, digests, identity, latest=True)
    return replace(info, expiration=expiration_of(bucket, version))


def _info(
    bucket: BucketRow, row: VersionRow | NewVersion, owner: OwnerRow, digests: Digests, identity: bytes, *, latest: bool
) -> ObjectInfo:
    return ObjectInfo(
        bucket=bucket.name,
        key=row.key.decode(),
        size=row.size,
        etag=digests.etag,
        last_modified=row.created,
        content_type=row.described.content_type,
        headers={name: value for name, value in row.described.headers.items() if name != VERIFIER},
        metadata=row.described.metadata,
        owner=owner_of(owner),
        checksums=digests.checksums,
        checksum_type=digests.checksum_type,
        storage_class=row.described.storage_class,
        parts_count=digests.parts,
        part_checksums=digests.part_checksums,
        identity=identity.hex(),
        version_id=shown_id(bucket, row.version_id),
        latest=latest,
        delete_marker=row.marker,
        tags=row.tags,
        lock=row.lock,
    )


def part_of(stores: Stores, row: PartRow) -> PartInfo:
    """A part as protocols see it."""
    digests = digests_of(stores, row)
    return PartInfo(
        number=row.number, size=row.size, etag=digests.etag, last_modified=row.created, checksums=digests.checksums
    )


def upload_of(bucket: str, row: UploadRow, abort: Expiration | None = None) -> UploadInfo:
    """An upload as protocols see it; `abort` is its end by the bucket's lifecycle."""
    return UploadInfo(
        bucket=bucket,
        key=row.key.decode(),
        upload_id=row.id,
        initiated=row.created,
        owner=owner_of(row.owner),
        storage_class=row.described.storage_class,
        checksum_algorithm=row.checksum_algorithm,
        checksum_type=row.checksum_type,
        abort=abort,
        encryption=shown(row.described.headers),
    )


def described(
    content_type: str, headers: Mapping[str, str], metadata: Mapping[str, str], acl: str, storage_class: str
) -> Described:
    """What a client says about an object, as the catalog keeps it."""
    return Described(
        content_type=content_type, headers=headers, metadata=metadata, acl=acl, storage_class=storage_class
    )
