"""boto3 at its defaults: the one of this year, which sends checksums in trailers, and one from before that."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.clients import installed
from tests.clients.house import Door, run

SCRIPTS = Path(__file__).parent / "scripts"


@pytest.mark.parametrize("age", ["new", "old"])
def test_boto3_uploads_reads_lists_presigns_and_deletes(door: Door, large: Path, tmp_path: Path, age: str) -> None:
    python = Path(sys.executable) if age == "new" else installed.python("python-old")
    shutil.copy(large, tmp_path / "file")
    told = run([python, SCRIPTS / "boto.py", door.bucket(f"boto-{age}"), tmp_path / "file"], door.environment(tmp_path))
    assert told.split()[1] == "SigV2"  # what boto3 presigns with where nobody says otherwise
