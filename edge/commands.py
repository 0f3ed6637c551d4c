"""The edge's commands: `facet edge keep` and `facet edge serve` for the supervisor, the others for admins."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from conf import logs
from conf.load import load
from edge.asking import order_purge
from edge.nginx import nginx_command


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


COMMANDS: list[click.Command] = [edge, nginx_command, purge]
