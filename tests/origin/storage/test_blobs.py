"""The blob contract: on disk with and without nameless files, and in buckets of two S3 services."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from origin.blobs.contract import BlobError, BlobMissing, BlobStore, StoreFull
from origin.blobs.disk import DiskBlobs
from origin.blobs.moving import MovingBlobs
from origin.blobs.s3 import S3Blobs

ID = bytes(range(16))


@pytest.fixture(params=[True, False], ids=["nameless", "named"])
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[BlobStore]:
    opened = DiskBlobs(tmp_path, reserve=0, tmpfile=request.param)
    yield opened
    opened.close()


@pytest.fixture(params=["nameless", "named", "moto", "facet", "moving"])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[BlobStore]:
    opened: BlobStore
    match request.param:
        case "nameless" | "named":
            opened = DiskBlobs(tmp_path, reserve=0, tmpfile=request.param == "nameless")
        case "moving":
            opened = MovingBlobs(DiskBlobs(tmp_path / "new", reserve=0), DiskBlobs(tmp_path / "old", reserve=0))
        case service:
            opened = S3Blobs(request.getfixturevalue(service)(), tmp_path, reserve=0)
    yield opened
    opened.close()


def write(store: BlobStore, blob_id: bytes, data: bytes) -> None:
    writer = store.create(blob_id)
    writer.write(data)
    writer.sync()
    writer.link()
    writer.close()
    store.settle([blob_id])


def test_a_linked_blob_reads_back(store: BlobStore) -> None:
    write(store, ID, b"0123456789")
    assert store.length(ID) == 10
    assert list(store.names()) == [ID.hex()]
    reader = store.open(ID)
    assert reader.read(3, 4) == b"3456"
    assert reader.read(8, 99) == b"89"
    reader.close()
    reader.close()


def test_many_and_large_blobs_are_all_named_and_removed(store: BlobStore) -> None:
    large = os.urandom(8 * 1024 * 1024 + 3000)
    ids = [os.urandom(16) for _ in range(5)]
    for blob_id in ids:
        write(store, blob_id, blob_id)
    write(store, ID, large)
    assert sorted(store.names()) == sorted(blob_id.hex() for blob_id in (*ids, ID))
    reader = store.open(ID)
    assert reader.read(len(large) - 100_000, 200_000) == large[-100_000:]
    reader.close()
    store.remove([*ids, ID])
    assert list(store.names()) == []


def test_a_blob_without_a_name_leaves_nothing(store: BlobStore, tmp_path: Path) -> None:
    writer = store.create(ID)
    writer.write(b"half")
    assert store.length(ID) is None
    writer.close()
    writer.close()
    assert list(store.names()) == []
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_name_is_never_taken_twice(store: BlobStore) -> None:
    write(store, ID, b"first")
    writer = store.create(ID)
    writer.write(b"second")
    with pytest.raises(BlobError):
        writer.link()
    writer.close()
    assert store.open(ID).read(0, 9) == b"first"


def test_a_removed_blob_is_gone_and_removing_again_is_no_error(store: BlobStore) -> None:
    write(store, ID, b"bytes")
    store.remove([ID, bytes(16)])
    store.remove([ID])
    assert store.length(ID) is None
    with pytest.raises(BlobMissing):
        store.open(ID)


def test_what_is_quarantined_is_no_blob_any_more(store: BlobStore) -> None:
    write(store, ID, b"bytes")
    store.quarantine(ID.hex())
    assert list(store.names()) == []
    with pytest.raises(BlobMissing):
        store.open(ID)
    with pytest.raises(BlobError):
        store.quarantine(ID.hex())


def test_a_removed_file_stays_readable_where_it_is_open(disk: BlobStore) -> None:
    write(disk, ID, b"bytes")
    reader = disk.open(ID)
    disk.remove([ID])
    assert reader.read(0, 9) == b"bytes"


def test_a_quarantined_file_is_out_of_the_way_and_not_lost(disk: BlobStore, tmp_path: Path) -> None:
    write(disk, ID, b"bytes")
    disk.quarantine(ID.hex())
    assert list(disk.names()) == []
    assert (tmp_path / "quarantine" / ID.hex()).read_bytes() == b"bytes"


def test_leftovers_of_a_crash_are_gone_at_the_next_start(tmp_path: Path) -> None:
    store = DiskBlobs(tmp_path, reserve=0, tmpfile=False)
    store.create(ID).write(b"half")
    assert list((tmp_path / "tmp").iterdir())
    store.close()
    again = DiskBlobs(tmp_path, reserve=0)
    assert not list((tmp_path / "tmp").iterdir())
    again.close()


def test_the_reserve_is_left_alone_and_removing_goes_on(tmp_path: Path) -> None:
    store = DiskBlobs(tmp_path, reserve=0)
    write(store, ID, b"bytes")
    store.close()
    full = DiskBlobs(tmp_path, reserve=1 << 60)
    with pytest.raises(StoreFull):
        full.create(bytes(16))
    full.remove([ID])
    assert full.length(ID) is None
    full.close()


def test_many_who_wait_for_a_folder_all_return(tmp_path: Path) -> None:
    store = DiskBlobs(tmp_path, reserve=0)
    ids = [bytes([7]) + index.to_bytes(15, "big") for index in range(24)]
    threads = [threading.Thread(target=write, args=(store, blob_id, blob_id)) for blob_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(store.names()) == [blob_id.hex() for blob_id in ids]
    store.close()


def test_after_a_failed_folder_sync_no_name_is_promised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = DiskBlobs(tmp_path, reserve=0)

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(BlobError):
            store.settle([ID])
    with pytest.raises(BlobError):
        store.settle([ID])
    store.close()
