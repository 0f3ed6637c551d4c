"""Python programs other than boto3 itself: minio-py, obstore, django-storages, s3fs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.clients import installed
from tests.clients.house import Door, run

SCRIPTS = Path(__file__).parent / "scripts"


@pytest.mark.parametrize(
    ("client", "venv"),
    [("minio_py", "python"), ("objects", "python"), ("django_files", "python"), ("filesystem", "s3fs")],
)
def test_python_programs_store_and_read(door: Door, large: Path, tmp_path: Path, client: str, venv: str) -> None:
    script = SCRIPTS / f"{client}.py"
    shutil.copy(large, tmp_path / "file")
    bucket = door.bucket(client.replace("_", "-"))
    run([installed.python(venv), script, bucket, tmp_path / "file"], door.environment(tmp_path))
