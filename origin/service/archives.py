"""Archives: the storage classes whose objects AWS keeps out of reach until they are restored.

The rule of this file: classes are names, so what is in an archive is readable all along and never needs a restore.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_RestoreObject.html
"""

from __future__ import annotations

from origin.service.model import Caller, ServiceError
from origin.service.operations import operation
from origin.service.reading import find
from origin.service.rules import ARCHIVES
from origin.service.stores import Stores

RESTORED = 'ongoing-request="false", expiry-date="Fri, 31 Dec 9999 00:00:00 GMT"'
"""What reads say of an archived object (x-amz-restore), for clients that look before they fetch one."""


class Archives:
    """`Service.archives`."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def restore(self, caller: Caller, bucket: str, key: str, version_id: str | None = None) -> None:
        """RestoreObject: nothing is to be done for an archived version, which is there as a restored one is.

        Raises ServiceError: InvalidObjectState (not archived), NoSuchBucket, NoSuchKey, NoSuchVersion,
        MethodNotAllowed (a delete marker), AccessDenied.
        """
        _, version = await self._stores.read(
            lambda tables: find(tables, caller, operation("RestoreObject"), bucket, key, version_id)
        )
        if version.described.storage_class not in ARCHIVES:
            raise ServiceError(
                "InvalidObjectState", "Restore is not allowed for the object's current storage class", key=key
            )
