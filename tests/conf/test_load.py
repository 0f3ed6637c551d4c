"""Promises about settings: later sources win, and a wrong one is named with its value, what is allowed and the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.errors import StartError
from conf.load import dump, load, variables
from conf.values import KIB, parse_size


def refused(**environ: str) -> str:
    with pytest.raises(StartError) as caught:
        load(environ=environ)
    message = str(caught.value)
    assert "\n" not in message
    assert "docs/configuration.md" in message
    return message


def test_everything_has_a_default() -> None:
    settings = load(environ={})
    assert settings.origin.listen == "127.0.0.1:9000"
    assert settings.edge.listen == "127.0.0.1:8080"
    assert settings.edge.admin == "127.0.0.1:8081"


def test_variables_win_over_the_file_and_the_command_line_over_both(tmp_path: Path) -> None:
    file = tmp_path / "facet.toml"
    file.write_text(
        'data = "/from/file"\n[edge]\nlisten = "127.0.0.1:1"\nrevalidate = 7\n[origin]\nlisten = "127.0.0.1:2"\n'
    )
    environ = {"FACET_CONFIG": str(file), "FACET_EDGE_LISTEN": "127.0.0.1:3", "FACET_ORIGIN_LISTEN": "127.0.0.1:4"}
    settings = load(overrides={"origin.listen": "127.0.0.1:5", "edge.admin": None}, environ=environ)
    assert settings.data == Path("/from/file")
    assert settings.edge.revalidate == 7
    assert settings.edge.listen == "127.0.0.1:3"
    assert settings.origin.listen == "127.0.0.1:5"
    assert settings.edge.admin == "127.0.0.1:8081"


def test_lists_are_written_with_commas_and_sites_as_json() -> None:
    sites = '[{"name": "media", "host": "Media.Example.com", "bucket": "m"}]'
    settings = load(environ={"FACET_ORIGIN_DOMAINS": "s3.example.com, s3.example.org", "FACET_SITES": sites})
    assert settings.origin.domains == ("s3.example.com", "s3.example.org")
    assert settings.sites[0].host == "media.example.com"


@pytest.mark.parametrize(
    ("variable", "value", "parts"),
    [
        ("FACET_EDGE_LISTEN", "nowhere", ["edge.listen", "'nowhere'", "HOST:PORT"]),
        ("FACET_EDGE_LISTEN", "1.2.3.4:70000", ["edge.listen", "70000", "HOST:PORT"]),
        ("FACET_ORIGIN_MAX_PUT", "1 parsec", ["origin.max_put", "parsec", "MiB"]),
        ("FACET_LOG_LEVEL", "loud", ["log.level", "'loud'", "'debug'"]),
        ("FACET_EDGE_PROCESSES", "-1", ["edge.processes", "-1", "greater than or equal to 0"]),
        ("FACET_EDGE_LISTN", "127.0.0.1:1", ["FACET_EDGE_LISTN", "FACET_EDGE_LISTEN"]),
        ("FACET_SITES", "{", ["sites", "JSON"]),
        ("FACET_SITES", '[{"name": "a", "host": "a.b"}]', ["sites.0", "bucket or upstream"]),
        ("FACET_SITES", '[{"name": "a", "host": "a.b", "bucket": "x", "wat": 1}]', ["sites.0.wat", "not a setting"]),
        ("FACET_SITES", '[{"name": "a", "host": "http://a", "bucket": "x"}]', ["sites.0.host", "host name"]),
        ("FACET_ROOT_ACCESS_KEY", "onlyhalf", ["root_secret_key", "together"]),
    ],
)
def test_a_wrong_setting_is_named_with_its_value_and_what_is_allowed(
    variable: str, value: str, parts: list[str]
) -> None:
    message = refused(**{variable: value})
    for part in parts:
        assert part in message


def test_a_wrong_secret_is_not_shown() -> None:
    message = refused(FACET_ROOT_ACCESS_KEY="rootkey", FACET_ROOT_SECRET_KEY="hunter2")
    assert "root_secret_key" in message
    assert "hunter2" not in message


def test_a_file_that_is_missing_or_not_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="cannot be read"):
        load(tmp_path / "none.toml", environ={})
    broken = tmp_path / "broken.toml"
    broken.write_text("data = ")
    with pytest.raises(StartError, match=r"broken\.toml is not TOML"):
        load(broken, environ={})


def test_an_unknown_section_or_key_in_the_file_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "facet.toml"
    file.write_text("[edgy]\nlisten = 1\n")
    with pytest.raises(StartError, match=r"edgy.*not a setting"):
        load(file, environ={})
    file.write_text('edge = "here"\n')
    with pytest.raises(StartError, match="edge"):
        load(file, environ={"FACET_EDGE_LISTEN": "127.0.0.1:1"})


def test_a_child_gets_exactly_the_settings_of_its_supervisor() -> None:
    settings = load(
        environ={"FACET_ORIGIN_MAX_PUT": "1 MiB", "FACET_SITES": '[{"name":"a","host":"a.b","bucket":"x"}]'}
    )
    assert load(environ={"FACET_SETTINGS_JSON": dump(settings), "FACET_EDGE_LISTEN": "9.9.9.9:9"}) == settings


def test_every_setting_has_a_variable_of_its_own() -> None:
    names = variables()
    assert len(set(names.values())) == len(names)
    assert names["FACET_ORIGIN_MAX_PUT"] == "origin.max_put"


@given(st.integers(min_value=0, max_value=10**15))
def test_a_size_reads_back_as_it_is_written(size: int) -> None:
    assert parse_size(str(size)) == size
    assert parse_size(f"{size} KiB") == size * KIB
