"""What a multipart upload becomes: its parts checked and joined, in a snapshot, without a byte moved."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from origin.catalog.contract import Tables
from origin.catalog.rows import BucketRow, ManifestRow, PartRow, UploadRow
from origin.seal.keyring import FINGERPRINT_BYTES
from origin.seal.vault import Vault
from origin.service.describe import Digests, digests_of
from origin.service.digests import DEFAULT
from origin.service.encryption import is_customers, vault_of
from origin.service.ingest import identity, new_fingerprint
from origin.service.model import ServiceError
from origin.service.multipart import CompletedPart, Whole
from origin.service.parts import MOST_PARTS
from origin.service.source import inline_body
from origin.service.stores import Stores
from wire import checksums

COMPOSITE = "COMPOSITE"
FULL_OBJECT = "FULL_OBJECT"


@dataclass(frozen=True, slots=True)
class Joined:
    """An object to be: `parts` are (manifest, size) in order, as of the upload's generation."""

    bucket: BucketRow
    upload: UploadRow
    size: int
    parts: tuple[tuple[int, int], ...]
    identity: bytes
    digests: Digests


def join(
    stores: Stores, tables: Tables, bucket: BucketRow, upload: UploadRow, named: Sequence[CompletedPart],
    *, smallest: int | None = None,
) -> Joined:  # fmt: skip
    """Check the named parts against those that were uploaded.

    `smallest` is the fewest bytes of a part that others follow; None is what clients are held to.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html. Raises ServiceError: InvalidPart,
    InvalidPartOrder, EntityTooSmall, EntityTooLarge, InvalidRequest (checksums of a composite that are missing).
    """
    numbers = [part.number for part in named]
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        raise ServiceError(
            "InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number."
        )
    _check_named(upload, named)
    uploaded = {row.number: row for row in tables.uploads.parts(upload.id, 0, MOST_PARTS)}
    rows: list[PartRow] = []
    digests: list[Digests] = []
    for part in named:
        row = uploaded.get(part.number)
        known = None if row is None else digests_of(stores, row)
        if row is None or known is None or not _agrees(part, known):
            raise ServiceError(
                "InvalidPart",
                "One or more of the specified parts could not be found. The part may not have been uploaded, or the"
                " specified entity tag may not match the part's entity tag.",
                part_number=part.number,
                upload_id=upload.id,
            )
        rows.append(row)
        digests.append(known)
    least = stores.settings.origin.min_part if smallest is None else smallest
    for row in rows[:-1]:
        if row.size < least:
            raise ServiceError(
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
                part_number=row.number,
                size=row.size,
                limit=least,
            )
    size = sum(row.size for row in rows)
    if size > stores.settings.origin.max_object:
        raise ServiceError("EntityTooLarge", "Your proposed upload exceeds the maximum allowed object size", size=size)
    return Joined(
        bucket=bucket,
        upload=upload,
        size=size,
        parts=tuple((row.manifest, row.size) for row in rows),
        identity=_identity(stores, tables, upload, size, rows),
        digests=_joined_digests(upload, rows, digests),
    )


def _agrees(named: CompletedPart, known: Digests) -> bool:
    return named.etag.strip().strip('"') == known.etag and all(
        known.checksums.get(name) == value for name, value in named.checksums.items()
    )


def _identity(stores: Stores, tables: Tables, upload: UploadRow, size: int, rows: Sequence[PartRow]) -> bytes:
    """What the content is known by; under a customer's key it is random."""
    if is_customers(upload.described.headers):
        return stores.random(FINGERPRINT_BYTES)
    vault = vault_of(stores, upload.described.headers, None)
    return identity(stores, size, _fingerprints(stores, tables, rows, vault))


