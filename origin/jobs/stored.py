"""The stored bytes of one blob or inline body, checked against their checksum. No key is needed, none is asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator

from blake3 import blake3

from origin.blobs.contract import BlobMissing, BlobReader, BlobStore, BlobUnreadable
from origin.catalog.bodies import BodyRow
from origin.catalog.rows import BlobRow
from origin.service.stores import BareStores

PIECE = 1024 * 1024


class DamagedBlob(Exception):
    """A blob's file is not what was written: `missing`, `short`, `long`, `changed` or `unreadable`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


async def stored_bytes(stores: BareStores, blob: BlobRow) -> AsyncIterator[bytes]:
    """The stored bytes, piece by piece. Whoever takes them all knows that they are right.

    Raises DamagedBlob, at the latest after the last piece; ServiceError where the store fails otherwise.
    """
    length = await stores.working(lambda: stores.blobs.length(blob.id))
    if length != blob.stored:
        raise DamagedBlob(_length_reason(blob, length))
    checksum = blake3()
    reader = await stores.working(lambda: _open(stores.blobs, blob))
    try:
        for offset in range(0, blob.stored, PIECE):
            piece = await stores.working(lambda offset=offset: _read(reader, offset, checksum))  # type: ignore[misc]
            yield piece
    finally:
        reader.close()
    if checksum.digest() != blob.checksum:
        raise DamagedBlob("changed")


def _length_reason(blob: BlobRow, length: int | None) -> str:
    if length is None:
        return "missing"
    return "short" if length < blob.stored else "long"


def length_reason(stores: BareStores, blob: BlobRow) -> str | None:
    """What the length of a blob's file says against it, None where it is right; blocks. Raises BlobError."""
    length = stores.blobs.length(blob.id)
    return None if length == blob.stored else _length_reason(blob, length)


def _open(blobs: BlobStore, blob: BlobRow) -> BlobReader:
    try:
        return blobs.open(blob.id)
    except BlobMissing as error:
        raise DamagedBlob("missing") from error


def _read(reader: BlobReader, offset: int, checksum: blake3) -> bytes:
    try:
        piece = reader.read(offset, PIECE)
    except BlobUnreadable as error:
        raise DamagedBlob("unreadable") from error
    checksum.update(piece)
    return piece


def is_intact(body: BodyRow) -> bool:
    """True where an inline body is what was stored."""
    return body.checksum is not None and blake3(body.sealed).digest() == body.checksum


def copy_blob(source: BlobStore, target: BlobStore, blob: BlobRow) -> bool:
    """Copy a blob's stored bytes, checked, where `target` has them not yet; returns whether. Blocks.

    The name is durable only after `target.settle`. Raises DamagedBlob, BlobError.
    """
    there = target.length(blob.id)
    if there == blob.stored:
        return False
    if there is not None:
        target.quarantine(blob.id.hex())
    length = source.length(blob.id)
    if length != blob.stored:
        raise DamagedBlob(_length_reason(blob, length))
    checksum = blake3()
    reader = _open(source, blob)
    try:
        writer = target.create(blob.id)
        try:
            for offset in range(0, blob.stored, PIECE):
                writer.write(_read(reader, offset, checksum))
            if checksum.digest() != blob.checksum:
                raise DamagedBlob("changed")
            writer.sync()
            writer.link()
        finally:
            writer.close()
    finally:
        reader.close()
    return True
