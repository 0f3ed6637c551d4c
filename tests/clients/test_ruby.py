"""The Ruby SDK with Mastodon's exact calls, options and limits (5 s a call, no retries)."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.clients.house import Door, add_key, run
from tests.programs import missing, need

SCRIPTS = Path(__file__).parent / "scripts"


def test_mastodons_calls_work_within_its_limits(door: Door, large: Path, tmp_path: Path) -> None:
    ruby = need("ruby")
    if subprocess.run([ruby, "-e", "require 'aws-sdk-s3'"], capture_output=True, check=False).returncode:
        missing("the Ruby library aws-sdk-s3 (ruby-aws-sdk-s3) is not installed")
    key = add_key(door.facet, "--owner", "mastodon")
    bucket = door.bucket("mastodon", key)
    (tmp_path / "file").write_bytes(large.read_bytes())
    run([ruby, SCRIPTS / "mastodon.rb", bucket, tmp_path / "file"], door.environment(tmp_path, key))
