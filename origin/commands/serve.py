"""`facet origin serve`."""

from __future__ import annotations

from pathlib import Path

import click
import uvloop

from conf import logs
from conf.load import load
from origin.commands.common import CONFIG, DATA


@click.group()
def origin() -> None:
    """The S3 origin."""


@origin.command()
@CONFIG
@DATA
@click.option("--listen", metavar="HOST:PORT", help="Where the S3 API listens [127.0.0.1:9000].")
def serve(config: Path | None, data: Path | None, listen: str | None) -> None:
    """Run one origin process until SIGTERM or Ctrl-C."""
    from origin.server import serve as run

    settings = load(config, {"data": data, "origin.listen": listen})
    logs.setup(settings.log, "origin")
    uvloop.run(run(settings))
