"""restic: a whole life of a repository, and a create-only key that may delete only its locks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.clients.house import Door, add_key, contents, run
from tests.programs import need


def restic(door: Door) -> list[str]:
    return [need("restic"), *(["--cacert", str(door.authority)] if door.authority else [])]


def test_restic_backs_up_checks_forgets_prunes_and_restores(
    door: Door, large: Path, tree: Path, tmp_path: Path
) -> None:
    command = restic(door)
    bucket = f"restic-{door.scheme}"  # restic init makes it
    env = door.environment(tmp_path) | {"RESTIC_REPOSITORY": f"s3:{door.url}/{bucket}", "RESTIC_PASSWORD": "secret"}
    env.pop("AWS_CA_BUNDLE", None)
    mine = tmp_path / "mine"
    shutil.copytree(tree, mine)
    run([*command, "init"], env)
    run([*command, "backup", "mine", str(large)], env, tmp_path)
    (mine / "plain.txt").unlink()
    run([*command, "backup", "mine"], env, tmp_path)
    run([*command, "check", "--read-data"], env)
    run([*command, "forget", "--keep-last", "1", "--group-by", "host", "--prune"], env)
    run([*command, "check", "--read-data"], env)
    run([*command, "restore", "latest", "--target", tmp_path / "restored"], env)
    assert contents(tmp_path / "restored" / "mine") == contents(mine)


def test_a_create_only_key_backs_up_and_can_destroy_nothing(door: Door, tree: Path, tmp_path: Path) -> None:
    command = restic(door)
    owner = add_key(door.facet, "--owner", "backup")
    bucket = door.bucket("appended", owner)
    key = add_key(
        door.facet, "--owner", "backup", "--allow", "read,create-only", "--allow-delete", "locks/", "--bucket", bucket
    )
    env = door.environment(tmp_path, key) | {
        "RESTIC_REPOSITORY": f"s3:{door.url}/{bucket}",
        "RESTIC_PASSWORD": "secret",
    }
    env.pop("AWS_CA_BUNDLE", None)
    run([*command, "init"], env)
    run([*command, "backup", "."], env, tree)
    run([*command, "backup", "."], env, tree)
    s3 = door.facet.s3(access=owner.access, secret=owner.secret)
    stored = {each["Key"]: each["ETag"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]}
    assert not [name for name in stored if name.startswith("locks/")]  # every lock was taken away again
    if door.authority is None:  # restic asks again for most of a minute before it believes a refusal
        run([*command, "forget", "--keep-last", "1"], env, fails=True)
    run([*command, "check", "--read-data"], env)
    mine = door.facet.s3(access=key.access, secret=key.secret)
    for name in stored:
        with pytest.raises(ClientError, match="AccessDenied"):
            mine.put_object(Bucket=bucket, Key=name, Body=b"ruined")
        with pytest.raises(ClientError, match="AccessDenied"):
            mine.delete_object(Bucket=bucket, Key=name)
    now = {each["Key"]: each["ETag"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]}
    assert {name: tag for name, tag in now.items() if not name.startswith("locks/")} == stored
