"""docs/guides: every block is the settings' own, the doctor's own, or read by a parser of its language."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml

from conf.schema import Settings
from doctor.apps import App, block, names, read_app
from doctor.place import find_place
from doctor.refusals import refusals
from edge.nginx import configuration
from edge.policy.sites import Sites
from tests.guides.pages import EVERY, FOLDER, PAGES, Block
from tests.nginx.running import free_port
from tests.pki import make_pki
from tests.programs import need


def named(language: str, check: str = "") -> list[Block]:
    """The blocks of one kind."""
    return [one for one in EVERY if one.language == language and one.check.startswith(check)]


def test_no_block_is_without_a_check() -> None:
    kinds = [("toml", "facet"), ("sh", "run"), ("sh", "admin"), ("json", ""), ("yaml", ""), ("xml", ""), ("nginx", "")]
    loose = [one for one in EVERY if (one.language, one.check) not in kinds and not one.check.startswith("doctor=")]
    assert not loose, "\n".join(map(str, loose))
    indented = [page for page in PAGES if re.search(r"\n\n    \S", (FOLDER / f"{page}.md").read_text())]
    assert not indented, f"indented code, which nothing checks: {indented}"


@pytest.mark.parametrize("one", named("toml", "facet"), ids=str)
def test_settings_on_a_page_are_settings_and_make_an_nginx_configuration(one: Block, tmp_path: Path) -> None:
    settings = Settings.model_validate(tomllib.loads(one.text))
    Sites(settings)
    pki = make_pki(tmp_path, ["localhost"])
    here = dict.fromkeys(("logs", "state", "acme"), tmp_path) | {"pid": tmp_path / "pid", "listen": ("127.0.0.1",)}
    here |= {"certificate": pki.certificate, "certificate_key": pki.key, "http": free_port(), "https": free_port()}
    there = settings.model_copy(update={"nginx": settings.nginx.model_copy(update=here)})
    (tmp_path / "nginx.conf").write_text(configuration(there))
    words = [need("nginx"), "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("one", [one for one in EVERY if one.check.startswith("doctor=")], ids=str)
def test_an_applications_settings_are_what_the_doctor_prints(one: Block) -> None:
    name = one.check.removeprefix("doctor=")
    app: App = read_app(name)
    place = find_place(Settings.model_validate(tomllib.loads(one.settings)), name, app.bucket, None, None)
    assert list(refusals(app, place)) == []
    assert one.text == block(app, place)
    assert one.language == app.format


def test_every_application_the_doctor_knows_has_its_block_on_a_page() -> None:
    assert {one.check.removeprefix("doctor=") for one in EVERY if one.check.startswith("doctor=")} == set(names())


def test_every_page_is_in_the_index() -> None:
    index = (FOLDER / "README.md").read_text()
    assert {page for page in PAGES if page != "README" and f"({page}.md)" not in index} == set()


@pytest.mark.parametrize("one", named("sh"), ids=str)
def test_shell_is_shell(one: Block) -> None:
    done = subprocess.run(["bash", "-n"], input=one.text, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("one", named("json") + named("yaml") + named("xml"), ids=str)
def test_data_can_be_read(one: Block) -> None:
    match one.language:
        case "json":
            json.loads(one.text)
        case "yaml":
            assert isinstance(yaml.safe_load(one.text), dict)
        case "xml":
            ElementTree.fromstring(one.text)


@pytest.mark.parametrize("one", named("nginx"), ids=str)
def test_nginx_takes_it(one: Block, tmp_path: Path) -> None:
    whole = f"pid {tmp_path}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{one.text}\n}}\n"
    (tmp_path / "nginx.conf").write_text(whole)
    words = [need("nginx"), "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("one", named("php"), ids=str)
def test_php_is_php(one: Block, tmp_path: Path) -> None:
    php = need("php")
    (tmp_path / "config.php").write_text(f"<?php\n$CONFIG = [\n{one.text}];\n")
    done = subprocess.run([php, "-l", str(tmp_path / "config.php")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
