"""Copies inside the store.

The rule of this file: a copy is a row where everything about the bytes is known and they may be shared. Where its MD5
or checksum is not known the source is read and hashed; where it gets another second seal (encryption.py) the source
is read and written anew. https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace

from origin.catalog.contract import Tables
from origin.catalog.rows import BucketRow, Described, VersionRow
from origin.service.access import authorise, authorise_tags, authorise_version, create_only, writer
from origin.service.acl import wish_text
from origin.service.describe import Digests, described, digests_of, new_info
from origin.service.digests import DEFAULT, BodyDigests
from origin.service.duplicates import Duplicates
from origin.service.encryption import (
    ALGORITHM_HEADER,
    check_customer,
    encrypted,
    is_customers,
    sealed_alike,
    shown,
    vault_of,
)
from origin.service.ingest import Ingest, entity_tag
from origin.service.limits import check_key, check_metadata
from origin.service.locks import check_wanted
from origin.service.model import (
    Caller,
    Copied,
    CopyRequest,
    Expected,
    IsDeleteMarker,
    NotModified,
    ServiceError,
    Setting,
)
from origin.service.notifications import COPY, Cause
from origin.service.operations import Level, operation
from origin.service.placing import new_version, place_content, place_version, precondition_failed
from origin.service.reading import Reading, begin, find, judge, opened
from origin.service.stores import Stores
from origin.service.version_ids import shown_id
from origin.service.versions import naming, no_source
from wire.conditions import Outcome

WEBSITE_REDIRECT = "x-amz-website-redirect-location"
Manifest = Callable[[Tables], int]
"""Gives the copy's manifest, with a reference of its own."""


@dataclass(frozen=True, slots=True)
class _Content:
    """What the copy is made of."""

    manifest: Manifest
    size: int
    digests: Digests
    identity: bytes


async def copy(stores: Stores, duplicates: Duplicates, caller: Caller, request: CopyRequest) -> Copied:
    """Make an object of another one.

    Raises ServiceError: NoSuchBucket, NoSuchKey, AccessDenied, InvalidRequest (onto itself without a change, of a
    delete marker, of more than one PUT may have, a lock where the bucket has none, a customer's key that is missing),
    InvalidArgument (a retention in the past), PreconditionFailed, KMS.NotFoundException.
    """
    check_key(request.key)
    check_metadata(stores.settings, request.metadata)
    wish_text(request.acl, Level.OBJECT)

    def row_alone(tables: Tables) -> Copied | None:
        row, source = _source(stores, tables, caller, request)
        bucket, about = _destination(stores, tables, caller, request, source)
        digests = digests_of(stores, source)
        if not _digested(digests, request) or not sealed_alike(source.described.headers, about.headers):
            return None
        content = _Content(partial(_shared, source=source), source.size, digests, source.identity)
        return _place(stores, tables, caller, request, bucket, about, source, content, shown_id(row, source.version_id))

    return await stores.write(row_alone) or await _with_bytes(stores, duplicates, caller, request)


async def _with_bytes(stores: Stores, duplicates: Duplicates, caller: Caller, request: CopyRequest) -> Copied:
    """The copy of a source that has to be read."""
    async with await _open(stores, caller, request) as reading:
        source, shown_version = reading.version, reading.info.version_id
        bucket, about = await stores.read(lambda tables: _destination(stores, tables, caller, request, source))
        algorithms = (_algorithm(digests_of(stores, source), request),)
        vault = vault_of(stores, about.headers, request.customer)
        if sealed_alike(source.described.headers, about.headers):
            digests = await _hashed(stores, reading, algorithms)
            if is_customers(about.headers):
                digests = Digests(entity_tag(stores, bytes(16), vault), digests.checksums)
            content = _Content(partial(_shared, source=source), source.size, digests, source.identity)
            return await stores.write(
                lambda tables: _place(stores, tables, caller, request, bucket, about, source, content, shown_version)
            )
        limit = stores.settings.origin.max_put
        async with Ingest(stores, Expected(length=reading.length, algorithms=algorithms), limit, vault) as ingest:
            received = await ingest.receive(reading.chunks())
            dropped: list[bytes] = []

            def manifest(tables: Tables) -> int:
                placed = place_content(stores, tables, received, ingest.pending)
                dropped[:] = placed.duplicates
                return placed.manifest

            digests = Digests(entity_tag(stores, received.md5, vault), received.checksums)
            content = _Content(manifest, received.size, digests, received.identity)
            copied = await stores.write(
                lambda tables: _place(stores, tables, caller, request, bucket, about, source, content, shown_version)
            )
            ingest.adopted()
    duplicates.drop(dropped)
    return copied


def _shared(tables: Tables, source: VersionRow) -> int:
    assert source.manifest is not None, "only a delete marker has none"
    tables.manifests.acquire(source.manifest)
    return source.manifest


