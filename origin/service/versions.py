"""Versioning: a bucket's state, and which version a request means.

The rule of this file: a delete marker is no object. As the latest version it is NoSuchKey, asked for by its id it is
MethodNotAllowed, and both answers say that it is one.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html
"""

from __future__ import annotations

from msgspec.structs import replace

from origin.catalog.contract import Tables
from origin.catalog.rows import BucketRow, VersionRow
from origin.service.access import VERSION_KEY, authorise, no_such_key
from origin.service.model import Caller, IsDeleteMarker, ServiceError, Setting
from origin.service.operations import operation
from origin.service.stores import Stores
from origin.service.version_ids import NULL, Versioning, known_id, shown_id
from wire.feed import BUCKET_CHANGED


def naming(caller: Caller, version_id: str | None) -> Caller:
    """The caller as policies see one who names that version, or none."""
    context = {key: values for key, values in caller.context.items() if key != VERSION_KEY}
    return replace(caller, context=context if version_id is None else {**context, VERSION_KEY: (version_id,)})


def named(tables: Tables, bucket: BucketRow, key: str, version_id: str | None) -> VersionRow | None:
    """The version of that id, or the latest; delete markers too. Raises ServiceError InvalidArgument."""
    if version_id is None:
        return tables.versions.latest(bucket.number, key.encode())
    return tables.versions.get(bucket.number, key.encode(), known_id(version_id))


def present(tables: Tables, bucket: BucketRow, key: str, version_id: str | None) -> VersionRow:
    """The version, which must be an object. Raises what `absent` says; ServiceError InvalidArgument."""
    version = named(tables, bucket, key, version_id)
    if version is None or version.marker:
        raise absent(bucket, key, version_id, version)
    return version


def absent(bucket: BucketRow, key: str, version_id: str | None, found: VersionRow | None) -> ServiceError:
    """Why there is no object: `found` is a delete marker, or nothing.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, "x-amz-delete-marker"
    """
    if found is not None:
        code, message = "NoSuchKey", "The specified key does not exist."
        if version_id is not None:
            code, message = "MethodNotAllowed", "The specified method is not allowed against this resource."
        shown = shown_id(bucket, found.version_id) or NULL
        return IsDeleteMarker(code, message, version_id=shown, created=found.created, key=key)
    if version_id is not None:
        return ServiceError("NoSuchVersion", "The specified version does not exist.", key=key, version_id=version_id)
    return no_such_key(key)


def no_source(error: IsDeleteMarker) -> ServiceError:
    """What a copy says of a delete marker: one that is named cannot be copied, one that hides its key is no key."""
    if error.code != "MethodNotAllowed":
        return error
    return ServiceError(
        "InvalidRequest", "The source of a copy request may not specifically refer to a delete marker by version id."
    )


class Versions:
    """`Service.versions`: the state of a bucket's versioning."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def state(self, caller: Caller, bucket: str) -> Versioning:
        """GetBucketVersioning. Raises ServiceError: NoSuchBucket, AccessDenied."""
        get = operation("GetBucketVersioning")
        row = await self._stores.read(lambda tables: authorise(tables, caller, get, bucket))
        return Versioning(row.versioning)

    async def set_state(self, caller: Caller, bucket: str, state: Versioning) -> None:
        """PutBucketVersioning: ENABLED or SUSPENDED. What is stored stays as it is.

        Raises ServiceError: NoSuchBucket, AccessDenied, InvalidBucketState (object lock needs every version).
        """

        def transact(tables: Tables) -> None:
            row = authorise(tables, caller, operation("PutBucketVersioning"), bucket)
            if state is Versioning.SUSPENDED and Setting.OBJECT_LOCK in row.settings:
                raise ServiceError(
                    "InvalidBucketState",
                    "An Object Lock configuration is present on this bucket, so the versioning state cannot be"
                    " changed.",
                    bucket=bucket,
                )
            tables.buckets.set_versioning(row.number, state)
            tables.events.add(BUCKET_CHANGED, bucket, None, None, tables.meta.mutation(), self._stores.clock())

        await self._stores.write(transact)
