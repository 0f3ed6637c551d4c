"""Settings → the text of an nginx configuration, and the command `facet nginx` that writes it.

The rule of this file: no value reaches the text as a bare string. Each passes one of the functions below that
knows the shape it must have, and the templates refuse to print anything else; so a setting can be wrong, but never
become a directive.
The templates in nginx/debian12 hold what is said, this file only what it is said about.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from conf.errors import StartError
from conf.load import load
from conf.schema import Settings, Site, SiteKind

TEMPLATES = Path(__file__).resolve().parent.parent / "nginx" / "debian12"
_KIB = 1024
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z0-9_-]+")


class Token(str):
    """Text that is one word of nginx's grammar, and nothing but one word."""

    __slots__ = ()


@dataclass(frozen=True)
class EdgeServer:
    """One public host of the edge: what it is (for the comment above it), its name and its certificate."""

    about: Token
    name: Token
    certificate: Token
    certificate_key: Token


def quoted(setting: str, value: str) -> Token:
    """`value` as one quoted word. Raises StartError for what nginx would expand or what no path has."""
    if _CONTROL.search(value) or "$" in value:
        raise StartError(f"{setting} is {value!r}: nginx cannot take $ or control characters there")
    return Token('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"')


def word(setting: str, value: str) -> Token:
    """`value` where it is letters, digits, "-" and "_". Raises StartError otherwise."""
    if _WORD.fullmatch(value) is None:
        raise StartError(f"{setting} is {value!r}: must be letters, digits, - and _")
    return Token(value)


def server_name(setting: str, value: str) -> Token:
    """A host name, a `*.` wildcard of one, or an IP address as server_name takes it. Raises StartError otherwise."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        if _NAME.fullmatch(value.removeprefix("*.")) is None:
            raise StartError(f"{setting} is {value!r}: must be a host name such as media.example.com") from None
        return Token(value)
    return Token(f"[{address}]" if address.version == 6 else str(address))


def listener(setting: str, host: str, port: int) -> Token:
    """HOST:PORT for `listen` or for a server of an upstream. Raises StartError for what is neither name nor address."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        if _NAME.fullmatch(host) is None:
            raise StartError(f"{setting} is {host!r}: must be a host name or an IP address") from None
        return Token(f"{host}:{port}")
    return Token(f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}")


def node(setting: str, value: str) -> Token:
    """The HOST:PORT at which nginx reaches a process that listens on `value`: a wildcard address means this machine."""
    host, _, port = value.rpartition(":")
    if port == "0":
        raise StartError(f"{setting} is {value!r}: nginx needs a fixed port, such as 8080")
    if host in ("0.0.0.0", "[::]"):  # noqa: S104 - recognised here, not bound
        host = "127.0.0.1" if host == "0.0.0.0" else "[::1]"  # noqa: S104
    return listener(setting, host, int(port))


def configuration(settings: Settings, *, whole: bool = True) -> str:
    """The text of nginx.conf: complete in itself, or (`whole=False`) including facet.conf beside it.

    Raises StartError where a setting cannot stand in a configuration, or where there is nothing to serve.
    """
    return _render("nginx.conf.j2", settings, whole=whole)


def servers_only(settings: Settings) -> str:
    """The text of facet.conf: maps, upstreams and servers, to stand in the http block of an nginx that serves more.

    Raises StartError as `configuration` does.
    """
    return _render("facet.conf.j2", settings, whole=False)


def _render(template: str, settings: Settings, *, whole: bool) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        finalize=_only_tokens,
        autoescape=False,  # noqa: S701 - not HTML; _only_tokens is the guard
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    text = environment.get_template(template).render(_words(settings), whole=whole)
    return "\n".join(line.rstrip() for line in text.split("\n"))


def _only_tokens(value: Any) -> Any:
    if isinstance(value, Token) or type(value) is int:
        return value
    raise TypeError(f"{value!r} would be printed without having been checked")


