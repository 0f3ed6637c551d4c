"""The store that the settings choose, opened."""

from __future__ import annotations

from pathlib import Path

from conf.schema import Settings
from origin.blobs.contract import BlobStore
from origin.blobs.disk import DiskBlobs
from origin.blobs.moving import MovingBlobs


def open_blobs(settings: Settings, folder: Path) -> BlobStore:
    """The blob store of the data folder `folder`. Raises OSError, BlobError where it cannot be opened."""
    new = _opened(settings.blobs.store, settings, folder)
    if settings.blobs.move_from is None:
        return new
    try:
        return MovingBlobs(new, _opened(settings.blobs.move_from, settings, folder))
    except BaseException:
        new.close()
        raise


def _opened(store: str, settings: Settings, folder: Path) -> BlobStore:
    if store == "disk":
        return DiskBlobs(folder, reserve=settings.origin.reserve, sync=settings.origin.sync)
    from origin.blobs.s3 import S3Blobs  # boto3 takes 0.3 s to import

    return S3Blobs(settings.blobs, folder, reserve=settings.origin.reserve)
