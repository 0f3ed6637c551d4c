"""What `facet doctor` sees of an installation: a running one, a broken one, and one that is not there."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.nginx.running import free_port
from tests.pki import make_pki
from tests.programs import need
from tests.running import ROOT_KEY, facet_up


def doctor(*arguments: str, code: int, **settings: str) -> Any:
    """What `facet doctor --json` says."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FACET_")}
    done = subprocess.run(
        [sys.executable, "-m", "facet", "doctor", "--json", *arguments],
        env=clean | settings,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def states(told: Any, check: str) -> dict[str, str]:
    """What was seen by one check, each with its state."""
    return {one["saw"]: one["state"] for one in told["findings"] if one["check"] == check}


def test_a_running_installation_has_nothing_to_mend(tmp_path: Path) -> None:
    need("nginx")
    pki = make_pki(tmp_path, ["localhost"])
    site = '[{"name": "media", "host": "localhost", "bucket": "media"}]'
    with facet_up(tmp_path, {"FACET_SITES": site}) as running:
        told = doctor(
            code=0,
            FACET_DATA=str(running.data),
            FACET_ORIGIN_LISTEN=running.origin.removeprefix("http://"),
            FACET_EDGE_LISTEN=running.edge.removeprefix("http://"),
            FACET_EDGE_ADMIN=running.admin.removeprefix("http://"),
            FACET_SITES=site,
            FACET_NGINX_CERTIFICATE=str(pki.certificate),
            FACET_NGINX_CERTIFICATE_KEY=str(pki.key),
            **ROOT_KEY,
        )
    assert told["ok"]
    assert set(states(told, "ports").values()) == {"ok"}
    assert set(states(told, "keys").values()) == {"ok"}
    assert set(states(told, "clock").values()) == {"ok"}
    assert set(states(told, "cors").values()) == {"ok"}
    assert states(told, "nginx")["takes the configuration that `facet nginx` writes"] == "ok"
    assert set(states(told, "dns").values()) == {"ok"}
    assert "warn" in states(told, "certificate").values()  # which ends in a day
    assert states(told, "codecs")["AVIF can be written and read"] == "ok"


def test_a_wrong_setting_is_a_finding_and_no_crash(tmp_path: Path) -> None:
    (tmp_path / "facet.toml").write_text('dta = "/srv"\n')
    told = doctor("--config", str(tmp_path / "facet.toml"), code=1)
    assert [one["check"] for one in told["findings"]] == ["settings"]
    assert "did you mean data?" in told["findings"][0]["saw"]


def test_keys_that_others_may_read_and_a_lost_master_key_fail(tmp_path: Path) -> None:
    (tmp_path / "origin").mkdir()
    (tmp_path / "origin/catalog.sqlite").touch()
    (tmp_path / "edge-key.json").write_text("{}")
    (tmp_path / "edge-key.json").chmod(0o644)
    told = doctor("--data", str(tmp_path), code=1)
    seen = states(told, "keys")
    assert seen[f"{tmp_path}/master.key is missing"] == "fail"
    assert seen[f"{tmp_path}/edge-key.json can be read by others (mode 0644)"] == "fail"


def test_a_port_that_another_program_has_and_a_public_admin_listener_fail(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        other.close()
        with socket.create_server(("127.0.0.1", int(taken.partition(":")[2]))) as silent:
            silent.close()
        with socket.socket() as held:
            held.bind(("127.0.0.1", int(taken.partition(":")[2])))
            told = doctor(
                code=1,
                FACET_DATA=str(tmp_path),
                FACET_ORIGIN_LISTEN=taken,
                FACET_EDGE_ADMIN=f"0.0.0.0:{free_port()}",
            )
    seen = states(told, "ports")
    assert any(taken in saw and state == "fail" for saw, state in seen.items())
    assert seen["edge.admin listens on 0.0.0.0"] == "fail"


@pytest.mark.parametrize(
    ("site", "check", "saw"),
    [
        ({"host": "media.facet.invalid"}, "dns", "media.facet.invalid has no address"),
        ({"host": "localhost", "cors": ""}, "cors", "site media adds none"),
    ],
)
def test_what_the_world_cannot_reach_or_read_is_named(
    tmp_path: Path, site: dict[str, str], check: str, saw: str
) -> None:
    sites = json.dumps([{"name": "media", "bucket": "media"} | site])
    told = doctor(code=1, FACET_DATA=str(tmp_path), FACET_SITES=sites)
    assert saw in states(told, check)


def test_a_certificate_of_another_name_fails(tmp_path: Path) -> None:
    pki = make_pki(tmp_path, ["other.example.com"])
    sites = '[{"name": "media", "host": "localhost", "bucket": "media"}]'
    told = doctor(code=1, FACET_DATA=str(tmp_path), FACET_SITES=sites, FACET_NGINX_CERTIFICATE=str(pki.certificate))
    assert states(told, "certificate") == {f"{pki.certificate} is not for localhost": "fail"}


def test_people_get_a_table(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "facet", "doctor", "--data", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, env=dict(os.environ, PATH=os.environ["PATH"]))
    assert done.returncode == 0, done.stdout
    assert "what to change" in done.stdout
    assert not list(tmp_path.iterdir())  # the doctor leaves nothing behind