def _fingerprints(stores: Stores, tables: Tables, rows: Sequence[PartRow], vault: Vault | None) -> Iterator[bytes]:
    """The fingerprints of all segments, in order; a small part kept in the catalog is one segment."""
    for row in rows:
        manifest: ManifestRow | None = tables.manifests.get(row.manifest)
        assert manifest is not None
        if manifest.inline is not None:
            body = inline_body(stores, manifest, manifest.inline, vault)
            yield new_fingerprint(stores, vault).update(body).digest()
        else:
            yield from tables.manifests.fingerprints(row.manifest)


def check_choice(algorithm: str | None, kind: str | None) -> str | None:
    """The checksum type of an upload that chose these: CRC64NVME is of the whole, the others of the parts unless said.

    Raises ServiceError InvalidRequest for a pair that does not exist: SHA digests do not combine.
    """
    if algorithm is None:
        return None
    combines = checksums.ALGORITHMS[algorithm].combiner is not None
    if (kind == FULL_OBJECT and not combines) or (kind == COMPOSITE and algorithm == DEFAULT):
        raise ServiceError(
            "InvalidRequest",
            f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum algorithm.",
        )
    return kind or (FULL_OBJECT if algorithm == DEFAULT else COMPOSITE)


def check_whole(joined: Joined, whole: Whole) -> None:
    """Hold what the client says of the object against what it is. Raises ServiceError: InvalidRequest, BadDigest."""
    kind = joined.digests.checksum_type
    if whole.size is not None and joined.size != whole.size:
        raise ServiceError("InvalidRequest", "The object has not the size that was announced.", size=joined.size)
    if whole.checksum_type is not None and whole.checksum_type != kind:
        raise ServiceError(
            "InvalidRequest",
            f"The upload was created using the {kind} checksum mode. The complete request must use the same checksum"
            " mode.",
        )
    for name, value in whole.checksums.items():
        if joined.digests.checksums.get(name, value).partition("-")[0] != value.partition("-")[0]:
            raise ServiceError("BadDigest", f"The {name} you specified did not match the calculated checksum.")


def _check_named(upload: UploadRow, named: Sequence[CompletedPart]) -> None:
    """A composite checksum that was chosen is made of the checksums that the client names for every part."""
    algorithm = upload.checksum_algorithm
    if algorithm is None or upload.checksum_type != COMPOSITE:
        return
    for part in named:
        if algorithm not in part.checksums:
            raise ServiceError(
                "InvalidRequest",
                f"The upload was created using a {algorithm.lower()} checksum. The complete request must include the"
                f" checksum for each part. It was missing for part {part.number} in the request.",
            )


def _joined_digests(upload: UploadRow, rows: Sequence[PartRow], digests: Sequence[Digests]) -> Digests:
    """The ETag is the MD5 of the parts' MD5s, and their number; a checksum is made of the parts' where all have it.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html: composite checksums digest
    the parts' digests and end in -N, full-object ones (CRCs only, CRC64NVME always) are those of the whole.
    """
    md5 = hashlib.md5(b"".join(bytes.fromhex(part.etag) for part in digests), usedforsecurity=False)
    etag = f"{md5.hexdigest()}-{len(digests)}"
    algorithm = checksums.ALGORITHMS[upload.checksum_algorithm or DEFAULT]
    if not all(algorithm.name in part.checksums for part in digests):
        return Digests(etag, parts=len(digests))
    texts = tuple(part.checksums[algorithm.name] for part in digests)
    values = [algorithm.decode(text) for text in texts]
    chosen = texts if upload.checksum_algorithm is not None else ()
    if upload.checksum_type == COMPOSITE:
        composite = f"{algorithm.of(b''.join(values))}-{len(values)}"
        return Digests(etag, {algorithm.name: composite}, COMPOSITE, len(digests), chosen)
    whole = values[0]
    for value, row in zip(values[1:], rows[1:], strict=True):
        whole = algorithm.combine(whole, value, row.size)
    return Digests(etag, {algorithm.name: checksums.encode(whole)}, FULL_OBJECT, len(digests), chosen)
