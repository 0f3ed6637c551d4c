"""`facet keyring`: the master keys."""

from __future__ import annotations

from pathlib import Path

import click

from conf.load import load
from origin.admin import wishes
from origin.commands.common import CONFIG, DATA, refusing, run, show
from origin.service.folder import export_master_keys


@click.group()
def keyring() -> None:
    """The master keys, which wrap all others. While a server runs, changes go through it and hold at once."""


@keyring.command("list")
@CONFIG
@DATA
def keyring_list(config: Path | None, data: Path | None) -> None:
    """Print every master key's id and fingerprint as JSON, and what needs it. The last one wraps what is new."""
    show(run(config, data, "keyring-list", wishes.Nothing()))


@keyring.command("add")
@click.option("--id", "key_id", help="The key's name; without it, one is made of the date.")
@CONFIG
@DATA
def keyring_add(key_id: str | None, config: Path | None, data: Path | None) -> None:
    """Make a master key that wraps what is new from now on. Copy the key file again afterwards."""
    show(run(config, data, "keyring-add", wishes.MasterKey(id=key_id)))


@keyring.command("rotate")
@CONFIG
@DATA
def keyring_rotate(config: Path | None, data: Path | None) -> None:
    """Wrap all keys again under the newest master key. Can be interrupted and run again."""
    show(run(config, data, "keyring-rotate", wishes.Nothing()))


@keyring.command("retire")
@click.argument("key_id")
@CONFIG
@DATA
def keyring_retire(key_id: str, config: Path | None, data: Path | None) -> None:
    """Take a master key out of the key file, unless anything stored or any named backup needs it."""
    show(run(config, data, "keyring-retire", wishes.MasterKey(id=key_id)))


@keyring.command()
@click.argument("file", type=click.Path(path_type=Path))
@CONFIG
@DATA
def export(file: Path, config: Path | None, data: Path | None) -> None:
    """Copy the master keys to a new FILE of mode 0600, and print their fingerprints as JSON."""
    with refusing():
        show(export_master_keys(load(config, {"data": data}), file))
