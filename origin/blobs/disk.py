"""Blobs as files: blobs/aa/<id>, where aa is the id's first byte in hexadecimal.

The rule of this file: a blob's bytes are durable before it has a name, and its name before anybody is told.

O_TMPFILE makes a file without a name, which a crash leaves no trace of (open(2)); linkat(2) through /proc names it and
refuses a name that exists. Where a filesystem has no O_TMPFILE, the file has a name under tmp/ that is removed after
linking; the folder is emptied at every start.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from origin.blobs.contract import BlobError, BlobMissing, BlobUnreadable, StoreBusy, StoreFull, StoreReadOnly
from origin.blobs.reserve import Reserve
from origin.blobs.syncing import SharedFolder, make_folders, sync_data

_KINDS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), StoreFull),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN), StoreBusy),
    errno.EROFS: StoreReadOnly,
}
_FOLDERS = tuple(f"{number:02x}" for number in range(256))
_ID = re.compile(r"[0-9a-f]{32}")
_NO_TMPFILE = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT})


def _place(blob_id: bytes) -> str:
    """A blob's path in the folder of blobs."""
    name = blob_id.hex()
    return f"{name[:2]}/{name}"


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise BlobMissing(str(error)) from error
    except OSError as error:
        raise _KINDS.get(error.errno or 0, BlobError)(str(error)) from error


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
        self._room = bytearray()

    def warm(self, offset: int, length: int) -> memoryview | None:
        assert self._descriptor is not None
        if len(self._room) < length:
            self._room = bytearray(length)
        room = memoryview(self._room)[:length]
        try:
            # From the page cache or not at all (preadv2(2)); file systems that cannot say so refuse.
            return room if os.preadv(self._descriptor, [room], offset, os.RWF_NOWAIT) == length else None
        except OSError:
            return None

    def read(self, offset: int, length: int) -> bytes:
        assert self._descriptor is not None
        try:
            data = os.pread(self._descriptor, length, offset)
            while len(data) < length:
                more = os.pread(self._descriptor, length - len(data), offset + len(data))
                if not more:
                    break
                data += more
            return data
        except OSError as error:
            raise (BlobUnreadable if error.errno == errno.EIO else BlobError)(str(error)) from error

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

    distant = False

    def __init__(self, root: Path, *, reserve: int, sync: bool = True, tmpfile: bool = True) -> None:
        self._blobs = root / "blobs"
        self._temporary = root / "tmp"
        self._quarantine = root / "quarantine"
        self._sync = sync
        for folder in (self._blobs, self._temporary, self._quarantine):
            make_folders(folder)
        for leftover in self._temporary.iterdir():
            leftover.unlink()
        self._folders = [SharedFolder(self._blobs / name, sync=sync) for name in _FOLDERS]
        for name in _FOLDERS:
            (self._blobs / name).mkdir(mode=0o700, exist_ok=True)
        self._quarantined = SharedFolder(self._quarantine, sync=sync)
        for above in (self._blobs, root, root.parent):
            SharedFolder(above, sync=sync).settle()
        self._descriptor = os.open(self._blobs, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._reserve = Reserve(self._descriptor, reserve)
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
            self._reserve.keep(length)

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
        return _Writer(descriptor, named, _place(blob_id), self._descriptor, sync=self._sync)

    def settle(self, ids: Iterable[bytes]) -> None:
        with _translated():
            for folder in {self._folder(blob_id) for blob_id in ids}:
                folder.settle()

    def open(self, blob_id: bytes) -> _Reader:
        with _translated():
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
            return _Reader(os.open(_place(blob_id), flags, dir_fd=self._descriptor))

    def length(self, blob_id: bytes) -> int | None:
        try:
            with _translated():
                return os.stat(_place(blob_id), dir_fd=self._descriptor, follow_symlinks=False).st_size
        except BlobMissing:
            return None

    def remove(self, ids: Iterable[bytes]) -> list[bytes]:
        ids = list(ids)
        with _translated():
            for blob_id in ids:
                with suppress(FileNotFoundError):
                    os.unlink(_place(blob_id), dir_fd=self._descriptor)
        gone: list[bytes] = []
        for first in {blob_id[0] for blob_id in ids}:
            mine = [blob_id for blob_id in ids if blob_id[0] == first]
            # A folder whose sync failed keeps no other from being emptied.
            with suppress(BlobError):
                self.settle(mine)
                gone += mine
        return gone

    def quarantine(self, name: str) -> None:
        place = name if name.startswith("./") else f"{name[:2]}/{name}"
        source = self._blobs / place
        plain = name.removeprefix("./").replace("/", "_")
        target = self._quarantine / plain
        with _translated():
            number = 0
            while os.path.lexists(target):
                number += 1
                target = self._quarantine / f"{plain}.{number}"
            source.rename(target)
            SharedFolder(source.parent, sync=self._sync).settle()
            self._quarantined.settle()

    def names(self) -> Iterator[str]:
        with _translated(), os.scandir(self._blobs) as entries:
            for entry in entries:
                if entry.name not in _FOLDERS or not entry.is_dir(follow_symlinks=False):
                    yield f"./{entry.name}"
        for folder in _FOLDERS:
            with _translated(), os.scandir(self._blobs / folder) as entries:
                for entry in entries:
                    own = (
                        _ID.fullmatch(entry.name) and entry.name[:2] == folder and entry.is_file(follow_symlinks=False)
                    )
                    yield entry.name if own else f"./{folder}/{entry.name}"

    def close(self) -> None:
        os.close(self._descriptor)
