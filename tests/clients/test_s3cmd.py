"""s3cmd: put, get, sync, setacl, cp, mv, signurl, info, del."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.clients.house import ROOT, Door, contents, run
from tests.programs import need


def test_s3cmd_puts_syncs_sets_acls_and_signs(door: Door, large: Path, tree: Path, tmp_path: Path) -> None:
    tls = ["--ssl", f"--ca-certs={door.authority}"] if door.authority else ["--no-ssl"]
    account = [f"--access_key={ROOT.access}", f"--secret_key={ROOT.secret}"]
    hosts = [f"--host={door.address}", f"--host-bucket={door.address}"]
    loud = [need("s3cmd"), "--config", tmp_path / "config", *account, *hosts, *tls]
    s3cmd = [*loud, "--quiet"]
    env = door.environment(tmp_path)
    (tmp_path / "config").write_text(f"[default]\nsignurl_use_https = {door.scheme == 'https'}\n")
    trust = ssl.create_default_context(cafile=str(door.authority)) if door.authority else None
    bucket = f"s3://s3cmd-{door.scheme}"
    link = f"{door.url}/s3cmd-{door.scheme}/large"

    run([*s3cmd, "mb", bucket], env)
    run([*s3cmd, "put", large, f"{bucket}/large"], env)
    run([*s3cmd, "get", f"{bucket}/large", tmp_path / "back"], env)
    assert (tmp_path / "back").read_bytes() == large.read_bytes()
    run([*s3cmd, "sync", f"{tree}/", f"{bucket}/tree/"], env)
    (tmp_path / "synced").mkdir()
    run([*s3cmd, "sync", f"{bucket}/tree/", f"{tmp_path / 'synced'}/"], env)
    assert contents(tmp_path / "synced") == contents(tree)
    assert "upload:" not in run([*loud, "sync", "--dry-run", f"{tree}/", f"{bucket}/tree/"], env)

    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(link, context=trust)
    run([*s3cmd, "setacl", "--acl-public", f"{bucket}/large"], env)
    with urllib.request.urlopen(link, context=trust) as answer:
        assert len(answer.read()) == large.stat().st_size
    run([*s3cmd, "setacl", "--acl-private", f"{bucket}/large"], env)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(link, context=trust)
    signed = run([*loud, "signurl", f"{bucket}/tree/plain.txt", "+600"], env).strip()
    with urllib.request.urlopen(signed, context=trust) as answer:
        assert answer.read() == (tree / "plain.txt").read_bytes()

    run([*s3cmd, "cp", f"{bucket}/large", f"{bucket}/copy"], env)
    run([*s3cmd, "mv", f"{bucket}/copy", f"{bucket}/moved"], env)
    assert "20000000" in run([*loud, "info", f"{bucket}/moved"], env)
    run([*s3cmd, "del", "--recursive", "--force", f"{bucket}/"], env)
    run([*s3cmd, "rb", bucket], env)
