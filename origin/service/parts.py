"""Parts of multipart uploads: taken in like bodies, or made of what is stored.

The rule of this file: a part is a manifest of its own, without parts. One that is a whole object whose MD5 and checksum
are known, under the same seal, shares the object's bytes; any other copy is read and taken in as if it were sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from msgspec.structs import replace

from origin.catalog.contract import Tables
from origin.catalog.rows import PartRow, UploadRow, UploadState
from origin.service.access import authorise
from origin.service.describe import Digests, digests_of, seal_digests
from origin.service.digests import DEFAULT, with_checksum
from origin.service.duplicates import Duplicates
from origin.service.encryption import check_part_key, is_customers, sealed_alike, shown, vault_of
from origin.service.ingest import Ingest, entity_tag
from origin.service.model import Caller, CustomerKey, Expected, ServiceError
from origin.service.multipart import PartInfo
from origin.service.operations import operation
from origin.service.placing import place_content
from origin.service.quota import check_quota, usage_before
from origin.service.reading import Reading
from origin.service.steps import Step
from origin.service.stores import Stores

MOST_PARTS = 10_000
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html"""


@dataclass(frozen=True, slots=True)
class Place:
    """Which part of which upload."""

    bucket: str
    key: str
    upload_id: str
    number: int


async def put_part(
    stores: Stores,
    duplicates: Duplicates,
    caller: Caller,
    place: Place,
    expected: Expected,
    body: AsyncIterator[bytes | bytearray | memoryview],
    customer: CustomerKey | None,
) -> PartInfo:
    """Store part `number` (1 … 10,000), taking the place of an earlier one.

    Raises ServiceError: NoSuchUpload, InvalidArgument (number), InvalidRequest (a customer's key that is missing or
    another), and all that `Objects.put` raises for a body.
    """
    headers, expected = await _begun(stores, caller, place, expected, customer)
    vault = vault_of(stores, headers, customer)
    async with Ingest(stores, expected, stores.settings.origin.max_put, vault) as ingest:
        content = await ingest.receive(body)
        digests = Digests(entity_tag(stores, content.md5, vault), content.checksums)

        def manifest(tables: Tables) -> tuple[int, tuple[bytes, ...]]:
            placed = place_content(stores, tables, content, ingest.pending)
            return placed.manifest, placed.duplicates

        made, dropped = await _keep(stores, caller, place, digests, content.size, manifest)
        ingest.adopted()
    duplicates.drop(dropped)
    stores.observe(Step.ANSWER)
    return replace(made, encryption=shown(headers))


async def copy_part(
    stores: Stores, duplicates: Duplicates, caller: Caller, place: Place, reading: Reading,
    customer: CustomerKey | None,
) -> PartInfo:  # fmt: skip
    """A part made of what is being read. Raises as `put_part`."""
    headers, expected = await _begun(stores, caller, place, Expected(length=reading.length), customer)
    source = reading.version
    known = digests_of(stores, source)
    wanted = expected.algorithms[-1]
    if (
        not reading.whole
        or known.parts is not None
        or wanted not in known.checksums
        or is_customers(headers)
        or not sealed_alike(source.described.headers, headers)
    ):
        return await put_part(
            stores, duplicates, caller, place, Expected(length=reading.length), reading.chunks(), customer
        )

    def manifest(tables: Tables) -> tuple[int, tuple[bytes, ...]]:
        assert source.manifest is not None, "only a delete marker has none"
        tables.manifests.acquire(source.manifest)
        return source.manifest, ()

    digests = Digests(known.etag, {wanted: known.checksums[wanted]})
    made, _ = await _keep(stores, caller, place, digests, source.size, manifest)
    return replace(made, encryption=shown(headers))


async def _begun(
    stores: Stores, caller: Caller, place: Place, expected: Expected, customer: CustomerKey | None
) -> tuple[dict[str, str], Expected]:
    """The headers of the upload, and what is to be computed of a part. Raises ServiceError."""
    if not 1 <= place.number <= MOST_PARTS:
        raise ServiceError(
            "InvalidArgument",
            f"Part number must be an integer between 1 and {MOST_PARTS}, inclusive",
            argument="partNumber",
            value=place.number,
        )
    upload = await stores.read(
        lambda tables: open_upload(tables, caller, "UploadPart", place.bucket, place.key, place.upload_id)
    )
    headers = dict(upload.described.headers)
    check_part_key(stores, headers, customer)
    return headers, _with_checksums(expected, upload)


async def _keep(
    stores: Stores, caller: Caller, place: Place, digests: Digests, size: int,
    manifest: Callable[[Tables], tuple[int, tuple[bytes, ...]]],
) -> tuple[PartInfo, tuple[bytes, ...]]:  # fmt: skip
    """Commit a part of `manifest`, which gives a number with a reference of its own and the duplicates to drop."""
    seal_id, now = stores.random(16), stores.clock()
    sealed = seal_digests(stores, seal_id, digests, part=True)

    def transact(tables: Tables) -> tuple[bytes, ...]:
        upload = open_upload(tables, caller, "UploadPart", place.bucket, place.key, place.upload_id)
        number, dropped = manifest(tables)
        part = PartRow(number=place.number, manifest=number, size=size, created=now, seal_id=seal_id, digests=sealed)
        usage = usage_before(tables, upload.bucket)
        replaced = tables.uploads.put_part(upload.id, part)
        check_quota(tables, place.bucket, upload.bucket, usage)
        if replaced is not None:
            tables.manifests.release(replaced, now, tables.meta.mutation())
        stores.observe(Step.TRANSACT)
        return dropped

    dropped = await stores.write(transact)
    stores.observe(Step.COMMIT)
    info = PartInfo(number=place.number, size=size, etag=digests.etag, last_modified=now, checksums=digests.checksums)
    return info, dropped


def open_upload(tables: Tables, caller: Caller, name: str, bucket: str, key: str, upload_id: str) -> UploadRow:
    """The upload, where it is open, of that key, and the caller may do that to it. Raises ServiceError."""
    row = authorise(tables, caller, operation(name), bucket, key)
    upload = tables.uploads.get(upload_id)
    if (
        upload is None
        or upload.state is not UploadState.OPEN
        or (upload.bucket, upload.key) != (row.number, key.encode())
    ):
        raise ServiceError(
            "NoSuchUpload",
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or"
            " completed.",
            upload_id=upload_id,
        )
    return upload


def _with_checksums(expected: Expected, upload: UploadRow) -> Expected:
    """What is computed of a part: the upload's algorithm; where it chose none, the default beside the client's own."""
    if upload.checksum_algorithm is not None:
        return with_checksum(expected, upload.checksum_algorithm)
    return replace(expected, algorithms=tuple(dict.fromkeys((*expected.algorithms, DEFAULT))))
