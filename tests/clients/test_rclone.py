"""rclone at its defaults: sync, check, copies on the server, and a second sync that sends nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.house import Door, contents, run
from tests.programs import need


@pytest.mark.parametrize("provider", ["Other", "Minio"])
def test_rclone_syncs_checks_and_copies(door: Door, large: Path, tree: Path, tmp_path: Path, provider: str) -> None:
    env = door.environment(tmp_path) | {
        "RCLONE_CONFIG_F_TYPE": "s3",
        "RCLONE_CONFIG_F_PROVIDER": provider,
        "RCLONE_CONFIG_F_ENDPOINT": door.url,
        "RCLONE_CONFIG_F_ENV_AUTH": "true",
    }
    env.pop("AWS_CA_BUNDLE", None)  # rclone 1.60 fails on it
    rclone = [need("rclone"), *(["--ca-cert", str(door.authority)] if door.authority else [])]
    remote = f"f:rclone-{provider.lower()}-{door.scheme}"
    run([*rclone, "sync", tree, f"{remote}/tree"], env)
    run([*rclone, "check", tree, f"{remote}/tree"], env)
    run([*rclone, "check", "--download", tree, f"{remote}/tree"], env)
    assert run([*rclone, "sync", "--stats-one-line", "-v", tree, f"{remote}/tree", "--dry-run"], env) == ""
    run([*rclone, "copyto", large, f"{remote}/large.mp4", "--s3-upload-cutoff", "5M"], env)
    run([*rclone, "copyto", f"{remote}/large.mp4", f"{remote}/copy"], env)  # by the server
    run([*rclone, "check", large.parent, remote, "--include", "/large.mp4"], env)
    run([*rclone, "copy", f"{remote}/tree", tmp_path / "back"], env)
    assert contents(tmp_path / "back") == contents(tree)
    assert run([*rclone, "size", remote, "--json"], env).startswith('{"count":9,')
    run([*rclone, "purge", remote], env)
    assert remote.partition(":")[2] not in run([*rclone, "lsd", "f:"], env)
