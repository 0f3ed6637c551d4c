"""Matrix Synapse: the class of synapse-s3-storage-provider itself stores and fetches."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.clients import installed
from tests.clients.house import Door, run

SCRIPT = Path(__file__).parent / "scripts" / "synapse_media.py"


def test_synapses_storage_provider_stores_and_fetches(door: Door, large: Path, tmp_path: Path) -> None:
    python = installed.python("synapse")
    file = "local_content/Or/Xw/kRUBvnJtMrBqxVoxFEoj"
    (tmp_path / file).parent.mkdir(parents=True)
    shutil.copy(large, tmp_path / file)
    bucket = door.bucket("synapse")
    told = run([python, SCRIPT, bucket, tmp_path, file], door.environment(tmp_path))
    assert told.strip() == "stored and fetched"
    assert door.facet.s3().head_object(Bucket=bucket, Key=f"media/{file}")["ContentLength"] == large.stat().st_size