def _place(
    stores: Stores, tables: Tables, caller: Caller, request: CopyRequest, bucket: BucketRow, about: Described,
    source: VersionRow, content: _Content, source_version: str | None,
) -> Copied:  # fmt: skip
    version = new_version(
        stores, bucket, writer(caller, bucket), request.key.encode(), about, content.manifest(tables), content.size,
        content.digests, source.tags if request.tags is None else request.tags, request.lock,
    )  # fmt: skip
    written = place_version(
        stores, tables, bucket, version, request.conditions, Cause(COPY, caller), create_only=create_only(caller)
    )
    return Copied(
        new_info(written.bucket, bucket.owner, written.version, content.digests, content.identity), source_version
    )


def _source(stores: Stores, tables: Tables, caller: Caller, request: CopyRequest) -> tuple[BucketRow, VersionRow]:
    """What is copied, where the caller may read it and its conditions hold.

    A copy has no 304: every condition that does not hold is PreconditionFailed (x-amz-copy-source-if-…).
    """
    get, reader = operation("GetObject"), source_reader(caller, request)
    try:
        row, source = find(tables, reader, get, request.source_bucket, request.source_key, request.source_version)
    except IsDeleteMarker as error:
        raise no_source(error) from error
    if request.tags is None and source.tags:
        authorise_version(reader, operation("GetObjectTagging"), row, request.source_key, source)
    check_customer(stores, caller, source.described.headers, request.source_customer)
    if judge(stores, digests_of(stores, source).etag, source, request.source_conditions) is not Outcome.PROCEED:
        raise precondition_failed("x-amz-copy-source-if")
    if source.size > stores.settings.origin.max_put:
        raise ServiceError(
            "InvalidRequest",
            "The specified copy source is larger than the maximum allowable size for a copy source:"
            f" {stores.settings.origin.max_put}",
        )
    return row, source


async def _open(stores: Stores, caller: Caller, request: CopyRequest) -> Reading:
    get, reader = operation("GetObject"), source_reader(caller, request)
    try:
        return await opened(
            stores,
            lambda: begin(
                stores, reader, get, request.source_bucket, request.source_key, request.source_version,
                request.source_conditions, None, customer=request.source_customer,
            ),
        )  # fmt: skip
    except NotModified as error:
        raise precondition_failed("x-amz-copy-source-if") from error
    except IsDeleteMarker as error:
        raise no_source(error) from error


def source_reader(caller: Caller, request: CopyRequest) -> Caller:
    """The caller as the reader of the source, whose bucket may be expected to have another owner."""
    return naming(replace(caller, expected_owner=request.source_expected_owner), request.source_version)


def _destination(
    stores: Stores, tables: Tables, caller: Caller, request: CopyRequest, source: VersionRow
) -> tuple[BucketRow, Described]:
    """Where the copy goes, and what is said of it. Raises ServiceError."""
    bucket = authorise(tables, caller, operation("CopyObject"), request.bucket, request.key)
    _check_self(bucket, request)
    authorise_tags(caller, bucket, request.key, source.tags if request.tags is None else request.tags)
    check_wanted(caller, bucket, request.key, request.lock, stores.clock())
    old = source.described
    content_type, headers, metadata = old.content_type, old.headers, old.metadata
    if request.replace:
        content_type, headers, metadata = request.content_type, request.headers, request.metadata
    # Neither what encrypts the source nor where it redirects to is copied: both are asked for anew.
    kept = {name: value for name, value in headers.items() if name != WEBSITE_REDIRECT and name not in shown(headers)}
    asked = {name: value for name, value in request.headers.items() if name == WEBSITE_REDIRECT}
    headers = encrypted(stores, bucket, {**kept, **asked, **shown(request.headers)}, request.customer)
    acl = wish_text(request.acl, Level.OBJECT)
    return bucket, described(content_type, headers, metadata, acl, request.storage_class or "STANDARD")


def _check_self(bucket: BucketRow, request: CopyRequest) -> None:
    """Raise InvalidRequest for a copy onto itself that changes nothing."""
    if (request.source_bucket, request.source_key) != (request.bucket, request.key):
        return
    asked = {ALGORITHM_HEADER, WEBSITE_REDIRECT} & set(request.headers)
    if (
        request.replace
        or asked
        or request.storage_class is not None
        or request.customer is not None
        or request.source_version is not None
        or Setting.ENCRYPTION in bucket.settings
    ):
        return
    raise ServiceError(
        "InvalidRequest",
        "This copy request is illegal because it is trying to copy an object to itself without changing the"
        " object's metadata, storage class, website redirect location or encryption attributes.",
    )


def _algorithm(digests: Digests, request: CopyRequest) -> str:
    """The checksum that the copy gets: the one asked for, else the source's, else the default."""
    return request.checksum_algorithm or next(iter(digests.checksums), DEFAULT)


def _digested(digests: Digests, request: CopyRequest) -> bool:
    """Whether all that is said of the source's bytes can be said of the copy's, which is one object of one part."""
    if digests.parts is not None:
        return False
    return request.checksum_algorithm is None or request.checksum_algorithm in digests.checksums


async def _hashed(stores: Stores, reading: Reading, algorithms: tuple[str, ...]) -> Digests:
    """The digests of what is read."""
    running = BodyDigests(algorithms, sha256=False)
    async for piece in reading.chunks():
        await stores.working(partial(running.update, memoryview(piece)))
    return Digests(running.md5.hexdigest(), running.check(reading.length, Expected()))
