"""The edge's commands: `facet edge keep` and `facet edge serve` for the supervisor, `facet nginx` for admins."""

from __future__ import annotations

from pathlib import Path

import click

from conf import logs
from conf.load import load
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


COMMANDS: list[click.Command] = [edge, nginx_command]
