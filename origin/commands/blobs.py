"""`facet blobs`: where the stored bytes are."""

from __future__ import annotations

from pathlib import Path

import click
from rich.filesize import decimal

from origin.admin import wishes
from origin.commands.common import AS_JSON, CONFIG, DATA, end, run, show


@click.group()
def blobs() -> None:
    """The store of bytes."""


@blobs.command()
@AS_JSON
@CONFIG
@DATA
def move(as_json: bool, config: Path | None, data: Path | None) -> None:
    """Move every blob from the store named by blobs.move_from to the one named by blobs.store.

    Set both and restart the server first; it serves from both while the move goes on. Each blob is compared with its
    checksum before it leaves the old store. A move that was interrupted goes on where it was. When it is done, take
    blobs.move_from out of the settings. Exits with 1 where a blob was damaged and stays in the old store.
    """
    done = run(config, data, "move", wishes.Nothing())
    if as_json:
        show(done)
    else:
        click.echo(
            f"moved {done['blobs']} blobs, {decimal(done['bytes'])}; {done['already']} were there already,"
            f" {done['damaged']} are damaged and stay"
        )
    end(not done["damaged"])
