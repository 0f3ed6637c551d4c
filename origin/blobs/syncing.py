"""What makes files and names durable. The rule of this file: no other module syncs files or folders.

- `fdatasync` forces the bytes and the length, not the name (fsync(2)); a name is forced by syncing its folder.
- A sync that failed may have dropped the dirty pages and marked them clean, so it is never tried again (Rebello et al.,
  "Can Applications Recover from fsync Failures?", USENIX ATC 2020): what was to be synced is given up.
- A sync of a folder covers every change of its names made before it began, so those who wait share one.

The one exception is the catalog's own file, which SQLite syncs.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path


def sync_data(descriptor: int) -> None:
    """Return when the bytes of an open file are durable. Raises OSError, which is final."""
    os.fdatasync(descriptor)


def sync_folder(path: Path) -> None:
    """Return when the names in a folder are durable. Raises OSError, which is final."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folders(path: Path) -> None:
    """Make a folder (mode 0700) and those above it where they are missing, durably. Raises OSError."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in reversed(missing):
        sync_folder(folder.parent)


def write_new(path: Path, content: bytes) -> None:
    """Write a file that does not exist yet, mode 0600, durably: it has its name with all its bytes, or not at all.

    Raises OSError.
    """
    draft = path.with_name(f".{path.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        sync_data(descriptor)
    path.hardlink_to(draft)
    draft.unlink()
    sync_folder(path.parent)


class SharedFolder:
    """One folder whose syncs are shared. Without `sync` nothing is ever forced.

    It is opened for each sync: 256 folders kept open would be a quarter of the file handles that a process has by
    default, and opening one takes 3 µs.
    """

    def __init__(self, path: Path, *, sync: bool) -> None:
        self._path = path
        self._sync = sync
        self._turn = threading.Condition()
        self._begun = 0
        self._done = 0
        self._running = False
        self._failure: OSError | None = None

    def settle(self) -> None:
        """Return when a sync that began after this call has ended well.

        Raises OSError: after a failed sync every call fails; where no file handle is left, later calls may succeed.
        """
        if not self._sync:
            return
        with self._turn:
            needed = self._begun + 1
            while self._done < needed:
                if self._failure is not None:
                    raise self._failure
                if self._running:
                    self._turn.wait()
                else:
                    self._lead()

    def _lead(self) -> None:
        """Sync for everybody who waits; holds `_turn` except while the disk works."""
        descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._running = True
        self._begun += 1
        turn = self._begun
        self._turn.release()
        failure: OSError | None = None
        try:
            os.fsync(descriptor)
        except OSError as error:
            failure = error
        finally:
            os.close(descriptor)
            self._turn.acquire()
            self._running = False
            if failure is None:
                self._done = turn
            else:
                self._failure = failure
            self._turn.notify_all()
