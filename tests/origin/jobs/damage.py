"""Ways in which files and rows go bad."""

from __future__ import annotations

from pathlib import Path

import apsw

from conf.schema import Settings
from tests.origin.storage.support import blob_files


def flip(path: Path, at: int = 1000) -> None:
    """One bit changes."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    """The last byte is gone."""
    path.write_bytes(path.read_bytes()[:-1])


def swap(settings: Settings) -> None:
    """Two files of equal length change places."""
    one, two = blob_files(settings)[:2]
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def sql(settings: Settings, statement: str) -> None:
    """What no code of ours does."""
    connection = apsw.Connection(str(settings.origin_data / "catalog.sqlite"))
    connection.execute(statement)
    connection.close()