def _words(settings: Settings) -> dict[str, Any]:
    """Everything the templates name, as tokens and whole numbers."""
    nginx, edge, origin = settings.nginx, settings.edge, settings.origin
    edge_servers = _edge_servers(settings)
    s3_names = _s3_names(settings)
    everything = [server.name for server in edge_servers] + s3_names
    if not everything:
        raise StartError("nginx has nothing to serve: set sites, nginx.media_hosts or nginx.s3_host")
    if twice := sorted({name for name in everything if everything.count(name) > 1}):
        raise StartError(f"the host {twice[0]} belongs to a site and to the S3 endpoint: it can be only one of them")
    s3_host = nginx.s3_host or ""
    return {
        "user": word("nginx.user", nginx.user),
        "pid": quoted("nginx.pid", str(nginx.pid.absolute())),
        "error_log": quoted("nginx.logs", str(nginx.logs.absolute() / "facet.error.log")),
        "access_log": quoted("nginx.logs", str(nginx.logs.absolute() / "facet.access.log")),
        "temp": {
            name: quoted("nginx.state", str(nginx.state.absolute() / name))
            for name in ("body", "proxy", "fastcgi", "uwsgi", "scgi")
        },
        "acme": quoted("nginx.acme", str(nginx.acme.absolute())),
        "listen": [
            {
                "http": listener("nginx.listen", address, nginx.http),
                "https": listener("nginx.listen", address, nginx.https),
            }
            for address in nginx.listen
        ],
        "https_suffix": Token("" if nginx.https == 443 else f":{nginx.https}"),
        "all_names": everything,
        "edge_servers": edge_servers,
        "edges": _nodes("nginx.edges", nginx.edges, "edge.listen", edge.listen),
        "purge_variable": Token(word("edge.purge_header", edge.purge_header).lower().replace("-", "_")),
        "s3_names": s3_names,
        "origins": _nodes("nginx.origins", nginx.origins, "origin.listen", origin.listen),
        "s3_certificate": _certificate("nginx.certificate", nginx.certificate, s3_host),
        "s3_certificate_key": _certificate("nginx.certificate_key", nginx.certificate_key, s3_host),
        "max_body": nginx.max_body and nginx.max_body + nginx.max_body // 64 + 64 * _KIB,
        "body_timeout": max(1, round(origin.body_timeout)),
        "head_deadline": max(1, round(edge.head_deadline)),
        "edge_read_timeout": max(1, round(edge.head_timeout + settings.render.deadline + edge.stall_timeout)),
        "header_buffer": max(16 * _KIB, edge.max_url + _KIB),
        "header_buffers": max(4, -(-edge.max_headers // (16 * _KIB)) + 1),
        "connections": nginx.connections,
        "rate": nginx.rate,
        "burst": nginx.burst,
    }


def _nodes(setting: str, addresses: Iterable[str], fallback: str, listen: str) -> list[Token]:
    return [node(setting, address) for address in addresses] or [node(fallback, listen)]


def _edge_servers(settings: Settings) -> list[EdgeServer]:
    """One server a host, however many sites share it by prefix; media_hosts are the default media site's names."""
    by_host: dict[str, list[Site]] = {host: [] for host in settings.nginx.media_hosts}
    for site in settings.sites:
        by_host.setdefault(site.host, []).append(site)
    return [_edge_server(settings, host, sites) for host, sites in by_host.items()]


def _edge_server(settings: Settings, host: str, sites: list[Site]) -> EdgeServer:
    explained = {
        SiteKind.MEDIA: "media, with variants on the fly",
        SiteKind.ASSETS: "assets of a web server (CDN_HOST), untouched",
        SiteKind.WEBSITE: "a website from a bucket",
        SiteKind.PASS_THROUGH: "whatever its upstream has, by the letter of the RFCs",
    }
    parts = [
        f"{explained[site.kind]}{f' under {site.prefix}' if _WORD.fullmatch(site.prefix.strip('/')) else ''}"
        for site in sites
    ]
    return EdgeServer(
        about=Token("; ".join(parts) or "media of every public bucket, as /BUCKET/KEY"),
        name=server_name("sites.host", host),
        certificate=_certificate("nginx.certificate", settings.nginx.certificate, host),
        certificate_key=_certificate("nginx.certificate_key", settings.nginx.certificate_key, host),
    )


def _certificate(setting: str, path: Path, host: str) -> Token:
    return quoted(setting, str(path.absolute()).replace("{host}", host.replace(":", "_")))


def _s3_names(settings: Settings) -> list[Token]:
    """The S3 endpoint's own name, the origin's others, bucket hosts, and base domains with every bucket below."""
    if settings.nginx.s3_host is None:
        return []
    origin = settings.origin
    names = [settings.nginx.s3_host, *origin.hosts, *origin.bucket_hosts]
    for domain in origin.domains:
        names += [domain, f"*.{domain}"]
    return [server_name("nginx.s3_host", name) for name in dict.fromkeys(names)]


@click.command("nginx", short_help="Write a complete nginx configuration.")
@click.option("--config", type=click.Path(path_type=Path), help="A TOML file with settings.")
@click.option(
    "--out",
    default="-",
    metavar="FOLDER",
    help="Write nginx.conf and facet.conf into this folder; - prints one complete file [-].",
)
def nginx_command(config: Path | None, out: str) -> None:
    """Write the configuration of the nginx in front, for Debian 12's nginx 1.22, from the settings.

    nginx.conf is complete and runs as it is; facet.conf, which it includes, holds the servers alone, for an nginx
    that serves other sites as well (put it into /etc/nginx/conf.d).

    \b
    facet nginx --config facet.toml --out /etc/nginx
    nginx -t && systemctl reload nginx
    """
    settings = load(config)
    if out == "-":
        click.echo(configuration(settings), nl=False)
        return
    texts = {"nginx.conf": configuration(settings, whole=False), "facet.conf": servers_only(settings)}
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
            click.echo(folder / name)
    except OSError as error:
        raise StartError(f"{folder} cannot be written: {(error.strerror or str(error)).lower()}") from None
