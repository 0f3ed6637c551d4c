"""The configuration as text: what the settings become, and what no setting can become."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from conf.errors import StartError
from conf.schema import Settings
from edge.nginx import Token, configuration, nginx_command, servers_only
from edge.nginx import _only_tokens as only_tokens

S3 = {"s3_host": "s3.example.com"}


def settings(**values: Any) -> Settings:
    return Settings.model_validate(values)


def hostile(base: Settings, section: str, **values: Any) -> Settings:
    """Settings that skipped validation: the text must hold even where the schema would not."""
    changed = getattr(base, section).model_copy(update=values)
    return base.model_copy(update={section: changed})


def test_the_header_names_the_command_that_made_it() -> None:
    assert "made by: facet nginx" in configuration(settings(nginx=S3)).splitlines()[0]


def test_a_configuration_with_nothing_to_serve_is_refused_with_the_settings_to_give() -> None:
    with pytest.raises(StartError, match=r"sites, nginx\.media_hosts or nginx\.s3_host"):
        configuration(settings())


def test_a_host_is_never_both_a_site_and_the_s3_endpoint() -> None:
    site = {"name": "media", "host": "s3.example.com", "bucket": "media"}
    with pytest.raises(StartError, match=r"s3\.example\.com"):
        configuration(settings(nginx=S3, sites=[site]))


def test_sites_that_share_a_host_share_one_server() -> None:
    sites = [
        {"name": "media", "host": "cdn.example.com", "prefix": "/media", "bucket": "media"},
        {"name": "assets", "host": "cdn.example.com", "kind": "assets", "upstream": "http://127.0.0.1:3000"},
    ]
    text = configuration(settings(sites=sites))
    assert text.count("server_name cdn.example.com;") == 2  # plain HTTP, and HTTPS
    assert "facet_origin" not in text


def test_every_edge_node_and_origin_process_is_an_upstream() -> None:
    text = configuration(
        settings(nginx={**S3, "edges": ["10.0.0.1:8080", "[fd00::2]:8080"], "media_hosts": ["m.test"]})
    )
    assert "server 10.0.0.1:8080 " in text
    assert "server [fd00::2]:8080 " in text
    assert "hash $host$uri consistent;" in text
    assert "server 127.0.0.1:9000 " in text


def test_a_process_that_listens_everywhere_is_reached_on_this_machine() -> None:
    text = configuration(settings(nginx={"media_hosts": ["m.test"]}, edge={"listen": "0.0.0.0:8088"}))
    assert "server 127.0.0.1:8088 " in text


def test_a_process_on_a_port_the_system_picks_is_refused() -> None:
    with pytest.raises(StartError, match=r"edge\.listen.*fixed port"):
        configuration(settings(nginx={"media_hosts": ["m.test"]}, edge={"listen": "127.0.0.1:0"}))


def test_each_server_can_have_a_certificate_of_its_own() -> None:
    paths = {"certificate": "/etc/ssl/{host}/chain.pem", "certificate_key": "/etc/ssl/{host}/key.pem"}
    text = configuration(settings(nginx={**S3, **paths, "media_hosts": ["m.test"]}))
    assert 'ssl_certificate "/etc/ssl/m.test/chain.pem";' in text
    assert 'ssl_certificate_key "/etc/ssl/s3.example.com/key.pem";' in text


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("nginx", {"s3_host": "s3.test; } evil { "}),
        ("nginx", {"media_hosts": ("m.test\n;return 200",)}),
        ("nginx", {"edges": ("127.0.0.1;deny all:80",), "media_hosts": ("m.test",)}),
        ("nginx", {"origins": ("a b:80",)}),
        ("nginx", {"listen": ("1.2.3.4 default_server",)}),
        ("nginx", {"user": "root; load_module x"}),
        ("nginx", {"certificate": Path("/etc/$http_x_evil/chain.pem")}),
        ("nginx", {"certificate_key": Path("/etc/a\nb")}),
        ("nginx", {"logs": Path("/var/log/$host")}),
        ("origin", {"domains": ('b.test" ;',)}),
        ("edge", {"purge_header": "X-Purge} evil"}),
    ],
)
def test_no_setting_becomes_a_directive(section: str, values: dict[str, Any]) -> None:
    with pytest.raises(StartError):
        configuration(hostile(settings(nginx=S3), section, **values))


def test_a_quote_in_a_path_stays_inside_its_word() -> None:
    text = configuration(settings(nginx={**S3, "certificate": '/etc/a"; return 200; #\\/chain.pem'}))
    assert r'ssl_certificate "/etc/a\"; return 200; #\\/chain.pem";' in text


def test_a_prefix_cannot_hold_a_directive() -> None:
    site = {"name": "media", "host": "m.test", "prefix": "/a\n} evil {", "bucket": "media"}
    with pytest.raises(ValidationError, match=r"sites\.0\.prefix"):
        settings(sites=[site])


def test_templates_print_only_what_was_checked() -> None:
    assert only_tokens(Token("a")) == "a"
    assert only_tokens(7) == 7
    for unchecked in ("a", None, True, 1.5, Path("a")):
        with pytest.raises(TypeError):
            only_tokens(unchecked)


def test_the_command_prints_one_complete_file_or_writes_two(tmp_path: Path) -> None:
    config = tmp_path / "facet.toml"
    config.write_text('[nginx]\ns3_host = "s3.example.com"\n')
    printed = CliRunner().invoke(nginx_command, ["--config", str(config)])
    assert printed.exit_code == 0
    assert printed.stdout == configuration(settings(nginx=S3))
    written = CliRunner().invoke(nginx_command, ["--config", str(config), "--out", str(tmp_path / "made")])
    assert written.exit_code == 0
    assert "include facet.conf;" in (tmp_path / "made" / "nginx.conf").read_text()
    assert (tmp_path / "made" / "facet.conf").read_text() == servers_only(settings(nginx=S3))
