"""The aws command of PyPI: cp, sync, sync --delete, presign, s3api, rb."""

from __future__ import annotations

import shutil
import ssl
import urllib.request
from pathlib import Path

from tests.clients import installed
from tests.clients.house import Door, contents, run


def test_aws_copies_syncs_presigns_and_removes(door: Door, large: Path, tree: Path, tmp_path: Path) -> None:
    aws = [installed.python("python").parent / "aws", "--endpoint-url", door.url]
    env = door.environment(tmp_path)
    bucket = f"s3://aws-{door.scheme}"
    run([*aws, "s3", "mb", bucket], env)
    run([*aws, "s3", "cp", large, f"{bucket}/large", "--acl", "public-read", "--quiet"], env)
    run([*aws, "s3", "cp", f"{bucket}/large", f"{bucket}/copy", "--quiet"], env)
    run([*aws, "s3", "cp", f"{bucket}/copy", tmp_path / "back", "--quiet"], env)
    assert (tmp_path / "back").read_bytes() == large.read_bytes()

    mine = tmp_path / "tree"
    shutil.copytree(tree, mine)
    run([*aws, "s3", "sync", mine, f"{bucket}/tree", "--quiet"], env)
    assert run([*aws, "s3", "sync", mine, f"{bucket}/tree"], env) == ""  # nothing is sent twice
    run([*aws, "s3", "sync", f"{bucket}/tree", tmp_path / "synced", "--quiet"], env)
    assert contents(tmp_path / "synced") == contents(mine)
    (mine / "plain.txt").unlink()
    told = run([*aws, "s3", "sync", mine, f"{bucket}/tree", "--delete", "--no-progress"], env)
    assert told.split() == ["delete:", f"{bucket}/tree/plain.txt"]

    url = run([*aws, "s3", "presign", f"{bucket}/tree/100%.txt"], env).strip()
    trust = ssl.create_default_context(cafile=str(door.authority)) if door.authority else None
    with urllib.request.urlopen(url, context=trust) as answer:
        assert answer.read() == (mine / "100%.txt").read_bytes()
    name = bucket.removeprefix("s3://")
    size = ["--query", "ContentLength", "--output", "text"]
    assert run([*aws, "s3api", "head-object", "--bucket", name, "--key", "large", *size], env).strip() == "20000000"
    run([*aws, "s3", "rb", "--force", bucket], env)
    assert name not in run([*aws, "s3", "ls"], env)
