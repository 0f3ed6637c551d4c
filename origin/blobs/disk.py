"""Blobs as files: blobs/aa/<id>, where aa is the id's first byte in hexadecimal.

The rule of this file: a blob's bytes are durable before it has a name, and its name before anybody is told.

O_TMPFILE makes a file without a name, which a crash leaves no trace of (open(2)); linkat(2) through /proc names it and
refuses a name that exists. Where a filesystem has no O_TMPFILE, the file has a name under tmp/ that is removed after
linking; the folder is emptied at every start.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from origin.blobs.contract import BlobError, BlobMissing, StoreBusy, StoreFull
from origin.blobs.syncing import SharedFolder, make_folders, sync_data

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_BUSY = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})
_NO_TMPFILE = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT})


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise BlobMissing(str(error)) from error
    except OSError as error:
        kind = StoreFull if error.errno in _FULL else StoreBusy if error.errno in _BUSY else BlobError
        raise kind(str(error)) from error


class _Writer:
    """contract.BlobWriter."""

    def __init__(self, descriptor: int, named: str | None, target: str, folder: int, *, sync: bool) -> None:
        self._descriptor: int | None = descriptor
        self._named = named
        self._target = target
        self._folder = folder
        self._sync = sync

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert self._descriptor is not None
        view = memoryview(data)
        with _translated():
            while view:
                view = view[os.write(self._descriptor, view) :]

    def sync(self) -> None:
        assert self._descriptor is not None
        if self._sync:
            with _translated():
                sync_data(self._descriptor)

    def link(self) -> None:
        assert self._descriptor is not None
        source = self._named or f"/proc/self/fd/{self._descriptor}"
        with _translated():
            # Naming a folder makes Python call linkat, which alone follows the link in /proc to the nameless file.
            os.link(source, self._target, src_dir_fd=self._folder, dst_dir_fd=self._folder, follow_symlinks=True)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
            if self._named is not None:
                Path(self._named).unlink(missing_ok=True)


class _Reader:
    """contract.BlobReader."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def read(self, offset: int, length: int) -> bytes:
        assert self._descriptor is not None
        with _translated():
            data = os.pread(self._descriptor, length, offset)
            while len(data) < length:
                more = os.pread(self._descriptor, length - len(data), offset + len(data))
                if not more:
                    break
                data += more
            return data

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class DiskBlobs:
    """contract.BlobStore in a folder.

    `reserve` is the free space, in bytes, that writes leave alone. `sync` False is for measurements only. `tmpfile`
    False uses names for unfinished files, as on a filesystem without O_TMPFILE. Raises OSError where the folder
    cannot be made or written.
    """

    def __init__(self, root: Path, *, reserve: int, sync: bool = True, tmpfile: bool = True) -> None:
        self._blobs = root / "blobs"
        self._temporary = root / "tmp"
        self._quarantine = root / "quarantine"
        self._reserve = reserve
        self._sync = sync
        for folder in (self._blobs, self._temporary, self._quarantine):
            make_folders(folder)
        for leftover in self._temporary.iterdir():
            leftover.unlink()
        self._folders: list[SharedFolder] = []
        for number in range(256):
            folder = self._blobs / f"{number:02x}"
            folder.mkdir(mode=0o700, exist_ok=True)
            self._folders.append(SharedFolder(folder, sync=sync))
        self._roots = [SharedFolder(path, sync=sync) for path in (self._blobs, root, root.parent, self._quarantine)]
        for folder_above in self._roots:
            folder_above.settle()
        self._tmpfile = tmpfile and self._has_tmpfile()

    def _has_tmpfile(self) -> bool:
        try:
            os.close(os.open(self._temporary, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        except OSError as error:
            if error.errno in _NO_TMPFILE:
                return False
            raise
        return True

    def _folder(self, blob_id: bytes) -> SharedFolder:
        return self._folders[blob_id[0]]

    def room(self, length: int) -> None:
        with _translated():
            state = os.fstatvfs(self._roots[0].descriptor)
        if state.f_bavail * state.f_frsize - length < self._reserve:
            raise StoreFull("the reserve of free space is reached")

    def create(self, blob_id: bytes) -> _Writer:
        self.room(0)
        named: str | None = None
        with _translated():
            if self._tmpfile:
                flags = os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC
                descriptor = os.open(self._temporary, flags, 0o600)
            else:
                named = str(self._temporary / blob_id.hex())
                descriptor = os.open(named, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        return _Writer(descriptor, named, blob_id.hex(), self._folder(blob_id).descriptor, sync=self._sync)

    def settle(self, ids: Iterable[bytes]) -> None:
        with _translated():
            for folder in {self._folder(blob_id) for blob_id in ids}:
                folder.settle()

    def open(self, blob_id: bytes) -> _Reader:
        with _translated():
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
            return _Reader(os.open(blob_id.hex(), flags, dir_fd=self._folder(blob_id).descriptor))

    def length(self, blob_id: bytes) -> int | None:
        try:
            with _translated():
                return os.stat(blob_id.hex(), dir_fd=self._folder(blob_id).descriptor, follow_symlinks=False).st_size
        except BlobMissing:
            return None

    def remove(self, ids: Iterable[bytes]) -> None:
        ids = list(ids)
        with _translated():
            for blob_id in ids:
                with suppress(FileNotFoundError):
                    os.unlink(blob_id.hex(), dir_fd=self._folder(blob_id).descriptor)
        self.settle(ids)

    def quarantine(self, name: str) -> None:
        source = self._blobs / name[:2] / name
        with _translated():
            source.rename(self._quarantine / name)
            for folder in (self._folders[int(name[:2], 16)], self._roots[-1]):
                folder.settle()

    def names(self) -> Iterator[str]:
        with _translated():
            for number in range(256):
                with os.scandir(self._blobs / f"{number:02x}") as entries:
                    yield from (entry.name for entry in entries)

    def close(self) -> None:
        for folder in (*self._folders, *self._roots):
            folder.close()
        self._folders.clear()
        self._roots.clear()
