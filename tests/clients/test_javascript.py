"""@aws-sdk/client-s3 with lib-storage and the presigner as PeerTube and Misskey use them, and minio-js."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.clients import installed
from tests.clients.house import Door, run
from tests.programs import need

SCRIPTS = Path(__file__).parent / "scripts"


@pytest.mark.parametrize("application", ["peertube", "misskey", "minio"])
def test_node_programs_store_and_read(door: Door, large: Path, tmp_path: Path, application: str) -> None:
    modules, node = installed.node_modules(), need("node")
    (tmp_path / "node_modules").symlink_to(modules)
    script = shutil.copy(SCRIPTS / f"{application}.mjs", tmp_path)
    run([node, script, door.bucket(application), large], door.environment(tmp_path), tmp_path)
