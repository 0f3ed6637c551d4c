"""`facet up`: everything on this machine with one command."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from conf import logs
from conf.load import load
from up.supervisor import Supervisor


@click.command(short_help="Start origin and edge on this machine.")
@click.option("--config", type=click.Path(path_type=Path), help="A TOML file with settings.")
@click.option("--data", type=click.Path(path_type=Path), help="The folder for everything that is kept [./data].")
@click.option("--origin", metavar="HOST:PORT", help="Where the S3 origin listens [127.0.0.1:9000].")
@click.option("--edge", metavar="HOST:PORT", help="Where the edge listens [127.0.0.1:8080].")
@click.option("--admin", metavar="HOST:PORT", help="Where metrics and administration listen [127.0.0.1:8081].")
def up(config: Path | None, data: Path | None, origin: str | None, edge: str | None, admin: str | None) -> None:
    """Start the origin, the edge's keeper and its server processes, and keep them running.

    When both accept requests, one JSON line on stdout gives their addresses:
    {"event": "ready", "origin": URL, "edge": URL, "admin": URL}. Logs go to stderr.
    SIGTERM and Ctrl-C finish what is running, stop, and exit with 0. SIGHUP reads the settings again.

    \b
    Point an application at it:
      facet key add --owner mastodon          makes its access key
      S3_ENDPOINT=http://127.0.0.1:9000       where it writes
      http://127.0.0.1:8080/BUCKET/KEY?w=400  what browsers read
    """
    overrides = {"data": data, "origin.listen": origin, "edge.listen": edge, "edge.admin": admin}
    settings = load(config, overrides)
    logs.setup(settings.log, "up")
    sys.exit(Supervisor(settings, lambda: load(config, overrides)).run())


COMMANDS: list[click.Command] = [up]
