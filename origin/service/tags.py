"""Tags of objects and buckets: names and values that rules and policies can ask for.

The rule of this file: a set of tags is read and replaced as a whole, within the limits of
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html and …/CostAllocTagging.html.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from origin.catalog.contract import Tables
from origin.service.model import Caller, ServiceError, Setting
from origin.service.notifications import TAGGED, UNTAGGED, Cause, note
from origin.service.operations import Level, operation
from origin.service.reading import find
from origin.service.settings import Settings
from origin.service.stores import Stores
from origin.service.version_ids import shown_id
from wire.feed import OBJECT_TAGS

MOST = {Level.OBJECT: 10, Level.BUCKET: 50}
KEY_LENGTH, VALUE_LENGTH = 128, 256
"""Characters. https://docs.aws.amazon.com/AmazonS3/latest/API/API_Tag.html"""
RESERVED = "aws:"
_ALLOWED = re.compile(r"[\w\s+\-=.:/@]*")


def tag_set(pairs: Sequence[tuple[str, str]], level: Level) -> dict[str, str]:
    """Tags as a mapping. Raises ServiceError where they break a limit: InvalidTag; BadRequest for their number."""
    tags = dict(pairs)
    if len(tags) != len(pairs):
        raise _invalid("Cannot provide multiple Tags with the same key")
    for key, value in tags.items():
        if not 0 < len(key) <= KEY_LENGTH or _ALLOWED.fullmatch(key) is None:
            raise _invalid("The TagKey you have provided is invalid")
        if len(value) > VALUE_LENGTH or _ALLOWED.fullmatch(value) is None:
            raise _invalid("The TagValue you have provided is invalid")
        if key.startswith(RESERVED):
            raise _invalid("System tags cannot be added/updated by requester")
    if len(tags) > MOST[level]:
        raise ServiceError("BadRequest", f"{level.capitalize()} tags cannot be greater than {MOST[level]}")
    return tags


class Tags:
    """`Service.tags`."""

    def __init__(self, stores: Stores, settings: Settings) -> None:
        self._stores = stores
        self._settings = settings

    async def of_bucket(self, caller: Caller, bucket: str) -> Mapping[str, str]:
        """GetBucketTagging. Raises ServiceError: NoSuchTagSet, NoSuchBucket, AccessDenied."""
        document = await self._settings.get(caller, "GetBucketTagging", bucket, Setting.TAGS)
        if document is None:
            raise ServiceError("NoSuchTagSet", "The TagSet does not exist", bucket=bucket)
        return msgspec.json.decode(document, type=dict[str, str])

    async def set_of_bucket(self, caller: Caller, bucket: str, tags: Mapping[str, str] | None) -> None:
        """PutBucketTagging; None is DeleteBucketTagging. Raises ServiceError: NoSuchBucket, AccessDenied."""
        name = "DeleteBucketTagging" if tags is None else "PutBucketTagging"
        document = None if tags is None else msgspec.json.encode(tags).decode()
        await self._settings.put(caller, name, bucket, Setting.TAGS, document)

    async def of_object(
        self, caller: Caller, bucket: str, key: str, version_id: str | None = None
    ) -> tuple[Mapping[str, str], str | None]:
        """GetObjectTagging: the tags, and the id of the version that has them.

        Raises ServiceError: NoSuchBucket, NoSuchKey, NoSuchVersion, MethodNotAllowed (a delete marker), AccessDenied.
        """
        row, version = await self._stores.read(
            lambda tables: find(tables, caller, operation("GetObjectTagging"), bucket, key, version_id)
        )
        return version.tags, shown_id(row, version.version_id)

    async def set_of_object(
        self, caller: Caller, bucket: str, key: str, tags: Mapping[str, str] | None, version_id: str | None = None
    ) -> str | None:
        """PutObjectTagging; None is DeleteObjectTagging. Returns the id of the version.

        Raises as `of_object` does.
        """
        name = "DeleteObjectTagging" if tags is None else "PutObjectTagging"

        def transact(tables: Tables) -> str | None:
            row, version = find(tables, caller, operation(name), bucket, key, version_id)
            tables.versions.set_tags(version.sequence, tags or {})
            shown = shown_id(row, version.version_id)
            now, counter = self._stores.clock(), tables.meta.mutation()
            cause = Cause(UNTAGGED if tags is None else TAGGED, caller)
            notice = note(self._stores, row, counter, cause, version.key, version=version)
            tables.events.add(OBJECT_TAGS, bucket, version.key, shown, counter, now, notice)
            return shown

        return await self._stores.write(transact)


def _invalid(message: str) -> ServiceError:
    return ServiceError("InvalidTag", message)
