"""The data folder: one owner at a time, and the keys that a first start makes.

The rule of this file: whatever is wrong is one StartError that names the file or setting. A key file is
replaced only by one that the key ring asked for, and a master key is made only where no catalog could need another.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import orjson

from conf.errors import StartError
from conf.schema import Settings
from origin.blobs.syncing import make_folders, sync_folder, write_new
from origin.seal.keyring import BadKeyFile, KeyRing

_PAGE = "see docs/operations.md"


def make_folder(path: Path, setting: str) -> None:
    """Make a folder where it is missing. Raises StartError where that, or writing in it, is not possible."""
    try:
        make_folders(path)
    except OSError as error:
        raise StartError(f"cannot make {path} ({setting}): {error.strerror}") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise StartError(f"cannot write in {path} ({setting}): its owner or mode forbids it ({_PAGE})")


class FolderLock:
    """The lock of a folder, held while this is open. Raises StartError where another process holds it, with `who`."""

    def __init__(self, path: Path, who: str = "another origin process") -> None:
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StartError(f"cannot write {path} (data): {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            raise StartError(f"{path.parent} (data) is in use by {who} ({_PAGE})") from error

    def close(self) -> None:
        """Release the lock. The file stays: removing it would let two processes hold two locks."""
        os.close(self._descriptor)


def write_secret(path: Path, text: str) -> None:
    """Write a new file, mode 0600, durably. Raises StartError where it exists or cannot be written."""
    make_folder(path.parent, "data")
    try:
        write_new(path, text.encode())
    except OSError as error:
        raise StartError(f"cannot write {path}: {error.strerror}") from error


def replace_secret(path: Path, text: str) -> None:
    """Put a new text in the place of a file, durably, so that always one of both is there. Raises OSError."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    write_new(fresh, text.encode())
    fresh.replace(path)
    sync_folder(path.parent)


def write_key_file(path: Path, access_key: str, secret_key: str) -> None:
    """Write an access key's JSON file."""
    text = orjson.dumps({"access_key": access_key, "secret_key": secret_key}).decode() + "\n"
    write_secret(path, text)


def read_key_file(path: Path) -> tuple[str, str] | None:
    """Access key and secret of a JSON file; None where there is no such file. Raises StartError."""
    try:
        content = orjson.loads(path.read_bytes())
        return str(content["access_key"]), str(content["secret_key"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StartError(f"the key file {path} cannot be read as JSON with access_key and secret_key") from error


def export_master_keys(settings: Settings, target: Path) -> list[dict[str, str]]:
    """Copy the key file to a new file, mode 0600; returns ids and fingerprints. Raises StartError."""
    ring = read_master_keys(settings)
    if ring is None:
        raise StartError(f"there is no master key {settings.master_key} (master_key_file)")
    write_secret(target, ring.render())
    return [{"id": key_id, "fingerprint": ring.fingerprint(key_id)} for key_id in ring.ids]


def read_master_keys(settings: Settings) -> KeyRing | None:
    """The master keys; None where there is no such file. Raises StartError where it cannot be read."""
    path = settings.master_key
    try:
        return KeyRing.parse(path.read_text())
    except FileNotFoundError:
        return None
    except BadKeyFile as error:
        raise StartError(
            f"the master key {path} (master_key_file) cannot be used: {error} (see docs/operations.md)"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(
            f"the master key {path} (master_key_file) cannot be read: {error} (see docs/operations.md)"
        ) from error


def master_keys(settings: Settings, catalog: Path, fresh: KeyRing) -> KeyRing:
    """The master keys; `fresh` is written and returned where neither file nor catalog exist.

    Raises StartError where the file is missing although there is data, or cannot be read.
    """
    path = settings.master_key
    ring = read_master_keys(settings)
    if ring is not None:
        return ring
    if catalog.exists():
        raise StartError(
            f"the master key {path} (master_key_file) is missing, and {catalog.parent} holds data that needs it:"
            f" put the file back ({_PAGE})"
        )
    write_secret(path, fresh.render())
    return fresh
