"""Promises about the generated pages: they are current, and the example file is accepted whole."""

from __future__ import annotations

from pathlib import Path

from conf.load import load, variables
from conf.pages import configuration_page, example_file

ROOT = Path(__file__).resolve().parents[2]


def test_the_pages_in_the_repository_are_current() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text() == configuration_page(), "run `make docs`"
    assert (ROOT / "facet.example.toml").read_text() == example_file(), "run `make docs`"


def test_every_setting_is_documented() -> None:
    page = configuration_page()
    for variable in variables():
        assert f"`{variable}`" in page


def test_the_example_file_with_nothing_commented_out_is_accepted(tmp_path: Path) -> None:
    lines = [
        line.removeprefix("# ")
        for line in example_file().splitlines()
        if " = " in line or line.startswith(("[", "# [["))
    ]
    kept = [line for line in lines if (not line.endswith('= ""') and " = " in line) or line.startswith("[")]
    file = tmp_path / "facet.toml"
    file.write_text("\n".join(kept))
    settings = load(file, environ={})
    assert settings.model_copy(update={"sites": ()}) == load(environ={})
    assert {site.name for site in settings.sites} == {"media", "assets"}
