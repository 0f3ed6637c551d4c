"""The edge's commands: `facet edge keep` and `facet edge serve` for the supervisor, the others for admins."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import click
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from conf import logs
from conf.errors import StartError
from conf.load import load
from edge.asking import order_purge
from edge.nginx import nginx_command
from edge.policy.signing import signature
from edge.policy.sites import Sites


@click.group(short_help="The edge's processes, where `facet up` does not start them.")
def edge() -> None:
    """Run single processes of the edge: one keeper, and any number of server processes beside it."""


@edge.command(short_help="Run the keeper of this node.")
@click.option("--config", type=click.Path(path_type=Path), help="A TOML file with settings.")
def keep(config: Path | None) -> None:
    """Run the keeper: it fills the cache, renders, purges, and answers the admin listener."""
    import uvloop

    from edge.keeper.keeper import keep as run

    settings = load(config)
    logs.setup(settings.log, "keeper")
    uvloop.run(run(settings))


@edge.command(short_help="Check settings.")
@click.option("--config", type=click.Path(path_type=Path), help="A TOML file with settings.")
def check(config: Path | None) -> None:
    """Say what is wrong with the settings of the edge, if anything is, and exit with 2 then."""
    Sites(load(config))


@edge.command(short_help="Run one server process.")
@click.option("--config", type=click.Path(path_type=Path), help="A TOML file with settings.")
@click.option("--index", type=click.IntRange(0), default=0, help="Its number, for logs [0].")
def serve(config: Path | None, index: int) -> None:
    """Run a server process; several share one port."""
    import uvloop

    from edge.server import serve as run

    settings = load(config)
    logs.setup(settings.log, f"edge-{index}")
    uvloop.run(run(settings, index))


@click.command(short_help="Purge what the edge has stored.")
@click.argument("urls", nargs=-1)
@click.option("--prefix", "prefixes", multiple=True, metavar="URL", help="Everything below a URL that ends with /.")
@click.option("--tag", "tags", multiple=True, help="Everything with a tag, of --site or of all sites.")
@click.option("--site", help="Everything that a site shows, or where --tag counts.")
@click.option("--all", "everything", is_flag=True, help="Everything.")
@click.option("--soft", is_flag=True, help="Stale instead of gone: given while the upstream is asked, or fails.")
@click.option("--config", type=click.Path(path_type=Path), help="A TOML file with settings.")
@click.option("--admin", metavar="HOST:PORT", help="The node's admin listener [edge.admin].")
def purge(
    urls: tuple[str, ...],
    prefixes: tuple[str, ...],
    tags: tuple[str, ...],
    site: str | None,
    everything: bool,
    soft: bool,
    config: Path | None,
    admin: str | None,
) -> None:
    """Purge URLS with all their variants; - reads them from the standard input, one a line.

    When this returns, the purge is in force in every process of the node, and durable.
    """
    named = [line.strip() for url in urls for line in (sys.stdin if url == "-" else (url,)) if line.strip()]
    orders: list[dict[str, Any]] = [{"url": url} for url in named]
    orders += [{"prefix": prefix} for prefix in prefixes]
    orders += [{"tag": tag} | ({} if site is None else {"site": site}) for tag in tags]
    if site is not None and not tags:
        orders.append({"site": site})
    if everything:
        orders.append({"all": True})
    if not orders:
        raise click.UsageError("name what to purge: URLs, --prefix, --tag, --site or --all")
    order_purge(load(config, {"edge.admin": admin}).edge.admin, [order | {"soft": soft} for order in orders])


@click.command(short_help="Fill the edge with URLs before readers ask for them.")
@click.argument("lists", nargs=-1, type=click.File("r"))
@click.option("--variant", "variants", multiple=True, metavar="QUERY", help="A variant of every URL, such as w=400.")
@click.option(
    "--accept",
    "classes",
    multiple=True,
    type=click.Choice(["avif", "webp", "any"]),
    help="Clients to make pictures for [any].",
)
@click.option("--edge", "address", metavar="HOST:PORT", help="Ask this node, whatever host the URLs name.")
@click.option("--at-once", type=click.IntRange(1, 256), default=8, show_default=True, help="Requests at a time.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def warm(
    lists: tuple[IO[str], ...],
    variants: tuple[str, ...],
    classes: tuple[str, ...],
    address: str | None,
    at_once: int,
    as_json: bool,
) -> None:
    """Ask for the URLs in LISTS, one a line, or in the standard input; a # begins a comment.

    Exits with 1 where one of them could not be had, and names those.
    """
    from edge.warming import requests
    from edge.warming import warm as run_warming

    console = Console(stderr=True)
    asked = list(requests((line for file in (lists or (sys.stdin,)) for line in file), variants, classes))
    with Progress(
        *Progress.get_default_columns(), MofNCompleteColumn(), console=console, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("warming", total=len(asked))
        report = asyncio.run(run_warming(asked, edge=address, at_once=at_once, told=lambda: bar.advance(task)))
    if as_json:
        click.echo(json.dumps(report.lines()))
    else:
        click.echo(
            f"{report.asked} asked, {report.hits} were there, {report.bytes} bytes, {len(report.failures)} failed"
        )
        for url, reason in report.failures:
            click.echo(f"{url}: {reason}", err=True)
    sys.exit(1 if report.failures else 0)


@click.command(short_help="Sign a variant URL.")
@click.argument("url")
@click.option("--expires", type=click.IntRange(1), metavar="SECONDS", help="How long the URL holds; else for ever.")
@click.option("--config", type=click.Path(path_type=Path), help="A TOML file with settings.")
def sign(url: str, expires: int | None, config: Path | None) -> None:
    """Print URL with the signature of its site's first key (sites.sign_keys)."""
    parts = urlsplit(url)
    matched = Sites(load(config)).match(parts.netloc, parts.path)
    if matched is None or not matched[0].sign_keys:
        raise StartError(f"no site with sign_keys serves {url} (see docs/configuration.md#sites)")
    query = "&".join(part for part in (parts.query, f"exp={int(time.time()) + expires}" if expires else "") if part)
    given = f"sig={signature(matched[0].sign_keys[0], parts.path, query)}"
    click.echo(parts._replace(query=f"{query}&{given}" if query else given).geturl())


COMMANDS: list[click.Command] = [edge, nginx_command, purge, sign, warm]
