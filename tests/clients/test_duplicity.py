"""duplicity: a full and an incremental backup, verified and restored."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.clients.house import Door, contents, run
from tests.programs import need


def test_duplicity_backs_up_verifies_and_restores(door: Door, tree: Path, tmp_path: Path) -> None:
    options = ["--no-encryption", "--s3-endpoint-url", door.url, "--s3-region-name", "us-east-1"]
    duplicity = [need("duplicity"), "--archive-dir", tmp_path / "archive"]
    env = door.environment(tmp_path) | {"PATH": "/usr/bin:/bin"}
    target = f"boto3+s3://{door.bucket('duplicity')}/backup"
    mine = tmp_path / "mine"
    shutil.copytree(tree, mine)
    run([*duplicity, "full", *options, mine, target], env)
    (mine / "plain.txt").write_text("changed")
    run([*duplicity, "incremental", *options, mine, target], env)
    assert "0 differences found" in run([*duplicity, "verify", "--compare-data", *options, target, mine], env)
    run([*duplicity, "restore", *options, target, tmp_path / "restored"], env)
    assert contents(tmp_path / "restored") == contents(mine)
    run([*duplicity, "remove-all-but-n-full", "1", "--force", *options, target], env)
